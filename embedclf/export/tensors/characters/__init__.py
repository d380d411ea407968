"""What the rules of tokens do with each character, as tables."""
