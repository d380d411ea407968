"""Encodings of text: their names, and which one fits some bytes."""
