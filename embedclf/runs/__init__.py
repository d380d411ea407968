"""The run directory that training creates: written, found, opened, checked, summarized."""
