"""Files, Arrow columns, threads, signals, progress and the terminal."""
