"""Files, Arrow columns, threads, signals and the terminal."""
