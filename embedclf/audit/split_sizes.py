"""Splits with too few rows for reliable scores, or with nearly all weight on a few rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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


def find_heavy_rows(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find splits whose weights make them as small as a few rows.

    Rows of different weights are worth as much as (sum of weights)² / sum of squared weights rows
    of equal weight (Kish, Survey Sampling, 1965).
    """
    for split in splits:
        weights = split.split.weights
        if weights is None or len(split) < MIN_SCORED_ROWS:
            continue
        effective = weights.sum() ** 2 / (weights**2).sum()
        if effective >= MIN_SCORED_ROWS:
            continue
        count = max(1, round(effective))
        heaviest = np.sort(weights)[-count:].sum() / weights.sum()
        rows = format_count(count, "row")
        yield Finding(
            "rows-few",
            "note",
            f"by their weights, the {len(split):,} {split.name} rows count as {rows}",
            count,
            len(split),
            f"{format_percent(heaviest)} of the weight is on {rows}",
            "check the column of data.weight, or remove data.weight",
        )
