"""Explanations → one HTML page that needs no network, for light, dark and print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.layout import score
from embedclf.markup import LEGEND, TAIL, head, marked, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from embedclf.explanation import Explanation

_STRONGEST = 20
_STYLE = """\
article { border-top: 1px solid var(--line); padding: 1rem 0; }
td:nth-child(n+2), th:nth-child(n+2) { text-align: right; white-space: nowrap; }
tr:last-child { border-top: 1px solid var(--line); font-weight: bold; }
"""


def explanations(run: str, told: Iterable[Explanation]) -> Iterator[str]:
    """A page with an article for each explanation, in parts."""
    yield head(f"Explained by {run}", _STYLE) + LEGEND
    for one in told:
        yield _article(one)
    yield TAIL


def _article(told: Explanation) -> str:
    return (
        f"<article>\n<h2>{plain(told.label)} {score(told.probability)} "
        f"<small>{told.standing}, text {told.row:,}</small></h2>\n"
        f"{marked(told)}{_table(told)}\n<p><small>{told.method}</small></p>\n</article>\n"
    )


def _table(told: Explanation) -> str:
    rows = [*told.summands(_STRONGEST), ("logit", None, told.logit)]
    cells = "\n".join(
        f"<tr><td>{plain(name)}</td><td>{'' if times is None else f'{times:,}'}</td>"
        f"<td>{total:+.4f}</td></tr>"
        for name, times, total in rows
    )
    return (
        "<details><summary>Sum</summary>\n<table>\n"
        f"<tr><th>token</th><th>times</th><th>adds</th></tr>\n{cells}\n</table></details>"
    )
