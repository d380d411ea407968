"""Head, tables, coloured tokens; explanations (jinja2)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from embedclf.system.terminal import score, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.inference.explain import Explanation, TokenContribution

STYLE = """\
:root { color-scheme: light dark; --for: 37 99 235; --against: 234 88 12; --line: #8884; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; }
body { padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin: 0; }
.text { overflow-wrap: anywhere; }
mark { color: inherit; border-radius: .2em; padding: .05em .1em; print-color-adjust: exact; }
.for { background: rgb(var(--for) / var(--strength)); }
.against { background: rgb(var(--against) / var(--strength)); }
.unknown { text-decoration: underline dotted; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .1rem .8rem .1rem 0; text-align: left; overflow-wrap: anywhere; }
small { opacity: .75; }
"""
"""Of every page: blue speaks for a label and orange against it, which the colour-blind can tell
apart, in light, dark and print."""

LEGEND = """\
<p>What each token added to the logit of a label:
<mark class="for" style="--strength:.4">for it</mark>,
<mark class="against" style="--strength:.4">against it</mark>,
<span class="unknown">unknown to the vocabulary</span>.</p>
"""

TAIL = "</body>\n</html>\n"

_LONG = 28
"""Letters of a name that stands in a table on one line."""

_STRONGEST = 0.75
"""Share of colour in the background of the strongest token; text on it stays readable."""


def head(title: str, style: str) -> str:
    """The beginning of a page, up to its heading; nothing in it asks a network for anything.

    Args:
        title: Of the page, as text.
        style: CSS of this page, beside that of every page.
    """
    named = plain(title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{named}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n"
        f"<body>\n<h1>{named}</h1>\n"
    )


def plain(text: str) -> str:
    """A text that says what it says and does nothing: escaped, control characters as pictures."""
    return escape(visible(text))


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first cells name their rows, in a box that scrolls by itself.

    Args:
        caption: What the table holds, as text.
        columns: Their names, as text.
        rows: HTML of the cells; as many as there are columns.
    """
    told = plain(caption)
    names = "".join(f'<th scope="col">{plain(column)}</th>' for column in columns)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return (
        f'<p class="caption">{told}</p>\n'
        f'<div class="wide" role="region" aria-label="{told}" tabindex="0">\n'
        f"<table>\n<thead><tr>{names}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>\n"
    )


def name(text: str) -> str:
    """A name that keeps its direction to itself, and folds where it is long."""
    if len(text) <= _LONG:
        return f"<bdi>{plain(text)}</bdi>"
    return f'<bdi class="folded">{plain(text).replace("_", "_<wbr>")}</bdi>'


def entries(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with a text beside each, both as text."""
    told = "\n".join(f"<dt>{plain(key)}</dt><dd>{plain(text)}</dd>" for key, text in pairs)
    return f"<dl>\n{told}\n</dl>\n"


def details(summary: str, content: str) -> str:
    """HTML that is shown on demand, under a line of text."""
    return f"<details><summary>{plain(summary)}</summary>\n{content}</details>\n"


def marked(told: Explanation) -> str:
    """A text as its tokens, each coloured by what it added."""
    marks = map(_mark, told.tokens, told.strengths)
    cut = f" <small>… {told.truncated:,} more tokens were cut</small>" if told.truncated else ""
    tokens = told.separator.join(marks) or "<small>no token</small>"
    return f'<p class="text" dir="auto">{tokens}{cut}</p>\n'


def _mark(token: TokenContribution, strength: float) -> str:
    side = "for" if strength > 0 else "against"
    known = "" if token.known else " unknown"
    return (
        f'<mark class="{side}{known}" style="--strength:{_STRONGEST * abs(strength):.2f}" '
        f'title="{token.contribution:+.4f}">{plain(token.token)}</mark>'
    )


_MOST_ROWS = 20

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
    rows = [*told.summands(_MOST_ROWS), ("logit", None, told.logit)]
    cells = "\n".join(
        f"<tr><td>{plain(name)}</td><td>{'' if times is None else f'{times:,}'}</td>"
        f"<td>{total:+.4f}</td></tr>"
        for name, times, total in rows
    )
    return (
        "<details><summary>Sum</summary>\n<table>\n"
        f"<tr><th>token</th><th>times</th><th>adds</th></tr>\n{cells}\n</table></details>"
    )
