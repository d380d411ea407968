"""From tables to splits of encoded rows: readers, labels, the dataset."""
