"""Memory: arrays in mapped files, and what is returned to the operating system."""
