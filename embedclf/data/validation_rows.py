"""The rows of a training table that are held out for validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.stratified import stratified_split
from embedclf.errors import DataError
from embedclf.system.terminal import format_count
from embedclf.tables.files import display_tables

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from embedclf.system.arrays import Int64s, Mask
    from embedclf.text.fingerprints import Fingerprints


def choose_validation_rows(fingerprints: Fingerprints, strata: Int64s, config: Config) -> Mask:
    """Choose the rows to hold out for validation; none if validation has its own table.

    Args:
        fingerprints: (n,) equal for equal texts, which stay together.
        strata: (n,) the stratum of each row.
        config: Its fraction of validation rows and its seed.

    Raises:
        DataError: There are too few different texts to hold any out.
    """
    if not isinstance(config.data.validation, float):
        return np.zeros(len(fingerprints), np.bool_)
    mask = stratified_split(fingerprints, strata, fraction=config.data.validation, seed=config.seed)
    if not mask.any():
        raise DataError(_describe_too_few(fingerprints, strata, config))
    return mask


def _describe_too_few(fingerprints: Fingerprints, strata: Int64s, config: Config) -> str:
    """Explain why no validation rows could be held out."""
    table = display_tables(config.data.train)
    rows = np.unique(strata, return_counts=True)[1]
    if len(rows) > 2 and np.mean(rows == 1) > 0.5:
        columns = ", ".join(map(repr, config.data.label_columns))
        return (
            f"{table}: {np.count_nonzero(rows == 1):,} of {format_count(len(rows), 'label')} in "
            f"{columns} have a single row, so no validation rows can be held out; choose another "
            "label column (--label or data.label), or add rows"
        )
    return (
        f"{table}: too few texts to hold out validation rows (of "
        f"{format_count(len(np.unique(fingerprints)), 'different text')}); "
        "add rows, raise data.validation, or set it to a file"
    )
