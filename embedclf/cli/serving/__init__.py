"""The command of the HTTP service."""
