"""Tables of any format: files -> rows of text."""
