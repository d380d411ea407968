"""Explanations → one HTML page that needs no network, for light, dark and print."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from embedclf.layout import score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from embedclf.explanation import Explanation, Token

_STRONGEST = 20
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --for: 37 99 235; --against: 234 88 12; --line: #8884; }}
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
article {{ border-top: 1px solid var(--line); padding: 1rem 0; }}
h1 {{ font-size: 1.3rem; }} h2 {{ font-size: 1.1rem; margin: 0; }}
.text {{ overflow-wrap: anywhere; }}
mark {{ color: inherit; border-radius: .2em; padding: .05em .1em; print-color-adjust: exact; }}
.for {{ background: rgb(var(--for) / var(--strength)); }}
.against {{ background: rgb(var(--against) / var(--strength)); }}
.unknown {{ text-decoration: underline dotted; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
td, th {{ padding: .1rem .8rem .1rem 0; text-align: left; overflow-wrap: anywhere; }}
td:nth-child(n+2), th:nth-child(n+2) {{ text-align: right; white-space: nowrap; }}
tr:last-child {{ border-top: 1px solid var(--line); font-weight: bold; }}
small {{ opacity: .75; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>What each token added to the logit of a label:
<mark class="for" style="--strength:.4">for it</mark>,
<mark class="against" style="--strength:.4">against it</mark>,
<span class="unknown">unknown to the vocabulary</span>.</p>
"""
_TAIL = "</body>\n</html>\n"


def explanations(run: str, told: Iterable[Explanation]) -> Iterator[str]:
    """A page with an article for each explanation, in parts."""
    yield _HEAD.format(title=escape(f"Explained by {run}"))
    for one in told:
        yield _article(one)
    yield _TAIL


def _article(told: Explanation) -> str:
    marks = map(_mark, told.tokens, told.strengths)
    cut = f" <small>… {told.cut:,} more tokens were cut</small>" if told.cut else ""
    return (
        f"<article>\n<h2>{escape(told.label)} {score(told.probability)} "
        f"<small>{told.standing}, text {told.row:,}</small></h2>\n"
        f'<p class="text" dir="auto">{told.separator.join(marks)}{cut}</p>\n'
        f"{_table(told)}\n<p><small>{told.method}</small></p>\n</article>\n"
    )


def _mark(token: Token, strength: float) -> str:
    side = "for" if strength > 0 else "against"
    known = "" if token.known else " unknown"
    return (
        f'<mark class="{side}{known}" style="--strength:{0.75 * abs(strength):.2f}" '
        f'title="{token.contribution:+.4f}">{escape(token.token)}</mark>'
    )


def _table(told: Explanation) -> str:
    rows = [*told.summands(_STRONGEST), ("logit", None, told.logit)]
    cells = "\n".join(
        f"<tr><td>{escape(name)}</td><td>{'' if times is None else f'{times:,}'}</td>"
        f"<td>{total:+.4f}</td></tr>"
        for name, times, total in rows
    )
    return (
        "<details><summary>Sum</summary>\n<table>\n"
        f"<tr><th>token</th><th>times</th><th>adds</th></tr>\n{cells}\n</table></details>"
    )
