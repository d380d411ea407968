"""Commands, what they print, and how errors end them. Only this package uses Click."""
