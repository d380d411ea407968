"""Compact runs: fewer tokens and n-grams, in fewer bits, as far as the validation rows allow."""
