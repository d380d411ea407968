"""Logits of validation rows are stored, few or many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.data.labels import Labels
from embedclf.model.probabilities import LazyLogits
from embedclf.runs.classifier_files import ClassifierFiles
from embedclf.runs.validated import ValidatedRows
from embedclf.runs.writer import RunDraft
from tests.text.test_tokenizer import fit

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.model.probabilities import AnyLogits


@pytest.mark.parametrize("outputs", [3, 400])
def test_validated_rows_survive_their_files(tmp_path: Path, outputs: int) -> None:
    rng = np.random.default_rng(outputs)
    features, kernel, bias = (
        rng.normal(0, 1, shape).astype(np.float32) for shape in ((5, 4), (4, outputs), outputs)
    )
    lazy = LazyLogits(features, kernel, bias)
    logits: AnyLogits = lazy if outputs == 400 else np.asarray(lazy)
    names = tuple(f"label {number}" for number in range(outputs))
    labels = Labels("multiclass", names, (2,) * outputs)
    written = ValidatedRows(fit(["a b", "b c"]), labels, np.array([1, 4, 5, 8, 9]), logits)
    written.write(RunDraft(tmp_path))
    read = ValidatedRows.read(ClassifierFiles.of(tmp_path))
    assert (read.tokenizer, read.labels) == (written.tokenizer, labels)
    assert read.positions.tolist() == [1, 4, 5, 8, 9]
    assert isinstance(read.logits, LazyLogits) == (outputs == 400)
    assert np.array_equal(np.asarray(read.logits), np.asarray(lazy))
