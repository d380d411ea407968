"""The command line: commands, what they print, how errors end them. Click is used here alone."""
