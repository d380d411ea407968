"""Training steps: the rows of a batch, their loss, the change of the weights."""
