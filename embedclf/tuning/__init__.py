"""The search for better settings: the study, its trials, and the best of them."""
