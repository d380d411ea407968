"""Delimited tables: how they are written, and where their records end."""
