"""Classifiers as ONNX models: texts or token ids in, labels and probabilities out."""
