"""Labels and splits: from tables to a dataset of encoded rows."""
