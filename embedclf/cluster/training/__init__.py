"""Training on a cluster: a vocabulary counted in parts, shards, and rounds of local training."""
