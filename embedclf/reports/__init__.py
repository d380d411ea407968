"""Results as text and JSON: pure functions that return strings."""
