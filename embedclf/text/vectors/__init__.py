"""Word vectors: sources to read them from, and vectors learned from the texts."""
