"""Vectors in the plane: PCA or t-SNE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from rich.cells import cell_len

from embedclf.errors import RequestError
from embedclf.system.terminal import shortened_name

if TYPE_CHECKING:
    from embedclf.inference.embeddings import EmbeddingEntry, Embeddings
    from embedclf.system.arrays import Doubles, Floats, Int32s


By = Literal["push", "count"]

Method = Literal["pca", "tsne"]

WIDTH, HEIGHT = 720, 560
"""Of a map, in units."""

_MARGIN = 24

SPOT = 3.0
"""Radius of a spot, in units."""

LETTER, LINE = 6.2, 13.0
"""Width of a letter at most and height of a name, in units."""

GAP = 6.0
"""Between a place and its name."""

_FEWEST = 3

_NEIGHBORS = 30.0
"""About the neighbors that t-SNE keeps near, as its authors have it."""


@dataclass(frozen=True)
class MapPoint:
    """A token or phrase on a map."""

    entry: EmbeddingEntry
    x: float
    y: float
    """In units from the left and the top."""
    name_at: tuple[float, float] | None
    """Where its name begins, and the line that it stands on; None where others left no room."""


@dataclass(frozen=True)
class WordMap:
    """The most decisive or most frequent tokens of a run in the plane."""

    spots: tuple[MapPoint, ...]
    """The most important first."""
    labels: tuple[str, ...]
    method: Method
    shares: tuple[float, ...]
    """Of the variance of the vectors that each direction shows; t-SNE has none."""


def draw_map(
    embeddings: Embeddings,
    most: int,
    *,
    by: By = "push",
    method: Method = "pca",
    phrases: bool = False,
    seed: int = 0,
) -> WordMap:
    """Lay the vectors of tokens out in the plane.

    Args:
        embeddings: Of a run.
        most: How many tokens.
        by: Whether the most decisive ones, by the largest of their pushes, or the most frequent.
        method: Principal components, or t-SNE (van der Maaten and Hinton, Visualizing Data using
            t-SNE, 2008), which keeps near what is near and tells nothing of far.
        phrases: Whether phrases count beside tokens.
        seed: Of t-SNE.

    Raises:
        RequestError: The run knows too few tokens, or not how frequent phrases are.
    """
    numbers = _chosen(embeddings, most, by, phrases=phrases)
    if len(numbers) < _FEWEST:
        raise RequestError(f"a map needs {_FEWEST} tokens, the run knows {len(numbers)}")
    vectors = embeddings.weights.embedding[numbers].astype(np.float64)
    entries = embeddings.entries(numbers)
    places, shares = _principal(vectors) if method == "pca" else _neighborhoods(vectors, seed)
    pushes = np.array([entry.pushes[embeddings.labels.names[-1]] for entry in entries])
    if (places[:, 0] * (pushes - pushes.mean())).sum() < 0:
        places[:, 0] *= -1.0  # the last label's side is the right one
    spots = _spread(places)
    names = _named(spots, [shortened_name(entry.word) for entry in entries])
    return WordMap(
        tuple(
            MapPoint(entry, float(x), float(y), at)
            for entry, (x, y), at in zip(entries, spots, names, strict=True)
        ),
        embeddings.labels.names,
        method,
        shares,
    )


def _chosen(embeddings: Embeddings, most: int, by: By, *, phrases: bool) -> Int32s:
    """The rows of the most important tokens, in order; ids are in the order of counts."""
    numbers = embeddings.numbers(phrases=phrases)
    if by == "push":
        pushes: Floats = embeddings.pushes(embeddings.weights.embedding[numbers])
        numbers = numbers[np.argsort(-pushes.max(axis=1), kind="stable")]
    elif phrases:
        if embeddings.counts is None:
            raise RequestError("the run does not know how often phrases were read; train again")
        numbers = numbers[np.argsort(-embeddings.counts[numbers], kind="stable")]
    return numbers[:most]


def _principal(vectors: Doubles) -> tuple[Doubles, tuple[float, ...]]:
    """Vectors (n, embedding_dim) on their first two principal components, and their shares."""
    centred = vectors - vectors.mean(axis=0)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(vectors), 2))
    places[:, : min(2, len(lengths))] = (left * lengths)[:, :2]
    squares = lengths**2
    return places, tuple((squares[:2] / max(squares.sum(), np.finfo(float).tiny)).tolist())


def _neighborhoods(vectors: Doubles, seed: int) -> tuple[Doubles, tuple[float, ...]]:
    from sklearn.manifold import TSNE

    perplexity = min(_NEIGHBORS, (len(vectors) - 1) / 3)
    begin = "pca" if vectors.shape[1] > 1 else "random"
    tsne = TSNE(init=begin, metric="cosine", perplexity=perplexity, random_state=seed)
    return tsne.fit_transform(vectors).astype(np.float64), ()


def _spread(places: Doubles) -> Doubles:
    """Places (n, 2) in units of the map, each direction stretched to fill it."""
    low, high = places.min(axis=0), places.max(axis=0)
    shares = (places - low) / np.maximum(high - low, np.finfo(float).tiny)  # 0 to 1
    room = np.array([WIDTH - 4 * _MARGIN, HEIGHT - 2 * _MARGIN])
    spread: Doubles = np.array([2 * _MARGIN, _MARGIN]) + room * shares
    return spread


def _named(spots: Doubles, names: list[str]) -> list[tuple[float, float] | None]:
    """Where names stand that cover no other and no spot, those of the first spots first."""
    taken = np.concatenate([spots - SPOT, spots + SPOT], axis=1)  # (boxes, 4)
    placed: list[tuple[float, float] | None] = []
    for (x, y), name in zip(spots, names, strict=True):
        width = LETTER * cell_len(name)
        found = None
        for left, middle in (
            (x + GAP, y),
            (x - GAP - width, y),
            (x - width / 2, y - LINE),
            (x - width / 2, y + LINE),
        ):
            box = np.array([left, middle - LINE / 2, left + width, middle + LINE / 2])
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT
            if inside and not _overlaps(box, taken):
                found = (float(left), float(middle))
                taken = np.concatenate([taken, box[None]])
                break
        placed.append(found)
    return placed


def _overlaps(box: Doubles, others: Doubles) -> bool:
    """Whether a box (left, top, right, bottom) has a part in common with any of others (n, 4)."""
    apart = (
        (box[0] >= others[:, 2])
        | (box[2] <= others[:, 0])
        | (box[1] >= others[:, 3])
        | (box[3] <= others[:, 1])
    )
    return not bool(apart.all())
