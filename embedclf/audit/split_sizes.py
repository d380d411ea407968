"""Splits with too few rows for reliable scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.audit.findings import MIN_SCORED_ROWS, Finding
from embedclf.system.terminal import format_count, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit


def find_small_splits(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find validation and test splits with few rows; the first split is training."""
    for split in splits[1:]:
        count = len(split)
        if count < MIN_SCORED_ROWS:
            yield Finding(
                "rows-few",
                "note",
                f"only {format_count(count, f'{split.name} row')}; scores on fewer than "
                f"{MIN_SCORED_ROWS} are uncertain",
                count,
                count,
                f"each row counts for {format_percent(1 / max(count, 1))} of the score",
                f"add rows to data.{split.name}"
                if split.has_own_table
                else "add rows, or raise data.validation",
            )
