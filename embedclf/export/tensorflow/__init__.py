"""Classifiers for TensorFlow and LiteRT."""
