"""Tables that a run was trained on: changes, copies, and why scores on them are optimistic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.config.loading import named_tables
from embedclf.system.storage import file_size
from embedclf.tables.files import find_files, hash_files, hash_table, tables_exist

if TYPE_CHECKING:
    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.runs.run import Run

VALIDATION_CAUTION = "slightly optimistic: training made choices on the same rows"

REFIT_CAUTION = "measured before the refit on all rows"

SEEN_CAUTIONS = {
    "train": "scores on these rows are inflated: the model saw them in training",
    "validation": VALIDATION_CAUTION,
}
"""Why scores are optimistic, by the split that the rows belong to."""

START_CAUTIONS = {
    ("validation", "yes"): "optimistic: the run that training continued from saw their table",
    ("validation", "maybe"): (
        "optimistic if the table contains rows of the run that training continued from"
    ),
    ("test", "yes"): SEEN_CAUTIONS["train"],
}
"""Why scores are optimistic if training continued from a run, by split and what it has seen."""

_SEEN_SPLITS = ("train", "validation")
"""Splits whose rows decide what a run predicts."""


def is_unchanged(run: Run, split: str, table: Tables) -> bool:
    """Whether a table exists, and is the same as when the run was trained."""
    return tables_exist(table) and is_missing_or_unchanged(run, split, table)


def is_missing_or_unchanged(run: Run, split: str, table: Tables) -> bool:
    """Whether a table is the same as when the run was trained, or missing, which fails later."""
    recorded = run.record if split == "unlabelled" else run.record["data"]
    return not tables_exist(table) or hash_table(table) == recorded[split]["sha256"]


def find_seen_split(run: Run, config: Config, table: Tables) -> str:
    """Return the split of a run that a table belongs to, `train` or `validation`; else "".

    By content, not by path: copies of the training table count, too. So do the training tables of
    the runs that the training continued from, and one common file of tables with several.
    """
    digest = hash_table(table) if tables_exist(table) else ""
    if digest in {earlier["sha256"] for earlier in run.trained_tables}:
        return "train"
    for split in _SEEN_SPLITS:
        if digest == run.record["data"].get(split, {}).get("sha256"):
            return split
    seen = named_tables(config)
    shared = (split for split in _SEEN_SPLITS if split in seen and _share_file(seen[split], table))
    return next(shared, "")


def start_cautions(run: Run, split: str) -> list[str]:
    """Return why scores on a split are optimistic because training continued from a run."""
    if run.start is None or split not in run.start["seen"]:
        return []
    return [START_CAUTIONS[split, run.start["seen"][split]]]


def _share_file(seen: Tables, table: Tables) -> bool:
    """Whether a table of several files that a run has seen shares one of them with a table."""
    if not tables_exist(seen) or not tables_exist(table):
        return False
    seen_files, files = find_files(seen), find_files(table)
    if len(seen_files) == len(files) == 1:
        return False  # compared by their hashes already
    # Only files of the same size are read.
    sizes = [file_size(file.location) for file in files]
    candidates = [file for file in seen_files if file_size(file.location) in sizes]
    known = {hash_files([file]) for file in candidates}
    return bool(known) and any(hash_files([file]) in known for file in files)
