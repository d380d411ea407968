"""How long the rows of a training step are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.training.steps.training_rows import has_large_steps, row_length
from tests.training.test_loop import prepare

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("pooling", ["average", "sqrt"])
def test_averaged_rows_have_no_padding(project: Path, pooling: str) -> None:
    dataset = prepare(project, "multiclass", f"model.pooling={pooling}")
    assert row_length(dataset) == np.mean(dataset.train.ids.lengths)


def test_a_row_of_flatten_has_the_length_of_the_input(project: Path) -> None:
    dataset = prepare(project, "binary", "model.pooling=flatten", "text.sequence_length=321")
    assert dataset.train.ids.lengths.max() < row_length(dataset) == 321


def test_a_row_of_max_has_about_the_longest_length_of_a_step(project: Path) -> None:
    one, all_rows = (
        prepare(project, "multilabel", "model.pooling=max", f"training.batch_size={batch_size}")
        for batch_size in (1, 10_000)
    )
    assert row_length(one) == one.train.ids.lengths.min()
    assert row_length(all_rows) == pytest.approx(one.train.ids.lengths.max(), rel=0.01)


def test_padding_makes_a_step_large(project: Path) -> None:
    dataset = prepare(project, "binary", "model.pooling=flatten")
    padded = prepare(project, "binary", "model.pooling=flatten", "text.sequence_length=9000")
    assert not has_large_steps(dataset)
    assert has_large_steps(padded)
