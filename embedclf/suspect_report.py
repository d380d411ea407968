"""Suspect rows → text and JSON: what is found in the labels of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.config import near
from embedclf.layout import NONE, WIDTH, listing, new_table, rendered, score, shortened, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.crossfit import Fitted
    from embedclf.folding import Folds
    from embedclf.suspects import Found, Noise

_PAIRS = 8
"""Pairs of labels that are listed; the others are one line."""
_LABEL_LETTERS = 24
"""Of a label that are shown."""
_GAP = 3
"""Blanks between two columns."""


def folds(told: Folds) -> str:
    """What is about to be examined."""
    rows = told.cut.rows
    skipped = f" · {rows.skipped:,} skipped: no valid label" if rows.skipped else ""
    labels, count = told.labels, f"{len(told.labels.names)} ({told.labels.task}): "
    each = zip(labels.names, labels.counts, strict=True)
    return listing(
        [
            ("data", str(near(rows.table.path))),
            ("read as", rows.table.form),
            ("rows", f"{len(rows):,} in {told.count} folds{skipped}"),
            ("labels", shortened(count + ", ".join(f"{name} {of:,}" for name, of in each))),
        ]
    )


def fitted(told: Fitted) -> str:
    """One line a fold."""
    best = told.history.epochs[told.history.best_epoch - 1]
    return (
        f"fold {told.fold.number}/{told.fold.of}  {told.seconds:.1f} s  epoch {best.epoch} of "
        f"{len(told.history.epochs)} kept  val_loss {best.val_loss:.4f}  "
        f"val_{told.history.score_name} {best.val_score:.4f}"
    )


def suspects(told: Found) -> str:
    """The most suspect rows, and how many there may be."""
    return "\n".join([*([_table(told)] if told.first else []), *_summary(told)])


def _table(told: Found) -> str:
    from rich.cells import cell_len

    titles = ("rank", "line", "given", "likely", "P(given)", "P(likely)", "text")
    rows = [_cells(rank, row) for rank, row in enumerate(told.first, start=1)]
    widths = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]
    room = WIDTH - sum(widths[:-1]) - _GAP * len(widths[:-1])  # for a text, so that a row is a line
    table = new_table(*titles, numbers=(0, 1, 4, 5))
    for *cells, text in rows:
        table.add_row(*cells, _fitting(text, room))
    return rendered(table)


def _fitting(text: str, room: int) -> str:
    """A text in so many columns of a terminal; wide characters take two."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= room:
        return text
    return set_cell_size(text, room - 1).rstrip() + "…"


def _cells(rank: int, row: dict[str, Any]) -> list[str]:
    labels = (visible(shortened(row[side], _LABEL_LETTERS)) for side in ("given", "likely"))
    shares = (score(row[f"probability_{side}"]) for side in ("given", "likely"))
    text = visible(shortened(row["text"], WIDTH))
    return [f"{rank:,}", f"{row['line']:,}", *(label or NONE for label in labels), *shares, text]


def _summary(told: Found) -> Iterator[str]:
    what = "labels" if told.task == "multilabel" else "rows"
    yield (
        f"{told.suspects:,} of {told.rows:,} rows have a likelier label than their own; about "
        f"{told.mislabelled:,} {what} are estimated to be mislabelled"
    )
    for pair in told.noise[:_PAIRS]:
        yield f"  {_pair(pair)}: {pair.rows:,}"
    others = told.noise[_PAIRS:]
    if others:
        yield f"  {len(others):,} more pairs: {sum(pair.rows for pair in others):,}"


def _pair(pair: Noise) -> str:
    return f"{visible(pair.likely)} given as {visible(pair.given)}"
