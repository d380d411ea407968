"""Rules from what a table holds to a config."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.autoconfig.column_profiles import ColumnProfile
from embedclf.autoconfig.column_roles import ColumnRoles
from embedclf.autoconfig.rules import choose
from embedclf.autoconfig.sibling_tables import SiblingTables
from embedclf.autoconfig.table_statistics import TableStatistics
from embedclf.config.schema import Config, DataConfig
from embedclf.data.labels import Labels

TEXT = ColumnProfile("text", "words", 100, 100, 100, 50.0, 1.0, holds_its_name=False)
LABEL = replace(TEXT, name="label", different=2)


def survey(
    rows: int = 10_000, *, tokens: int = 20, labels: tuple[int, ...] | None = None, kinds: int = 50
) -> TableStatistics:
    """A table of texts of equal length."""
    counts = labels or (rows - rows // 2, rows // 2)
    names = tuple(f"label {number}" for number in range(len(counts)))
    return TableStatistics(
        rows=rows,
        skipped=0,
        form="comma, utf-8",
        labels=Labels("binary" if len(counts) == 2 else "multiclass", names, counts),
        cells=len(counts),
        separator=None,
        unit="word",
        lengths=np.array([0] * tokens + [rows]),
        frequencies=np.full(kinds, max(1, rows * tokens // kinds)),
    )


def chosen(given: TableStatistics) -> dict[str, Any]:
    config = DataConfig(train=Path("t.csv"))
    choices = choose(config, ColumnRoles((TEXT,), (LABEL,)), given, SiblingTables())
    return {choice.path: choice.value for choice in choices}


@given(
    rows=st.integers(2, 10_000_000),
    tokens=st.integers(1, 5_000),
    labels=st.integers(2, 300),
    kinds=st.integers(1, 400_000),
)
def test_any_table_gets_a_config_within_bounds(
    rows: int, tokens: int, labels: int, kinds: int
) -> None:
    values = chosen(survey(rows, tokens=tokens, labels=(rows,) * labels, kinds=kinds))
    sections: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        section, _, key = path.partition(".")
        sections.setdefault(section, {})[key] = value
    config = Config.model_validate(sections)
    assert 32 <= config.training.batch_size <= 512
    assert config.text.sequence_length <= 1_000
    assert 3 <= config.text.vocabulary_size <= 200_002
    assert 3 <= config.training.epochs <= 100
    assert config.text.ngram_vocabulary_size * config.model.embedding_dim <= 32_000_000


@pytest.mark.parametrize(
    ("rows", "share"),
    [(100, 0.2), (1_999, 0.2), (2_000, 0.1), (10_000, 0.1), (25_000, 0.04), (9_000_000, 0.01)],
)
def test_enough_rows_are_held_out_and_no_more(rows: int, share: float) -> None:
    assert chosen(survey(rows))["data.validation"] == share


def test_few_passes_over_many_tokens() -> None:
    small, large = chosen(survey(100_000, tokens=20)), chosen(survey(100_000, tokens=21))
    assert small["training.epochs"] == 20
    assert "training.schedule" not in small
    assert (large["training.epochs"], large["training.schedule"]) == (3, "linear")
    many = chosen(survey(100_000, tokens=21, labels=(1_000,) * 21))
    assert (many["training.epochs"], many["training.schedule"]) == (5, "linear")


def test_large_tables_of_one_label_a_row_get_a_temperature() -> None:
    small, large = survey(100_000, tokens=20), survey(100_000, tokens=21)
    assert "training.calibration" not in chosen(small)
    assert chosen(large)["training.calibration"] == "temperature"
    assert "training.calibration" not in chosen(multilabel(large))


@pytest.mark.parametrize(("rows", "refit"), [(100, True), (22_000, True), (23_000, None)])
def test_tables_that_much_is_held_out_of_are_refitted(rows: int, refit: bool | None) -> None:
    assert chosen(survey(rows)).get("training.refit") is refit


def multilabel(given: TableStatistics) -> TableStatistics:
    return replace(given, labels=replace(given.labels, task="multilabel"))


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        (survey(4_000), ("sqrt", 16, 0.0, 0.001)),
        (survey(20_000, labels=(4_000,) * 5), ("sqrt", 16, 0.0, 0.001)),
        (survey(200_000, labels=(4_000,) * 5), ("sqrt", 16, 0.0, 0.002)),
        (survey(20_000, labels=(1_000,) * 6), ("sqrt", 64, 0.5, 0.001)),
        (survey(20_000, labels=(1_000,) * 21), ("sqrt", 128, 0.5, 0.002)),
        (survey(200_000, labels=(1_000,) * 21), ("sqrt", 128, 0.5, 0.003)),
        (multilabel(survey(20_000, labels=(1_000,) * 6)), ("sqrt", 64, 0.3, 0.001)),
        (multilabel(survey(20_000, labels=(1_000,) * 5)), ("sqrt", 16, 0.0, 0.001)),
    ],
)
def test_the_network_by_labels_and_length(
    given: TableStatistics, settings: tuple[str, int, float, float]
) -> None:
    keys = ("model.pooling", "model.embedding_dim", "model.dropout", "training.learning_rate")
    values = {"model.dropout": 0.0, **chosen(given)}
    assert tuple(values[key] for key in keys) == settings
    assert values["model.initialization"] == "naive_bayes"


def test_one_threshold_for_all_of_several_labels_is_chosen() -> None:
    given = survey()
    assert chosen(multilabel(given))["training.threshold"] == "micro_f1"
    assert "training.threshold" not in chosen(given)
    assert "training.class_weight" not in chosen(multilabel(given))


def test_runs_of_three_tokens_count_in_long_texts() -> None:
    assert chosen(survey(tokens=200))["text.ngrams"] == 2
    assert chosen(survey(tokens=201))["text.ngrams"] == 3


def test_runs_of_characters_know_the_parts_of_many_words() -> None:
    values = chosen(replace(survey(tokens=60), unit="character", words=survey(kinds=500_000)))
    assert (values["text.unit"], values["text.ngrams"]) == ("character", 4)


@pytest.mark.parametrize(
    ("rows", "batch"), [(10, 32), (31_999, 32), (32_000, 64), (256_000, 512), (10**7, 512)]
)
def test_steps_of_an_epoch_are_bounded(rows: int, batch: int) -> None:
    assert chosen(survey(rows))["training.batch_size"] == batch


def test_classes_are_balanced_where_one_drowns_the_others() -> None:
    assert chosen(survey(1_000, labels=(899, 101)))["training.class_weight"] == "none"
    assert chosen(survey(1_000, labels=(900, 100)))["training.class_weight"] == "balanced"


def test_tokens_that_come_once_are_left_out_unless_all_do() -> None:
    some = replace(survey(), frequencies=np.array([9, 2, 1, 1]))
    values = chosen(some)
    assert (values["text.vocabulary_size"], values["text.min_count"]) == (4, 2)
    once = replace(survey(), frequencies=np.ones(7, np.int64))
    values = chosen(once)
    assert (values["text.vocabulary_size"], values.get("text.min_count", 1)) == (9, 1)


def test_lengths_are_read_from_the_99th_percentile() -> None:
    lengths = np.zeros(40, np.int64)
    lengths[[3, 12, 39]] = 50, 49, 1
    assert chosen(replace(survey(100), lengths=lengths))["text.sequence_length"] == 12
    lengths[[12, 39]] = 48, 2
    assert chosen(replace(survey(100), lengths=lengths))["text.sequence_length"] == 39
