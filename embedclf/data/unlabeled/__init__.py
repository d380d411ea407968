"""Texts without labels, and the teacher that labels them."""
