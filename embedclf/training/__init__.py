"""From a config to a run: initialization, the training loop, refit, cross-fitting."""
