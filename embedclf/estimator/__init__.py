"""embedclf from Python: a scikit-learn estimator, and trained runs."""
