"""A run as files for other programs: written, proved, published."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from embedclf.errors import DataError, ExportError, RequestError
from embedclf.export.description import DESCRIPTION_FILE, describe, hash_files, render_readme
from embedclf.export.exporter import ExportOptions, ExportSource
from embedclf.export.formats import open_exporter
from embedclf.export.proof import Proof, prove
from embedclf.system.progress import activity
from embedclf.system.publishing.drafts import draft_directory, publish_directory

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.export.exporter import Exporter
    from embedclf.runs.run import Run


@dataclass(frozen=True)
class Export:
    """A published export."""

    title: str
    """Its format, for people."""
    size: int
    """Bytes of all files."""
    proof: Proof
    facts: dict[str, Any]
    """What the format says about it."""


def export_run(run: Run, name: str, target: Path, options: ExportOptions | None = None) -> Export:
    """Export a run to a folder, which appears once the export is proved equal to the run.

    Args:
        run: The run.
        name: One of `formats.FORMATS`.
        target: The folder, which must not exist.
        options: What to export; None takes the defaults.

    Raises:
        RequestError: The run cannot be exported in this format, the folder exists, or a package is
            missing.
        ExportError: The export differs from the run.
        DataError: The folder cannot be written.
        RunError: The run is damaged.
    """
    if target.exists() or target.is_symlink():
        raise RequestError(f"{target}: already exists; name another folder, or move it")
    exporter = open_exporter(name)
    columns = run.config().data.input_columns
    source = exporter.prepare(
        ExportSource(run, run.classifier(), columns, options or ExportOptions())
    )
    try:
        with draft_directory(target.absolute().parent) as folder:
            facts, proof = _fill(folder, exporter, source, name)
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            if not publish_directory(folder, target):
                raise RequestError(f"{target}: was created meanwhile; choose another -o")
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from error
    return Export(exporter.title, size, proof, facts)


def _fill(
    folder: Path, exporter: Exporter, source: ExportSource, name: str
) -> tuple[dict[str, Any], Proof]:
    """Write all files of an export, and prove it."""
    with activity(f"writing {exporter.title}"):
        facts = exporter.write(source, folder)
    try:
        proof = prove(source, exporter.load(folder, source))
    except ExportError as error:
        fault = f"the export differs, so it was not written: {error}"
        raise ExportError(f"{source.run.path}: {fault}; please report this") from error
    description = describe(source) | {"format": name, "proof": asdict(proof)} | (facts or {})
    if facts is not None:
        content = description | {"sha256": hash_files(folder)}
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / DESCRIPTION_FILE).write_text(f"{text}\n", encoding="utf-8")
    readme = render_readme(name, description)
    (folder / "README.md").write_text(readme, encoding="utf-8", newline="\n")
    return facts or {}, proof
