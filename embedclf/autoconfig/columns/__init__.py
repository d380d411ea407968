"""Which columns of a table hold the text and the label."""
