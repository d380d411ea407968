"""Configs with changed settings, written as edited copies of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from embedclf.config.loading import load_config
from embedclf.tuning.best_trial import write_config
from embedclf.tuning.space import apply_settings

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# Reviews of hotels.
data:
  train: tables/a.csv   # all of them
  text: ["title", 'body']
model: {pooling: average}  # order counts nothing
tune:
  model: {pooling: [max, average]}
"""
SETTINGS = {
    "model.pooling": "max",
    "model.hidden_units": [64, 8],
    "training.learning_rate": 1e-05,
    "training.early_stopping": None,
}


def write(
    folder: Path, text: str, settings: dict[str, Any], overrides: tuple[str, ...] = ()
) -> str:
    source, target = folder / "a.yaml", folder / "made" / "best.yaml"
    source.write_text(text, encoding="utf-8")
    target.parent.mkdir(exist_ok=True)
    config = apply_settings(load_config(source, overrides), settings)
    write_config(
        target, config, source=source, overrides=overrides, settings=settings, comment=["made"]
    )
    assert [file.name for file in target.parent.iterdir()] == ["best.yaml"]
    loaded = load_config(target)
    assert loaded.model_copy(update={"tune": config.tune}) == config
    return target.read_text(encoding="utf-8")


def test_an_edited_config_keeps_its_comments_and_order(tmp_path: Path) -> None:
    assert write(tmp_path, TEXT, SETTINGS) == (
        """\
# made
# Reviews of hotels.
data:
  train: ../tables/a.csv # all of them
  text: ["title", 'body']
model: {pooling: max, hidden_units: [64, 8]} # order counts nothing
tune:
  model: {pooling: [max, average]}
training:
  learning_rate: 1e-05
  early_stopping: null
"""
    )


def test_overrides_are_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = write(tmp_path, TEXT, {}, ("data.validation=v.csv", "model.dropout=0.5", "seed=1"))
    assert "validation: ../v.csv" in written
    assert "dropout: 0.5" in written
    assert "seed: 1" in written


@pytest.mark.parametrize(
    "text",
    [
        "data: &a {train: a.csv}\nmodel: &b {pooling: max}\n",
        "data: {train: a.csv}\nmodel: {}\n",
        "data: {train: a.csv, validation: 0.2}\ntext: {lowercase: false}\n",
        '{"data": {"train": "a.csv"}}',
        "---\ndata: {train: a.csv}\n...\n",
    ],
)
def test_a_config_is_written_whatever_its_yaml_style(tmp_path: Path, text: str) -> None:
    assert "max" in write(tmp_path, text, {"model.pooling": "max"})


def test_a_file_that_cannot_be_edited_is_written_with_all_defaults(tmp_path: Path) -> None:
    text = "data: {train: a.csv, text: &name text, label: label}\nmodel: {dropout: 0.5}\n"
    shared = "data: {train: a.csv}\ntext: &t {lowercase: false}\ntune: {text: {}}\n"
    assert "&name" in write(tmp_path, text, {"model.pooling": "max"})
    assert "lowercase: false" in write(tmp_path, shared, {"model.pooling": "max"})
    tuned = "data: {train: a.csv}\nmodel: &m {}\ntune: {model: *m}\n"
    written = write(tmp_path, tuned, {"model.embedding_dim": 8})
    assert "vocabulary_size: 10000" in written
