"""Uncertain texts that differ from each other."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from embedclf.model.pooling import sum_rows

if TYPE_CHECKING:
    from embedclf.data.labels import Labels, Probabilities
    from embedclf.model.weights import Weights
    from embedclf.system.arrays import Doubles, Floats, Int64s
    from embedclf.text.encodings import TokenIds

Measure = Literal["margin", "entropy"]

_MIN_NORM = 1e-12

_MAX_CLUSTERS = 2_000
"""More would take minutes."""

_MAX_ITERATIONS = 20


def measure_uncertainty(labels: Labels, probabilities: Probabilities, measure: Measure) -> Doubles:
    """Measure how unsure a network is of each text, from 0 to 1 (all labels equally probable).

    Settles, Active Learning Literature Survey, 2009, section 3.1. If rows can have several labels,
    the mean over them.

    Args:
        labels: Of the network.
        probabilities: (n, outputs).
        measure: `margin` is 1 minus the difference of the two largest probabilities, `entropy` that
            of all labels divided by its maximum.

    Returns:
        (n,)
    """
    by_label = labels.label_probabilities(probabilities).astype(np.float64)  # (n, labels)
    if labels.task == "multilabel":
        by_label = np.stack([by_label, 1.0 - by_label], axis=2)  # (n, labels, 2)
    if measure == "margin":
        two = np.partition(by_label, -2, axis=-1)[..., -2:]
        uncertainty: Doubles = 1.0 - (two[..., 1] - two[..., 0])
    else:
        logarithms = np.log(np.where(by_label > 0.0, by_label, 1.0))
        uncertainty = -(by_label * logarithms).sum(axis=-1) / np.log(by_label.shape[-1])
    return uncertainty if uncertainty.ndim == 1 else uncertainty.mean(axis=1)


def text_directions(weights: Weights, ids: TokenIds) -> Floats:
    """Sum the vectors of the tokens and n-grams of each text, scaled to length 1.

    Args:
        weights: Of the network; its pooling makes no difference to the direction, except `max`.
        ids: Of the texts.

    Returns:
        (n, numbers of a vector, kept ones included); zeros for a text whose vectors are zeros.
    """
    sums = sum_rows(weights.embedding, ids)
    directions: Floats = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), _MIN_NORM)
    return directions


def choose_different(directions: Floats, count: int, *, seed: int) -> Int64s:
    """Choose texts that differ from each other and are like many others: one of each cluster.

    Zhdanov, Diverse mini-batch Active Learning, 2019: k-means with a cluster for each text to
    choose; of each cluster, the text nearest to its center.

    Args:
        directions: (n, embedding_dim) of a sample of texts in random order.
        count: Number of texts to choose, at most n.
        seed: Of the first centers.

    Returns:
        (count,) indices: of the largest cluster first, so the first few are a good choice, too.
        Beyond 2,000 clusters, the first other texts of the sample follow.
    """
    clusters = min(count, _MAX_CLUSTERS)
    if count in {0, len(directions)}:
        return np.arange(count)
    nearest = _nearest_to_centers(directions, clusters, seed)
    others = np.setdiff1d(np.arange(len(directions)), nearest)
    return np.concatenate([nearest, others[: count - len(nearest)]])


def _nearest_to_centers(directions: Floats, clusters: int, seed: int) -> Int64s:
    """Return the text nearest to the center of each cluster; fewer if many texts are equal."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    k_means = KMeans(clusters, n_init=1, max_iter=_MAX_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different texts than clusters
        k_means.fit(directions)
    distances = ((directions - k_means.cluster_centers_[k_means.labels_]) ** 2).sum(axis=1)
    by_distance = np.argsort(distances, kind="stable")
    labels = k_means.labels_[by_distance]
    _, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    nearest: Int64s = by_distance[first][np.argsort(-sizes, kind="stable")]
    return nearest
