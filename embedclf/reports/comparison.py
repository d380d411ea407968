"""A comparison -> text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from embedclf.evaluation.metrics import LOWER_IS_BETTER
from embedclf.reports.evaluation import interval
from embedclf.system.terminal import (
    NONE,
    listing,
    new_table,
    rendered,
    score,
    shortened,
    to_json,
    visible,
)

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.compare import ChangedRow, Comparison

_TEXT = 200

_LEVEL = 0.05
"""Differences that chance makes more seldom than that are called clear."""


def comparison(first: Path, second: Path, told: Comparison) -> str:
    """What the second run does better or worse than the first."""
    table = new_table(
        "", "first", "second", "difference", "95 % interval", "", numbers=(1, 2, 3, 4)
    )
    for name, difference in told.differences.items():
        values = [score(scores[name]) for scores in told.scores]
        gain, edges, whose = _difference(name, difference)
        table.add_row(name, *values, gain, edges, whose)
    lines = [
        f"first: {first}; second: {second}",
        f"{told.place}: {told.rows:,} rows; paired bootstrap, {told.draws:,} draws",
        rendered(table),
        *_cautions(told),
        _test(told),
        *map(_changed, told.changed),
    ]
    return "\n".join(lines)


def comparison_json(first: Path, second: Path, told: Comparison) -> str:
    """The same for programs."""
    values = asdict(told)
    for name, difference in told.differences.items():
        values["differences"][name] = difference and {
            "difference": difference[0],
            "interval": difference[1],
        }
    return to_json({"runs": [str(first), str(second)], **values})


def _cautions(told: Comparison) -> list[str]:
    """Why the scores are too good, said once where it holds for both."""
    first, second = told.cautions
    if first == second:
        return [f"of these rows: {first}"] if first else []
    pairs = (("first", first), ("second", second))
    return [f"of these rows and the {which}: {why}" for which, why in pairs if why]


def _difference(name: str, told: tuple[float, Interval] | None) -> tuple[str, str, str]:
    """How much higher, from where to where, and whose score is clearly better."""
    if told is None:
        return NONE, NONE, ""
    gain, edges = told
    if edges[0] <= 0.0 <= edges[1]:
        return f"{gain:+.4f}", interval(edges), ""
    second = (gain > 0.0) != (name in LOWER_IS_BETTER)
    return f"{gain:+.4f}", interval(edges), "second" if second else "first"


def _test(told: Comparison) -> str:
    if told.p_value >= _LEVEL:
        verdict = "no clear difference"
    else:
        verdict = (
            "the second is right more often"
            if told.mended > told.broken
            else ("the first is right more often")
        )
    return (
        f"the second mends {told.mended:,} rows and breaks {told.broken:,}; McNemar's exact test: "
        f"p = {told.p_value:.2g}, {verdict}"
    )


def _changed(told: ChangedRow) -> str:
    true, first, second = (", ".join(labels) or "no label" for labels in (told.true, *told.given))
    word = "mended" if second == true else "broken"
    head = visible(f"{told.place}  {word}; true: {true}, first: {first}, second: {second}")
    return f"{head}\n{listing([('', shortened(' '.join(told.text.split()), _TEXT))])}"
