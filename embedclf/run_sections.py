"""Sections of a report about what a run is made of: thresholds, data, config, circumstances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from embedclf import report
from embedclf.audit_report import stands
from embedclf.config import near
from embedclf.findings import counted
from embedclf.markup import entries, name, plain, table
from embedclf.threshold_report import COLUMNS, cells, flattered, heading

if TYPE_CHECKING:
    from embedclf.auditing import Audit
    from embedclf.decisions import Weighed
    from embedclf.findings import Finding
    from embedclf.reporting import Reported
    from embedclf.run import Run


def thresholds(told: Weighed | str) -> str:
    """What thresholds come to on the validation rows."""
    if isinstance(told, str):
        return _missing(told)
    rows = [[name(choice.label), *map(plain, cells(choice))] for choice in told.choices]
    columns = ["label", *COLUMNS]
    if len(told.thresholds) == 1:
        rows, columns = [row[1:] for row in rows], columns[1:]
    note = f"<p><small>{plain(flattered(told))}</small></p>\n"
    return table(heading(told), columns, rows) + note


def findings(told: Audit | str) -> str:
    """What is wrong with the data, with rows that show it."""
    if isinstance(told, str):
        return _missing(told)
    return f"<p>{plain(counted(told.findings))}</p>\n" + "".join(map(_finding, told.findings))


def config(told: Reported) -> str:
    """The config that trains the same again."""
    return f'<pre class="wide" tabindex="0"><code>{_lines(told.config)}</code></pre>\n'


def circumstances(run: Run) -> str:
    """Versions, device, seed, times, tables: what it takes to train the same again."""
    record = run.record
    device = record["device"]
    facts = [
        ("run", str(run.path)),
        ("created", str(record["created"])),
        ("device", f"{device['kind']} {device['name']}, {device['cores']} cores"),
        *report.circumstances(record),
        ("parameters", f"{record['parameters']:,}"),
    ]
    rows = [
        [
            part,
            plain(str(near(Path(of["path"])))),
            f"{of['rows']:,}",
            f"<code>{of['sha256']}</code>",
        ]
        for part, of in record["data"].items()
    ]
    return entries(facts) + table("tables", ["part", "table", "rows", "SHA-256"], rows)


def _lines(text: str) -> str:
    """A text that does nothing, its lines kept."""
    return "\n".join(map(plain, text.rstrip("\n").split("\n")))


def _finding(told: Finding) -> str:
    shown = "".join(
        f"<li><small>{plain(stands(example))}</small> <bdi>{plain(example.text)}</bdi></li>\n"
        for example in told.examples
    )
    examples = f"<ul>\n{shown}</ul>\n" if shown else ""
    return (
        f"<article>\n<h3>{told.severity}: {plain(told.what)} <small>[{told.kind}]</small></h3>\n"
        f"{examples}{entries([('why', told.why), ('mend', told.mend)])}</article>\n"
    )


def _missing(why: str) -> str:
    return f"<p>Not known: {plain(why)}.</p>\n"
