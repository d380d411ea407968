"""Leakage: what reveals labels in the data, but not in new texts."""
