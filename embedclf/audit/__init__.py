"""What `check` and `suspects` find in data before anything is trained."""
