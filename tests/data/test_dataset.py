"""Datasets: what is fitted on training rows only, and opened once."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset, prepare_refit, read_training, with_config
from embedclf.errors import ConfigError
from tests.conftest import write_csv

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
data: {train: train.csv, validation: 0.2}
text: {vocabulary_size: 50}
model: {embedding_dim: 2, initialization: vectors.txt}
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    rows = [(f"{word} {number}", word) for word in ("good", "bad") for number in range(20)]
    write_csv(tmp_path / "train.csv", ["text", "label"], rows)
    (tmp_path / "vectors.txt").write_text("good 1 2\nbad 3 4\n", encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_labels_are_counted_in_the_rows_that_are_not_held_out(
    config_file: Path, tmp_path: Path
) -> None:
    config = load_config(config_file)
    with (tmp_path / "tokens").open("w+b") as file:
        table = read_training(config, file)
    assert table.held_out.sum() == 8
    assert table.labels.counts == (16, 16)
    assert (table.tokenized.rows.positions == np.arange(40)).all()


def test_a_prepared_dataset_keeps_less_than_a_number_per_row_in_memory(config_file: Path) -> None:
    prepare_dataset(load_config(config_file))  # imports what it needs
    rows = [(f"good {row % 997}", ("good", "bad")[row % 2]) for row in range(400_000)]
    write_csv(config_file.with_name("train.csv"), ["text", "label"], rows)
    config = load_config(config_file)
    tracemalloc.start()
    dataset = prepare_dataset(config)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(dataset.train) + len(dataset.validation) == 400_000
    assert kept < 8 * 400_000


def test_a_refit_has_all_rows_and_does_not_read_the_training_table_again(
    config_file: Path, tmp_path: Path
) -> None:
    dataset = prepare_dataset(load_config(config_file))
    write_csv(tmp_path / "train.csv", ["text", "label"], [("other", "new")])
    refitted = prepare_refit(dataset)
    assert not len(refitted.validation)
    assert refitted.labels.counts == (20, 20)
    assert (refitted.train.rows.positions == np.arange(40)).all()
    assert len(refitted.tokenizer.tokens) > len(dataset.tokenizer.tokens)


def test_an_open_source_of_vectors_is_not_opened_again(config_file: Path) -> None:
    config = load_config(config_file)
    dataset = prepare_dataset(config)
    assert dataset.vectors is not None
    assert dataset.vectors.embedding_dim == 2
    again = prepare_refit(dataset)
    assert again.vectors is dataset.vectors
    assert again.hashes()["vectors"] == dataset.hashes()["vectors"]


def test_the_vectors_of_another_config_are_its_own(config_file: Path) -> None:
    dataset = prepare_dataset(load_config(config_file))
    random = load_config(config_file, ["model.initialization=random"])
    assert with_config(dataset, random).vectors is None
    wider = load_config(config_file, ["model.embedding_dim=3"])
    with pytest.raises(ConfigError, match=r"model\.embedding_dim: 3, but vectors of"):
        with_config(dataset, wider)
