"""Tables, labels and splits: from files to a dataset of encoded rows."""
