"""How far training moved each vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.dataset import VECTORS
from embedclf.errors import RequestError, RunError
from embedclf.inference.embeddings import EmbeddingEntry, Embeddings
from embedclf.system.files import sha256
from embedclf.text.pretrained import open_source
from embedclf.training.initialization import random_rows, rows_of

if TYPE_CHECKING:
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Floats


@dataclass(frozen=True)
class TokenMovement:
    """A token or phrase, and how its vector came to be."""

    entry: EmbeddingEntry
    """What it is after training."""
    before: dict[str, float]
    """By label: its push before training, by the layers behind it as they are now."""
    lengths: tuple[float, float]
    """Of its vector before and after."""
    distance: float
    """Between where it began and where it is."""
    cosine: float
    """Of the angle between the two; 0 is how far two directions by chance are apart."""


@dataclass(frozen=True)
class Movement:
    """How far the vectors of a run have moved."""

    moved: tuple[TokenMovement, ...]
    """Those that moved most, the farthest first."""
    rows: int
    """All that were looked at."""
    median: float
    """Distance of half of them at most."""
    length_before: float
    """Median length of a vector before training."""


def movement(run: Run, most: int, *, phrases: bool = False) -> Movement:
    """Compare the vectors of a run with those that it began with.

    Those are not kept: they are drawn again from the seed, or read again from their source.

    Args:
        run: Of format 4 or later.
        most: How many to tell of.
        phrases: Whether phrases count beside tokens.

    Raises:
        RunError: The run does not tell how it began.
        RequestError: The word vectors that it began with are not there any more, or others.
    """
    embeddings = Embeddings.of(run)
    numbers = embeddings.numbers(phrases=phrases)
    before, after = first_vectors(run, embeddings)[numbers], embeddings.weights.embedding[numbers]
    distances = np.linalg.norm(after - before, axis=1)
    best = np.argsort(-distances, kind="stable")[:most]
    entries = embeddings.entries(numbers[best])
    names = embeddings.labels.names
    lengths = np.linalg.norm(before[best], axis=1), np.linalg.norm(after[best], axis=1)
    products = np.einsum("ij,ij->i", before[best], after[best])
    cosines = products / np.maximum(lengths[0] * lengths[1], np.finfo(np.float32).tiny)
    pushes = embeddings.pushes(before[best]).tolist()
    return Movement(
        tuple(
            TokenMovement(
                entry,
                dict(zip(names, pushes[at], strict=True)),
                (float(lengths[0][at]), float(lengths[1][at])),
                float(distances[best[at]]),
                float(cosines[at]),
            )
            for at, entry in enumerate(entries)
        ),
        rows=len(distances),
        median=float(np.median(distances)) if len(distances) else 0.0,
        length_before=float(np.median(np.linalg.norm(before, axis=1))) if len(before) else 0.0,
    )


def first_vectors(run: Run, embeddings: Embeddings) -> Floats:
    """The vectors (rows, embedding_dim) that a run began with; raises as `movement`."""
    began, config = run.beginnings(), run.config()
    if began is None:
        form = run.record["format"]
        raise RunError(f"{run.path}: format {form} does not tell how vectors began; train again")
    source = open_source(config.model)
    if source is not None:
        if sha256(*source.files) != run.record[VECTORS]["sha256"]:
            raise RequestError(f"{source.name}: not the word vectors that the run began with")
        return rows_of(embeddings.tokenizer, config, source)[1]
    rows = random_rows(embeddings.weights.embedding.shape, config.seed)
    return rows if began.row_learning_rates is None else rows * began.row_learning_rates[:, None]
