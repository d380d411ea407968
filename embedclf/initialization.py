"""What every network starts from: its first rows, and how far known vectors go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf import naive_bayes, vectorrows
from embedclf.vectorsources import open_source

if TYPE_CHECKING:
    from embedclf.preparation import Prepared
    from embedclf.vectorrows import Coverage
    from embedclf.weights import Floats


@dataclass(frozen=True)
class Initial:
    """What a network starts from; None leaves it to Keras and chance."""

    rows: Floats | None = None
    """(rows, embedding_dim) of the embedding."""
    paces: Floats | None = None
    """(rows,) what the steps of each row are multiplied by; None is 1 for all."""
    coverage: Coverage | None = None
    """None where no source of vectors is named."""


def initialize(prepared: Prepared) -> Initial:
    """Give what `model.initialization` names: the first rows for a vocabulary.

    Raises:
        ConfigError: The source does not fit the config.
        DataError: It cannot be read.
    """
    if prepared.config.model.initialization == "naive_bayes":
        return Initial(*naive_bayes.first_rows(prepared))
    source = open_source(prepared.config.model)
    if source is None:
        return Initial()
    rows, covered = vectorrows.first_rows(prepared, source)
    return Initial(rows, coverage=covered)


def coverage(prepared: Prepared) -> Coverage | None:
    """How far known vectors go, if some are named; raises as `initialize`."""
    source = open_source(prepared.config.model)
    return None if source is None else vectorrows.first_rows(prepared, source)[1]
