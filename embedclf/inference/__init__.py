"""What a run says about texts: predictions, explanations, embeddings; never TensorFlow."""
