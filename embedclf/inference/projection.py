"""Vectors in the plane: PCA or t-SNE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from rich.cells import cell_len

from embedclf.errors import RequestError
from embedclf.system.progress import activity
from embedclf.system.terminal import shorten_name

if TYPE_CHECKING:
    from embedclf.inference.embeddings import EmbeddingEntry, Embeddings
    from embedclf.system.arrays import Doubles, Int32s

    NamePosition = tuple[float, float]


RankBy = Literal["push", "count"]

Method = Literal["pca", "tsne"]

WIDTH, HEIGHT = 720, 560
"""Size of a map, in its own units; so are all lengths below."""

_MARGIN = 24

POINT_RADIUS = 3.0

CHARACTER_WIDTH, LINE_HEIGHT = 6.2, 13.0
"""Of a name: the widest that a character gets, and the height."""

NAME_GAP = 6.0
"""Between a point and its name."""

_MIN_POINTS = 3

_PERPLEXITY = 30.0
"""Roughly the number of neighbors that t-SNE keeps near; its authors' choice."""


@dataclass(frozen=True)
class MapPoint:
    """A token or n-gram on a map."""

    entry: EmbeddingEntry
    x: float
    """From the left."""
    y: float
    """From the top."""
    name_position: NamePosition | None
    """Left end and vertical middle of its name; None if there is no room for it."""


@dataclass(frozen=True)
class WordMap:
    """The most decisive or most frequent tokens of a run in the plane."""

    points: tuple[MapPoint, ...]
    """The most important first."""
    labels: tuple[str, ...]
    method: Method
    explained_variance_ratios: tuple[float, ...]
    """Fraction of the vectors' variance along each axis; empty for t-SNE."""


def build_word_map(
    embeddings: Embeddings,
    limit: int,
    *,
    by: RankBy = "push",
    method: Method = "pca",
    ngrams: bool = False,
    seed: int = 0,
) -> WordMap:
    """Project the vectors of the most important tokens into the plane.

    Args:
        embeddings: Of a run.
        limit: Most tokens to show.
        by: Which tokens are important: those with the largest label contribution (`push`), or the
            most frequent (`count`).
        method: Principal components, or t-SNE (van der Maaten and Hinton, Visualizing Data using
            t-SNE, 2008), which keeps neighbors together; larger distances have no meaning.
        ngrams: Whether to consider n-grams as well as tokens.
        seed: For t-SNE.

    Raises:
        RequestError: The run knows too few tokens, or not how frequent n-grams are.
    """
    rows = _select_rows(embeddings, limit, by, ngrams=ngrams)
    if len(rows) < _MIN_POINTS:
        raise RequestError(
            f"a map needs {_MIN_POINTS} tokens, but the run has {len(rows)}; train on more rows"
        )
    vectors = embeddings.weights.embedding[rows].astype(np.float64)
    entries = embeddings.entries(rows)
    plane, ratios = _project_pca(vectors) if method == "pca" else _project_tsne(vectors, seed)
    last_label = embeddings.labels.names[-1]
    contributions = np.array([entry.label_contributions[last_label] for entry in entries])
    if (plane[:, 0] * (contributions - contributions.mean())).sum() < 0:
        plane[:, 0] *= -1.0  # the sign of an axis is arbitrary: put the last label on the right
    positions = _scale_to_map(plane)
    names = _place_names(positions, [shorten_name(entry.name) for entry in entries])
    return WordMap(
        tuple(
            MapPoint(entry, float(x), float(y), name)
            for entry, (x, y), name in zip(entries, positions, names, strict=True)
        ),
        embeddings.labels.names,
        method,
        ratios,
    )


def _select_rows(embeddings: Embeddings, limit: int, by: RankBy, *, ngrams: bool) -> Int32s:
    """Return the rows of the most important tokens, the most important first.

    Words that are known by their vectors only are left out, as they outnumber those of the texts.
    """
    rows, tokenizer = embeddings.select_rows(ngrams=ngrams), embeddings.tokenizer
    rows = rows[(rows < tokenizer.first_vector_id) | (rows >= tokenizer.first_ngram_id)]
    if by == "push":
        contributions = embeddings.label_contributions(embeddings.weights.embedding[rows])
        rows = rows[np.argsort(-contributions.max(axis=1), kind="stable")]
    elif ngrams:  # without n-grams, rows are in the order of counts
        if embeddings.counts is None:
            raise RequestError(
                "--by count: the run does not record how frequent n-grams are; train again"
            )
        rows = rows[np.argsort(-embeddings.counts[rows], kind="stable")]
    return rows[:limit]


@activity("computing principal components")
def _project_pca(vectors: Doubles) -> tuple[Doubles, tuple[float, ...]]:
    """Project vectors (n, embedding_dim) on their first two principal components.

    Returns:
        (n, 2), and the explained variance ratio of each component.
    """
    # Left singular vectors times singular values are the coordinates on the principal axes
    left, singular_values, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    plane = np.zeros((len(vectors), 2))  # with an embedding_dim of 1, the second axis stays 0
    plane[:, : min(2, len(singular_values))] = (left * singular_values)[:, :2]
    variances = singular_values**2
    total = max(variances.sum(), np.finfo(float).tiny)  # equal vectors have no variance
    return plane, tuple((variances[:2] / total).tolist())


@activity("projecting vectors with t-SNE")
def _project_tsne(vectors: Doubles, seed: int) -> tuple[Doubles, tuple[float, ...]]:
    from sklearn.manifold import TSNE

    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)  # it must be less than n
    # PCA has a second axis only if the vectors have one
    initialization = "pca" if vectors.shape[1] > 1 else "random"
    tsne = TSNE(init=initialization, metric="cosine", perplexity=perplexity, random_state=seed)
    return tsne.fit_transform(vectors).astype(np.float64), ()


def _scale_to_map(plane: Doubles) -> Doubles:
    """Scale positions (n, 2), each axis by itself, to fill the map within its margins."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    fractions = (plane - low) / np.maximum(high - low, np.finfo(float).tiny)  # 0 to 1
    room = np.array([WIDTH - 4 * _MARGIN, HEIGHT - 2 * _MARGIN])
    positions: Doubles = np.array([2 * _MARGIN, _MARGIN]) + room * fractions
    return positions


@activity("placing names")
def _place_names(points: Doubles, names: list[str]) -> list[NamePosition | None]:
    """Place each name next to its point where it covers no point and no name placed before it.

    Args:
        points: (n, 2).
        names: In order of importance, as the first ones find room.
    """
    taken = np.concatenate([points - POINT_RADIUS, points + POINT_RADIUS], axis=1)  # (boxes, 4)
    positions: list[NamePosition | None] = []
    for (x, y), name in zip(points, names, strict=True):
        width = CHARACTER_WIDTH * cell_len(name)
        position = None
        # Right, left, above, below; y grows downward
        for left, middle in (
            (x + NAME_GAP, y),
            (x - NAME_GAP - width, y),
            (x - width / 2, y - LINE_HEIGHT),
            (x - width / 2, y + LINE_HEIGHT),
        ):
            box = np.array([left, middle - LINE_HEIGHT / 2, left + width, middle + LINE_HEIGHT / 2])
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT
            if inside and not _overlaps(box, taken):
                position = (float(left), float(middle))
                taken = np.concatenate([taken, box[None]])
                break
        positions.append(position)
    return positions


def _overlaps(box: Doubles, others: Doubles) -> bool:
    """Return whether a box (left, top, right, bottom) overlaps any of others (n, 4)."""
    apart = (
        (box[0] >= others[:, 2])
        | (box[2] <= others[:, 0])
        | (box[1] >= others[:, 3])
        | (box[3] <= others[:, 1])
    )
    return not bool(apart.all())
