"""What every network starts from: the first rows of its embedding, and how far they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.vectorrows import first_rows
from embedclf.vectorsources import open_source

if TYPE_CHECKING:
    from embedclf.preparation import Prepared
    from embedclf.spelling import Floats
    from embedclf.vectorrows import Coverage


@dataclass(frozen=True)
class Initial:
    """What a network starts from."""

    rows: Floats | None = None
    """(rows, embedding_dim) of the embedding; None leaves them to Keras and chance."""
    coverage: Coverage | None = None
    """None where no source of vectors is named."""


def initialize(prepared: Prepared) -> Initial:
    """Give what `model.initialization` names: the first rows of the embedding for a vocabulary.

    Raises:
        ConfigError: The source does not fit the config.
        DataError: It cannot be read.
    """
    source = open_source(prepared.config.model)
    return Initial() if source is None else Initial(*first_rows(prepared, source))
