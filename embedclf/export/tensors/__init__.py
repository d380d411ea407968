"""Texts to probabilities by operations on tensors, which ONNX, TensorFlow and NumPy all have."""
