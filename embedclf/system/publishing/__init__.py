"""Files and directories that are either complete or absent."""
