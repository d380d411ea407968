"""Columns of a table that could say what its rows belong to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import pc, text_column, to_numpy
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import open_table
from embedclf.text.fingerprints import Fingerprints, fingerprint_strings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.system.arrays import Doubles, Rows
    from embedclf.tables.tables import Table

EMPTY = fingerprint_strings(text_column([""]))[0]
"""The fingerprint of an empty cell."""

MIN_AGREEMENT = 0.5
"""Fleiss' kappa from which labels depend on a column: agreement is moderate, halfway from none to
perfect (Landis and Koch, The Measurement of Observer Agreement for Categorical Data,
1977)."""

_BINS = 5
"""Bins of a numeric column. If labels agree within them, its numbers are measures, not IDs."""

_SAMPLE_ROWS = 1 << 14
"""First rows, which exclude most columns before the whole table is read."""

_MAX_COLUMNS = 1_000
"""Columns of a table that are examined, the first ones."""

_MIN_VALUES = 10
"""Distinct cells of a column of groups."""

_MAX_CELL_LENGTH = 100
"""Average characters of a cell; longer ones are texts."""

_NUMBER = r"^[-+]?[0-9]+([.,][0-9]+)?$"


@dataclass(frozen=True)
class CandidateColumn:
    """The cells of a column that could be one of groups."""

    values: Fingerprints
    """(n,) of the cells without white space around them."""
    numbers: Doubles
    """(n,) NaN for cells that are not numbers."""

    def take(self, rows: Rows) -> CandidateColumn:
        """Select some rows."""
        return CandidateColumn(self.values[rows], self.numbers[rows])

    def is_measure(self, label_keys: Fingerprints) -> bool:
        """Whether similar numbers have similar labels, as in a column of scores or prices."""
        if np.isnan(self.numbers).any():
            return False
        if (self.numbers != np.floor(self.numbers)).any():
            return True
        edges = np.quantile(self.numbers, np.arange(1, _BINS) / _BINS)
        bins = np.searchsorted(edges, self.numbers).astype(np.uint64)
        return measure_agreement(bins, label_keys)[2] >= MIN_AGREEMENT


def find_candidates(table: Table, config: DataConfig) -> list[str]:
    """Find the unused columns of a table whose cells are short and repeat.

    Only its first rows are read.
    """
    used = {*config.text_columns, *config.label_columns, *config.row_columns().values()}
    unused = (
        name
        for name in dict.fromkeys(table.leaves)
        if name not in used and name not in config.fields and table.count_columns(name) == 1
    )
    columns = [*islice(unused, _MAX_COLUMNS)]
    if not columns:
        return []
    batches, rows = list[pa.RecordBatch](), 0
    for batch in _iter_batches(table.tables, columns, config):
        batches.append(batch)
        rows += len(batch)
        if rows >= _SAMPLE_ROWS:
            break
    sample = pa.Table.from_batches(batches)
    return [name for name in columns if _may_be_groups(sample[name])]


def read_columns(
    tables: Tables, columns: Sequence[str], config: DataConfig
) -> dict[str, CandidateColumn]:
    """Read columns of all rows of a table, valid or not; those that it lacks are left out."""
    table = _open(tables, config)
    columns = [name for name in columns if table.count_columns(name) == 1]
    chunks: dict[str, list[CandidateColumn]] = {name: [] for name in columns}
    for batch in _iter_batches(tables, columns, config) if columns else ():
        for name in columns:
            chunks[name].append(_read_cells(batch[name]))
    return {
        name: CandidateColumn(
            np.concatenate([chunk.values for chunk in parts]),
            np.concatenate([chunk.numbers for chunk in parts]),
        )
        for name, parts in chunks.items()
    }


def measure_agreement(values: Fingerprints, label_keys: Fingerprints) -> tuple[int, int, float]:
    """Measure how much more often rows with the same value share their label than other rows.

    This is Fleiss' kappa, with a value as the subject and its rows as raters (Fleiss, Measuring
    Nominal Scale Agreement among Many Raters, 1971). It is weighted by rows, since values differ in
    their number: the probability that another row of the same value has the same label, minus that
    of any other row, relative to 1 minus that. It is 1 if each value has one label. If labels are
    independent of values, its expectation is about 0, however many values there are.

    Args:
        values: (n,)
        label_keys: (n,) equal for equal labels.

    Returns:
        The values that several rows share, these rows, and the agreement; 0 if it is undefined.
    """
    _, value_of, sizes = np.unique(values, return_inverse=True, return_counts=True)
    _, label_of, totals = np.unique(label_keys, return_inverse=True, return_counts=True)
    pairs, counts = np.unique(value_of * len(totals) + label_of, return_counts=True)
    of_pair = sizes[pairs // max(len(totals), 1)]
    shared = int(sizes[sizes > 1].sum())
    if not shared:
        return 0, 0, 0.0
    same = (counts * (counts - 1.0) / np.maximum(of_pair - 1.0, 1.0)).sum() / shared
    chance = (totals * (totals - 1.0)).sum() / (len(values) * (len(values) - 1.0))
    agreement = (same - chance) / (1.0 - chance) if chance < 1.0 else 0.0
    return int((sizes > 1).sum()), shared, float(agreement)


def _open(tables: Tables, config: DataConfig) -> Table:
    # As for training, so that the same rows are found.
    required = list(dict.fromkeys([*config.text_columns, *config.label_columns]))
    return open_table(tables, required, ReadOptions.from_config(config))


def _iter_batches(
    tables: Tables, columns: Sequence[str], config: DataConfig
) -> Iterator[pa.RecordBatch]:
    table = _open(tables, config)
    return (batch for batch, _ in table.iter_batches(columns, as_json=columns))


def _may_be_groups(cells: pa.ChunkedArray) -> bool:
    """Whether some cells repeat, but not all, and are too short for texts."""
    distinct = pc.unique(cells)
    if not _MIN_VALUES <= len(distinct) < len(cells):
        return False
    return bool(pc.mean(pc.utf8_length(distinct)).as_py() <= _MAX_CELL_LENGTH)


def _read_cells(cells: pa.StringArray) -> CandidateColumn:
    encoded = pc.utf8_trim_whitespace(cells).dictionary_encode()  # each distinct cell once
    distinct, codes = encoded.dictionary, to_numpy(encoded.indices)
    numbers = np.full(len(distinct), np.nan)
    is_number = to_numpy(pc.match_substring_regex(distinct, _NUMBER)).view(np.bool_)
    plain = pc.replace_substring(distinct, ",", ".").to_pylist()
    numbers[is_number] = [float(plain[cell]) for cell in np.flatnonzero(is_number)]
    return CandidateColumn(fingerprint_strings(distinct)[codes], numbers[codes])
