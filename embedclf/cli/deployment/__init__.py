"""Commands that bring a classifier to where it is used."""
