"""What a command line of other tools, or with a mistake, most likely means."""
