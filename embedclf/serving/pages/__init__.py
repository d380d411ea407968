"""Pages of the service: one to classify texts, one that documents the paths."""
