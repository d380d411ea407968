"""The run directory that training creates: written, opened, checked, summarized."""
