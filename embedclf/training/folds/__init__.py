"""Several trainings of the same rows: folds and learning curves."""
