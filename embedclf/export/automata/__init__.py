"""Regular expressions as finite automata, which tensors can run."""
