"""What a compact run was made from, and what that cost -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.system.terminal import format_count, format_score

if TYPE_CHECKING:
    from collections.abc import Mapping


def compact_entries(facts: Mapping[str, Any], size: int) -> list[tuple[str, str]]:
    """List what became smaller, and the scores before and after.

    Args:
        facts: `compact` in the record of the run.
        size: Bytes of all its files.
    """
    name = facts["metric"].replace("_", " ").replace("f1", "F1")
    before, after = (format_score(facts[key]) for key in ("score_before", "score_after"))
    rows = format_count(facts["rows"], "validation row")
    changed = format_count(facts["changed"], "decision")
    tokens = format_count(facts["tokens_left_out"], "token")
    ngrams = format_count(facts["ngrams_left_out"], "n-gram")
    total = facts["bytes"]
    return [
        ("compact", f"made from run {facts['run']!r}"),
        ("size", f"{format_bytes(size)} instead of {format_bytes(total)}: 1/{total / size:.0f}"),
        ("left out", f"{tokens}, {ngrams}"),
        ("loss", f"{name} {after} instead of {before} on {rows}; {changed} changed"),
    ]


def format_bytes(count: int) -> str:
    """Format a number of bytes: `237 kB`."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"
