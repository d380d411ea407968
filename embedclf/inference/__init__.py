"""Predictions, explanations and embeddings of a run; never TensorFlow."""
