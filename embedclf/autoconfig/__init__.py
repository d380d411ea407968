"""From a table to a config: what `init` finds out and decides."""
