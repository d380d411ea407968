"""Texts that already have a label: those in the tables of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.config.loading import named_tables
from embedclf.data.labeled import read_labeled
from embedclf.errors import DataError
from embedclf.tables.files import display_tables, tables_exist
from embedclf.text.fingerprints import fingerprint_texts

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.runs.run import Run
    from embedclf.text.fingerprints import Fingerprints
    from embedclf.text.tokenizer import Tokenizer

_LABELED_TABLES = ("train", "validation", "test")


def read_labeled_texts(run: Run, tokenizer: Tokenizer) -> tuple[Fingerprints, list[str]]:
    """Fingerprint the labeled texts of a run's tables, as far as these still exist.

    A run stores no texts. Tables that have changed since are read, too: what they hold is labeled.

    Returns:
        The fingerprints, and a sentence for each table that cannot be read.
    """
    config, found, notes = run.config(), [np.zeros(0, np.uint64)], []
    named = named_tables(config)
    tables = [named[key] for key in _LABELED_TABLES if key in named]
    # A training that continued from another run knows the texts of that run, too.
    tables += [_as_tables(each["path"]) for each in run.trained_tables[:-1]]
    data = config.data.model_copy(update={"skip_invalid": True})
    for table in dict.fromkeys(tables):
        if not tables_exist(table):
            notes.append(_describe_unread(table, "not found"))
            continue
        try:
            found.append(_read_fingerprints(table, data, tokenizer))
        except DataError as error:
            notes.append(_describe_unread(table, str(error)))
    return np.unique(np.concatenate(found)), notes


def _as_tables(stored: str | list[str]) -> Tables:
    return stored if isinstance(stored, str) else tuple(stored)


def _read_fingerprints(table: Tables, data: DataConfig, tokenizer: Tokenizer) -> Fingerprints:
    found = [np.zeros(0, np.uint64)]

    def fingerprint(texts: pa.Array) -> Fingerprints:
        return np.unique(fingerprint_texts(tokenizer.tokenize(texts)))

    read_labeled(table, data, fingerprint, found.append)
    return np.concatenate(found)


def _describe_unread(table: Tables, fault: str) -> str:
    name = display_tables(table)
    fault = fault if fault.startswith(name) else f"{name}: {fault}"
    return f"{fault}; its texts may be suggested again"
