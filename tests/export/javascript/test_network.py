"""The network of the module computes what `Weights` computes, whatever its layers are."""

from __future__ import annotations

import itertools
import random
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.data.labels import Labels
from embedclf.export.javascript.model_files import write_model
from embedclf.model.classifier import Classifier
from embedclf.model.weights import Weights
from embedclf.text.ngrams import Ngrams
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.export.javascript.engines import Node, in_node
from tests.export.javascript.test_characters import MODULE

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.system.arrays import Floats

TOKENS = tuple("abcdefgh")
LENGTH = 300
BIGRAMS = Ngrams.from_pairs(2, np.array([0, 2, 3, 4], np.int32), np.array([2, 3, 0, 9], np.int32))
POOLINGS = ("average", "sqrt", "max", "flatten")
COLUMNS = {"text": ["text"], "fields": [], "constants": {}}


def make_classifier(pooling: str, kept_dim: int, units: tuple[int, ...]) -> Classifier:
    """A classifier with random weights; two of its tokens are known by kept vectors alone."""
    generator = np.random.default_rng(7)

    def normal(*shape: int) -> Floats:
        return generator.normal(size=shape).astype(np.float32)

    ngrams = Ngrams() if pooling == "flatten" else BIGRAMS
    tokenizer = Tokenizer(TokenRules(), LENGTH, TOKENS, ngrams, vector_words=2)
    positions = LENGTH if pooling == "flatten" else 1
    kept = normal(tokenizer.first_ngram_id, kept_dim) if kept_dim else None
    sizes = (positions * (kept_dim + 6), *units)
    dense = tuple(
        (normal(*pair) / np.sqrt(np.float32(pair[0])), normal(pair[1]))
        for pair in itertools.pairwise(sizes)
    )
    trained = normal(tokenizer.vocabulary_rows, 6)
    weights = Weights.from_layers(pooling, trained, dense, kept=kept)
    labels = Labels("multiclass", tuple(f"label {n}" for n in range(units[-1])), ())
    return Classifier(tokenizer, labels, weights)


@in_node
@pytest.mark.parametrize("units", [(3,), (9,), (4, 3), (9, 5, 3)], ids=str)
@pytest.mark.parametrize("kept_dim", [0, 5])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_any_network_gives_the_same_probabilities(
    pooling: str, kept_dim: int, units: tuple[int, ...], node: Node, tmp_path: Path
) -> None:
    classifier = make_classifier(pooling, kept_dim, units)
    description: dict[str, Any] = {"task": "multiclass", "labels": list(classifier.labels.names)}
    description |= {"thresholds": [], "calibration": None, "columns": COLUMNS}
    write_model(tmp_path, description, classifier.tokenizer, classifier.weights)
    shutil.copy(MODULE, tmp_path)
    letters = random.Random(3)  # noqa: S311 - no secret
    sizes = (0, 1, 2, 7, 8, 9, 17, 130, LENGTH, LENGTH + 1, 2 * LENGTH)
    texts = [" ".join(letters.choices("abcdefghz", k=size)) for size in sizes]
    ids = classifier.tokenizer.encode(texts).ids
    assert node.call(tmp_path, "tokenIds", texts) == [each.tolist() for each in ids]
    found = np.array(node.call(tmp_path, "probabilities", texts))
    assert np.abs(found - classifier.predict_proba(texts)).max() <= 1e-6
