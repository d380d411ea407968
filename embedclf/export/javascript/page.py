"""The page of an export, on which a person tries the classifier."""

from __future__ import annotations

from typing import Any


def render_demo_page(description: dict[str, Any]) -> str:
    """Render the page."""
    del description
    return "<!doctype html><title>x</title>\n"
