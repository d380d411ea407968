"""Commands, their output and their errors. Only this package uses Click."""
