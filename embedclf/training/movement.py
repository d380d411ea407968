"""How far training moved each vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.dataset import VECTORS
from embedclf.errors import RequestError, RunError
from embedclf.inference.embeddings import EmbeddingEntry, Embeddings
from embedclf.runs.run import Run
from embedclf.system.files import sha256
from embedclf.system.progress import activity
from embedclf.text.vectors.pretrained import open_vector_source
from embedclf.text.vocabulary import UNKNOWN
from embedclf.training.initialization import random_rows, vector_rows
from embedclf.training.token_vectors import read_token_vectors
from embedclf.training.warm_start import read_start

if TYPE_CHECKING:
    from embedclf.data.start import Start
    from embedclf.system.arrays import Floats


@dataclass(frozen=True)
class TokenMovement:
    """A token or n-gram, and how training changed its vector."""

    entry: EmbeddingEntry
    """After training."""
    before: dict[str, float]
    """By label: its contribution before training, through the trained layers behind it."""
    lengths: tuple[float, float]
    """Norms of its vector before and after training."""
    distance: float
    """Between the vector before and after training."""
    cosine: float
    """Between the vector before and after training; about 0 for two random directions."""


@dataclass(frozen=True)
class Movement:
    """How far training moved the vectors of a run."""

    moved: tuple[TokenMovement, ...]
    """Those that moved most, the farthest first."""
    rows: int
    """All vectors that were compared."""
    median: float
    """Median distance."""
    length_before: float
    """Median norm of a vector before training."""


@activity("comparing vectors")
def measure_movement(run: Run, limit: int, *, ngrams: bool = False) -> Movement:
    """Compare the vectors of a run with its initial ones.

    The initial vectors are not stored. They are drawn again from the seed, or read again from their
    source.

    Args:
        run: Of format 4 or later.
        limit: How many tokens to return.
        ngrams: Whether to compare n-grams, too.

    Raises:
        RunError: The format of the run is too old.
        RequestError: The word vectors that the run started from are missing, or have changed.
    """
    embeddings = Embeddings.from_run(run)
    ids, tokenizer = embeddings.select_rows(ngrams=ngrams), embeddings.tokenizer
    # Words that are known by their vectors only have no trained numbers
    ids = ids[(ids < tokenizer.first_vector_id) | (ids >= tokenizer.first_ngram_id)]
    before, after = initial_vectors(run, embeddings)[ids], embeddings.weights.trained[ids]
    distances = np.linalg.norm(after - before, axis=1)
    farthest = np.argsort(-distances, kind="stable")[:limit]
    norms = np.linalg.norm(before[farthest], axis=1), np.linalg.norm(after[farthest], axis=1)
    products = np.einsum("ij,ij->i", before[farthest], after[farthest])  # (limit,)
    # A vector of zeros has no direction and gets a cosine of 0
    cosines = products / np.maximum(norms[0] * norms[1], np.finfo(np.float32).tiny)
    whole = embeddings.weights.embedding[ids[farthest]]
    whole[:, embeddings.weights.kept_dim :] = before[farthest]
    contributions = embeddings.label_contributions(whole).tolist()
    names = embeddings.labels.names
    return Movement(
        tuple(
            TokenMovement(
                entry,
                dict(zip(names, contributions[number], strict=True)),
                (float(norms[0][number]), float(norms[1][number])),
                float(distances[farthest[number]]),
                float(cosines[number]),
            )
            for number, entry in enumerate(embeddings.entries(ids[farthest]))
        ),
        rows=len(distances),
        median=float(np.median(distances)) if len(distances) else 0.0,
        length_before=float(np.median(np.linalg.norm(before, axis=1))) if len(before) else 0.0,
    )


def initial_vectors(run: Run, embeddings: Embeddings) -> Floats:
    """Return the vectors (vocabulary_rows, embedding_dim) that a run started from.

    Raises:
        RunError: As `measure_movement`.
        RequestError: As `measure_movement`.
    """
    rows = _drawn_vectors(run, embeddings)
    if run.start is not None:
        start = _read_start_of(run)
        old, new = start.trained_ids_in(embeddings.tokenizer)
        rows[new] = start.embedding[old]
    return rows


def _read_start_of(run: Run) -> Start:
    """Read the run that a training continued from.

    Raises:
        RequestError: It is missing, or has changed.
    """
    assert run.start is not None  # noqa: S101 - the caller has checked
    path = Path(run.start["run"])
    try:
        start = read_start(Run.open(path))
    except RunError as error:
        raise RequestError(
            f"{run.path} continued from a run that is needed here: {error}"
        ) from error
    if start.sha256 != run.start["sha256"]:
        raise RequestError(
            f"{path}: not the run that {run.path} continued from; restore it, or train again"
        )
    return start


def _drawn_vectors(run: Run, embeddings: Embeddings) -> Floats:
    """Return the vectors that a training starts from if it continues from no run."""
    statistics, config = run.row_statistics(), run.config()
    if statistics is None:
        form = run.record["format"]
        raise RunError(
            f"{run.path}: runs of format {form} do not store how vectors were initialized; "
            "train again"
        )
    source = open_vector_source(config.model)
    if source is not None:
        if sha256(*source.files) != run.record.get(VECTORS, {}).get("sha256"):
            raise RequestError(
                f"{source.name}: not the word vectors that the run started from; "
                "restore the file, or train again"
            )
        vectors = read_token_vectors(embeddings.tokenizer, source)
        return vector_rows(embeddings.tokenizer, config, vectors)
    rows = random_rows(embeddings.weights.trained.shape, config.seed)
    if not statistics.counts[UNKNOWN]:  # before format 7 it was random, but it is not compared
        rows[UNKNOWN] = 0.0
    # naive_bayes scales a row's start and its updates by the same factor
    learning_rates = statistics.row_learning_rates
    return rows if learning_rates is None else rows * learning_rates[:, None]
