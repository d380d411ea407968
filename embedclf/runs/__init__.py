"""The directory that a training leaves: written, opened, checked, summarized."""
