"""What an export says about the classifier in it: `embedclf.json` and `README.md`."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from embedclf import __version__
from embedclf.system.control_characters import escape_controls

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from embedclf.export.exporter import ExportSource

DESCRIPTION_FILE = "embedclf.json"


def describe(source: ExportSource) -> dict[str, Any]:
    """Return the facts about a classifier that do not depend on the format.

    They are plain values: the version and the run; the task, its labels and thresholds; the
    calibration; how texts become tokens. The columns are those that texts are made of.
    """
    classifier, columns = source.classifier, source.columns
    labels, calibration = classifier.labels, classifier.calibration
    return {
        "embedclf": __version__,
        "run": source.run.path.resolve().name,
        "task": labels.task,
        "labels": list(labels.names),
        "thresholds": list(labels.thresholds or _default_thresholds(source)),
        "calibration": None if calibration is None else calibration.to_json(),
        "tokens": classifier.tokenizer.to_json(),
        "columns": {
            "text": list(columns.text),
            "fields": list(columns.fields),
            "constants": dict(columns.constants),
        },
    }


def hash_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, by its path."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def render_readme(name: str, facts: Mapping[str, Any]) -> str:
    """Render the README of a format with the facts of `embedclf.json`."""
    return _environment().get_template(f"{name}.md.j2").render(facts)


def _default_thresholds(source: ExportSource) -> list[float]:
    """One of 0.5 for each output that is decided by itself; a softmax has none."""
    labels = source.classifier.labels
    return [] if labels.task == "multiclass" else [0.5] * labels.outputs


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("embedclf.export"),
        autoescape=False,  # noqa: S701 - Markdown
        finalize=lambda value: escape_controls(value) if isinstance(value, str) else value,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["code"] = _quote_code
    return environment


def _quote_code(text: str) -> str:
    """Quote a name as code in Markdown, whatever it has in it."""
    shown = escape_controls(text)
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"
