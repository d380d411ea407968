"""Classifiers for other programs: each export is proved equal to its run before it appears."""
