"""The report of a run: one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.evaluation.scored_rows import SEEN
from embedclf.reports.html import plot_sections, sections
from embedclf.reports.html.page import TAIL, head, plain
from embedclf.reports.verdict import rows_told, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.reports.html.report_data import ReportData

STYLE = """\
:root { --soft: #888; --faint: #8883; }
h2 { border-top: 1px solid var(--line); padding-top: 1rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 0; overflow-wrap: anywhere; }
h1, p, dd, li { overflow-wrap: anywhere; } p { margin: .5rem 0; }
.verdict { font-size: 1.2rem; }
.caption { margin: .5rem 0 .2rem; }
table, .caption, figcaption, dl, ul { font-size: .9rem; }
thead th { border-bottom: 1px solid var(--line); vertical-align: bottom; }
td, th[scope=col]:nth-child(n+2) { text-align: right; white-space: nowrap; }
th { white-space: nowrap; } tbody th { font-weight: normal; }
.folded { display: inline-block; max-width: min(16rem, 40vw); vertical-align: top; }
.folded { white-space: normal; overflow-wrap: break-word; }
td small { white-space: nowrap; } td code { overflow-wrap: anywhere; }
#confusion td:nth-child(2), #confusion th:nth-child(2), #circumstances td { text-align: left; }
dt { font-weight: bold; } dd { margin: 0 0 .2rem; }
figure { margin: 1rem 0; }
svg { display: block; width: 100%; max-width: calc(1.3 * var(--width)); height: auto; }
svg { min-width: calc(.85 * var(--width)); stroke-linejoin: round; stroke-linecap: butt; }
svg text { fill: currentColor; }
figure, .wide { overflow-x: auto; }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.side { gap: 0 1rem; }
.long { max-height: 24rem; overflow-y: auto; }
summary { cursor: pointer; margin: .5rem 0; }
code { font-size: .85rem; }
@media (max-width: 40rem) { td small { display: block; } }
@media (min-width: 40rem) {
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }
}
@media print {
:root { color-scheme: light; }
body { font-size: 10pt; max-width: none; margin: 0; }
figure, article, tr { break-inside: avoid; }
h2, h3 { break-after: avoid; }
svg { min-width: 0; max-width: min(100%, var(--width)); print-color-adjust: exact; }
.wide, figure, .long { overflow: visible; max-height: none; }
pre { white-space: pre-wrap; } td, th { white-space: normal; }
details:not([open])::details-content { content-visibility: visible; }
}
"""
"""Of a page of tables, figures and articles, beside that of every page."""

_BETTER = "; those of a test table (<code>data.test</code>, or <code>--data</code>) tell better"


def page(told: ReportData) -> str:
    """The page; the same run, rows and versions give the same text."""
    run = told.run
    created = str(run.record["created"])[:16].replace("T", " ")
    parts = [
        head(f"Report of {run.path.name}", STYLE),
        f"<p><small>trained {created} UTC · {run.record['task']} · "
        f"{plain(rows_told(told.appraisal))}</small></p>\n"
        f'<p class="verdict">{plain(verdict(told.appraisal))}</p>\n',
        _caution(told.appraisal.scored.place.caution),
    ]
    for name, title, content in _sections(told):
        parts.append(f'<section id="{name}">\n<h2>{title}</h2>\n{content}</section>\n')
    return "".join([*parts, TAIL])


def _caution(told: str) -> str:
    better = _BETTER if told.startswith(tuple(SEEN.values())) else ""
    return f"<p>Of these rows: {plain(told)}{better}.</p>\n" if told else ""


def _sections(told: ReportData) -> Iterator[tuple[str, str, str]]:
    """Name, title and content of each section, in the order of what is asked first."""
    appraisal = told.appraisal
    yield "scores", "Scores", sections.scores(appraisal)
    yield "labels", "Labels", sections.labels(appraisal)
    yield "confusion", "Confusion", plot_sections.confusion(appraisal)
    yield "curves", "ROC and precision-recall", plot_sections.ranking(appraisal)
    yield "reliability", "Reliability", plot_sections.calibration(appraisal)
    if told.weighed is not None:
        yield "thresholds", "Thresholds", sections.thresholds(told.weighed)
    yield "learning", "Learning curves", plot_sections.learning(told)
    yield "slices", "Slices", sections.slices(appraisal)
    yield "mistakes", "The worst mistakes", sections.mistakes(appraisal)
    yield "data", "Data", sections.findings(told.audit)
    yield "config", "Config", sections.config(told)
    yield "circumstances", "Circumstances", sections.circumstances(told.run)
