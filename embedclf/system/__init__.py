"""Files, locks, threads, signals and the terminal."""
