"""Rules from table statistics to settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.autoconfig.columns.profiles import ColumnProfile
from embedclf.autoconfig.columns.roles import ColumnRoles
from embedclf.autoconfig.evidence import Evidence
from embedclf.autoconfig.rules import choose_settings
from embedclf.autoconfig.sibling_tables import SiblingTables
from embedclf.autoconfig.table_statistics import TableStatistics
from embedclf.config.schema import Config, auto_keys
from embedclf.data.labels import Labels

TEXT = ColumnProfile("text", "words", 100, 100, 100, 50.0, 1.0, contains_own_name=False)
LABEL = replace(TEXT, name="label", distinct=2)


def make_statistics(
    rows: int = 10_000,
    *,
    tokens: int = 20,
    labels: tuple[int, ...] | None = None,
    distinct_tokens: int = 50,
) -> TableStatistics:
    """A table of texts of equal length."""
    counts = labels or (rows - rows // 2, rows // 2)
    names = tuple(f"label {number}" for number in range(len(counts)))
    frequencies = np.full(distinct_tokens, max(1, rows * tokens // distinct_tokens))
    return TableStatistics(
        rows=rows,
        skipped=0,
        description="comma, utf-8",
        labels=Labels("binary" if len(counts) == 2 else "multiclass", names, counts),
        distinct_cells=len(counts),
        separator=None,
        unit="word",
        length_counts=np.array([0] * tokens + [rows]),
        frequencies=frequencies,
        word_counts=frequencies,
    )


def make_evidence(statistics: TableStatistics, **sections: dict[str, Any]) -> Evidence:
    """Evidence of a config of some written keys, by section."""
    config = Config.model_validate({"data": {"train": "t.csv"}, **sections})
    roles = ColumnRoles((TEXT,), (LABEL,))
    return Evidence(config, config.written(), roles, statistics, SiblingTables(), {})


def values_of(evidence: Evidence) -> dict[str, Any]:
    return {setting.key: setting.value for setting in choose_settings(evidence)}


def choose(statistics: TableStatistics, **sections: dict[str, Any]) -> dict[str, Any]:
    """Choose settings for a config of some written keys, by section."""
    return values_of(make_evidence(statistics, **sections))


@given(
    rows=st.integers(2, 10_000_000),
    tokens=st.integers(1, 5_000),
    labels=st.integers(2, 300),
    distinct_tokens=st.integers(1, 400_000),
)
def test_any_table_gets_a_config_within_bounds(
    rows: int, tokens: int, labels: int, distinct_tokens: int
) -> None:
    statistics = make_statistics(
        rows, tokens=tokens, labels=(rows,) * labels, distinct_tokens=distinct_tokens
    )
    values = choose(statistics)
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
    ("rows", "fraction"),
    [(100, 0.2), (1_999, 0.2), (2_000, 0.1), (10_000, 0.1), (25_000, 0.04), (9_000_000, 0.01)],
)
def test_enough_rows_are_held_out_but_not_more(rows: int, fraction: float) -> None:
    assert choose(make_statistics(rows))["data.validation"] == fraction


@pytest.mark.parametrize(
    ("rows", "epochs"), [(10, 100), (2_000, 100), (2_001, 99), (9_524, 20), (100_000, 20)]
)
def test_small_tables_get_more_epochs(rows: int, epochs: int) -> None:
    assert choose(make_statistics(rows))["training.epochs"] == epochs


def test_large_tables_get_few_epochs() -> None:
    small = choose(make_statistics(100_000, tokens=20))
    large = choose(make_statistics(100_000, tokens=21))
    assert small["training.epochs"] == 20
    assert small["training.schedule"] == "constant"
    assert (large["training.epochs"], large["training.schedule"]) == (3, "linear")
    many = choose(make_statistics(100_000, tokens=21, labels=(1_000,) * 21))
    assert (many["training.epochs"], many["training.schedule"]) == (5, "linear")


def test_large_single_label_tables_are_calibrated_by_a_temperature() -> None:
    small, large = make_statistics(100_000, tokens=20), make_statistics(100_000, tokens=21)
    assert choose(small)["training.calibration"] == "none"
    assert choose(large)["training.calibration"] == "temperature"
    assert choose(as_multilabel(large))["training.calibration"] == "none"


@pytest.mark.parametrize(("rows", "refit"), [(100, True), (22_000, True), (23_000, False)])
def test_the_network_is_refit_where_much_is_held_out(rows: int, refit: bool) -> None:
    assert choose(make_statistics(rows))["training.refit"] is refit


def as_multilabel(statistics: TableStatistics) -> TableStatistics:
    return replace(statistics, labels=replace(statistics.labels, task="multilabel"))


@pytest.mark.parametrize(
    ("statistics", "settings"),
    [
        (make_statistics(5_000), ("sqrt", 16, 0.0, 0.001)),
        (make_statistics(5_001), ("sqrt", 4, 0.0, 0.002)),
        (make_statistics(200_000), ("sqrt", 4, 0.0, 0.004)),
        (make_statistics(20_000, labels=(4_000,) * 5), ("sqrt", 8, 0.0, 0.002)),
        (make_statistics(200_000, labels=(4_000,) * 5), ("sqrt", 8, 0.0, 0.004)),
        (make_statistics(5_000, labels=(500,) * 6), ("sqrt", 64, 0.5, 0.001)),
        (make_statistics(20_000, labels=(1_000,) * 6), ("sqrt", 32, 0.5, 0.0015)),
        (make_statistics(200_000, labels=(1_000,) * 6), ("sqrt", 32, 0.5, 0.003)),
        (make_statistics(20_000, labels=(1_000,) * 21), ("sqrt", 128, 0.5, 0.002)),
        (make_statistics(200_000, labels=(1_000,) * 21), ("sqrt", 128, 0.5, 0.003)),
        (as_multilabel(make_statistics(20_000, labels=(1_000,) * 6)), ("sqrt", 32, 0.3, 0.0015)),
        (as_multilabel(make_statistics(20_000, labels=(1_000,) * 5)), ("sqrt", 8, 0.0, 0.002)),
    ],
)
def test_the_network_depends_on_the_labels_and_tokens(
    statistics: TableStatistics, settings: tuple[str, int, float, float]
) -> None:
    keys = ("model.pooling", "model.embedding_dim", "model.dropout", "training.learning_rate")
    values = {"model.dropout": 0.0, **choose(statistics)}
    assert tuple(values[key] for key in keys) == settings
    assert values["model.initialization"] == "naive_bayes"


@pytest.mark.parametrize(
    "written",
    [
        {"model": {"hidden_units": [32]}},
        {"model": {"pooling": "average"}},
        {"training": {"optimizer": "adagrad"}},
        {"tune": {"model": {"hidden_units": [[], [32]]}}},
        {"model": {"initialization": "random"}},
        {"tune": {"model": {"embedding_dim": [8, 64]}}},
    ],
)
def test_other_networks_get_more_numbers_per_token(written: dict[str, dict[str, Any]]) -> None:
    assert choose(make_statistics(), **written)["model.embedding_dim"] == 16


@pytest.mark.parametrize(
    ("rows", "labels", "embedding_dim", "learning_rate"),
    [
        (20_000, 2, 16, 0.001),
        (20_000, 2, 5, 0.001),
        (20_000, 2, 4, 0.002),
        (3_000, 2, 4, 0.002),
        (200_000, 5, 8, 0.004),
        (3_000, 6, 64, 0.001),
        (3_000, 6, 8, 0.0015),
    ],
)
def test_few_written_numbers_per_token_get_larger_steps(
    rows: int, labels: int, embedding_dim: int, learning_rate: float
) -> None:
    statistics = make_statistics(rows, labels=(rows // labels,) * labels)
    values = choose(statistics, model={"embedding_dim": embedding_dim})
    assert values["training.learning_rate"] == learning_rate


def test_multilabel_tables_get_one_threshold() -> None:
    statistics = make_statistics()
    assert choose(as_multilabel(statistics))["training.threshold"] == "micro_f1"
    assert choose(statistics)["training.threshold"] == 0.5
    assert choose(as_multilabel(statistics))["training.class_weight"] == "none"


def test_long_texts_get_trigrams() -> None:
    assert choose(make_statistics(tokens=200))["text.ngrams"] == 2
    assert choose(make_statistics(tokens=201))["text.ngrams"] == 3


def test_character_ngrams_replace_too_many_words() -> None:
    by_words = make_statistics(distinct_tokens=500_000)
    values = choose(replace(make_statistics(tokens=60), unit="character", by_words=by_words))
    assert (values["text.unit"], values["text.ngrams"]) == ("character", 4)


@pytest.mark.parametrize(
    ("rows", "batch"), [(10, 32), (31_999, 32), (32_000, 64), (256_000, 512), (10**7, 512)]
)
def test_the_batch_size_bounds_the_steps_per_epoch(rows: int, batch: int) -> None:
    assert choose(make_statistics(rows))["training.batch_size"] == batch


def test_classes_are_balanced_if_one_dominates() -> None:
    assert choose(make_statistics(1_000, labels=(899, 101)))["training.class_weight"] == "none"
    assert choose(make_statistics(1_000, labels=(900, 100)))["training.class_weight"] == "balanced"


def test_with_few_rows_classes_are_balanced_from_80_percent() -> None:
    assert choose(make_statistics(999, labels=(799, 200)))["training.class_weight"] == "none"
    assert choose(make_statistics(999, labels=(800, 199)))["training.class_weight"] == "balanced"
    few = as_multilabel(make_statistics(999, labels=(950, 49)))
    assert choose(few)["training.class_weight"] == "none"


def test_tokens_that_occur_once_are_left_out_unless_all_do() -> None:
    some = replace(make_statistics(), frequencies=np.array([100_000, 2, 1, 1]))
    values = choose(some)
    assert (values["text.vocabulary_size"], values["text.min_count"]) == (4, 2)
    once = replace(make_statistics(), frequencies=np.ones(7, np.int64))
    values = choose(once)
    assert (values["text.vocabulary_size"], values.get("text.min_count", 1)) == (9, 1)


@pytest.mark.parametrize(
    ("tokens", "length", "unit", "min_count"),
    [
        (49_999, 200, "word", 1),
        (50_000, 200, "word", 2),
        (49_999, 201, "word", 5),
        (49_999, 200, "character", 2),
    ],
)
def test_tokens_that_occur_once_are_kept_if_texts_are_short_and_few(
    tokens: int, length: int, unit: Literal["word", "character"], min_count: int
) -> None:
    frequencies = np.array([tokens - 2, 1, 1])
    statistics = replace(make_statistics(tokens=length), frequencies=frequencies, unit=unit)
    values = choose(statistics)
    assert values["text.min_count"] == min_count
    assert values["text.vocabulary_size"] == (5 if min_count == 1 else 3)


@pytest.mark.parametrize(
    ("rows", "length", "unit", "min_count"),
    [
        (1_000, 201, "word", 5),
        (999, 201, "word", 2),
        (1_000, 200, "word", 2),
        (1_000, 201, "character", 2),
    ],
)
def test_rare_tokens_and_ngrams_are_left_out_of_many_long_texts(
    rows: int, length: int, unit: Literal["word", "character"], min_count: int
) -> None:
    frequencies = np.array([160_000, 5, 4, 1])
    statistics = make_statistics(rows, tokens=length)
    statistics = replace(statistics, frequencies=frequencies, unit=unit)
    values = choose(statistics)
    assert values["text.min_count"] == min_count
    assert values["text.vocabulary_size"] == (4 if min_count == 5 else 5)


def test_rare_tokens_are_kept_where_they_make_up_much_of_the_texts() -> None:
    frequencies = np.array([100_000, *[4] * 25_000, 1])
    statistics = replace(make_statistics(1_000, tokens=201), frequencies=frequencies)
    assert choose(statistics)["text.min_count"] == 2


FEW = {
    "training.epochs_by": "cross_validation",
    "training.early_stopping": 10,
    "training.learning_rate": 0.003,
    "training.calibration": "temperature",
}
ENOUGH = {
    "training.epochs_by": "validation",
    "training.early_stopping": 3,
    "training.learning_rate": 0.001,
    "training.calibration": "none",
}


def chosen_of(statistics: TableStatistics, **sections: dict[str, Any]) -> dict[str, Any]:
    """The settings that few rows change."""
    values = choose(statistics, **sections)
    return {key: values[key] for key in FEW}


def test_fewer_than_1000_rows_choose_epochs_by_cross_validation() -> None:
    assert chosen_of(make_statistics(999)) == FEW
    assert chosen_of(make_statistics(1_000)) == ENOUGH


def test_texts_that_a_teacher_labels_count_as_rows() -> None:
    statistics = replace(make_statistics(100), taught=899)
    # A teacher has seen the training rows, so that they cannot be left out in turn
    taught = {"training.calibration": "none", "training.epochs_by": "validation"}
    assert chosen_of(statistics) == FEW | taught
    assert chosen_of(replace(statistics, taught=900)) == ENOUGH


def test_no_rows_are_left_out_in_turn_where_the_table_says_what_validates() -> None:
    by_time = {"train": "t.csv", "time": "day"}
    validation = FEW | {"training.epochs_by": "validation"}
    assert chosen_of(make_statistics(100), data=by_time) == validation
    evidence = make_evidence(make_statistics(100))
    with_table = replace(evidence, siblings=SiblingTables(validation="v.csv"))
    assert values_of(evidence)["training.epochs_by"] == "cross_validation"
    assert values_of(with_table)["training.epochs_by"] == "validation"


def test_other_poolings_and_optimizers_keep_their_rate_with_few_rows() -> None:
    average = chosen_of(make_statistics(100), model={"pooling": "average"})
    assert average["training.learning_rate"] == 0.003
    rmsprop = chosen_of(make_statistics(100), training={"optimizer": "rmsprop"})
    assert rmsprop["training.learning_rate"] == 0.001


def test_few_rows_with_several_labels_each_or_of_many_labels_are_not_calibrated() -> None:
    values = chosen_of(as_multilabel(make_statistics(100)))
    assert values == FEW | {"training.calibration": "none"}
    for labels, calibration in ((20, "temperature"), (21, "none")):
        values = chosen_of(make_statistics(100, labels=(5,) * labels))
        assert values["training.calibration"] == calibration


def test_the_limit_of_epochs_names_the_patience_that_is_written() -> None:
    assert choose(make_statistics(100))["training.epochs"] == 100
    evidence = make_evidence(make_statistics(100), training={"early_stopping": 7})
    [epochs] = [each for each in choose_settings(evidence) if each.key == "training.epochs"]
    assert epochs.reason == "an upper limit; training stops after 7 epochs without improvement"


def test_the_sequence_length_is_the_99th_percentile() -> None:
    length_counts = np.zeros(40, np.int64)
    length_counts[[3, 12, 39]] = 50, 49, 1
    statistics = replace(make_statistics(100), length_counts=length_counts)
    assert choose(statistics)["text.sequence_length"] == 12
    length_counts[[12, 39]] = 48, 2
    assert choose(statistics)["text.sequence_length"] == 39


def test_every_key_that_can_be_auto_is_chosen() -> None:
    assert set(auto_keys()) <= set(choose(make_statistics()))


def test_flatten_pooling_gets_no_ngrams_and_a_usual_rate() -> None:
    values = choose(make_statistics(), model={"pooling": "flatten"}, text={"sequence_length": 10})
    assert (values["text.ngrams"], values["training.learning_rate"]) == (1, 0.003)
    tried = choose(make_statistics(), tune={"model": {"pooling": ["flatten", "sqrt"]}})
    assert (tried["text.ngrams"], tried["model.pooling"]) == (1, "sqrt")


def test_wide_vectors_leave_room_for_fewer_ngrams() -> None:
    values = choose(make_statistics(), model={"embedding_dim": 320})
    assert values["text.ngram_vocabulary_size"] == 100_000


def test_a_written_min_count_decides_the_vocabulary() -> None:
    statistics = replace(make_statistics(), frequencies=np.array([9, 4, 3, 2, 1]))
    values = choose(statistics, text={"min_count": 3})
    assert (values["text.vocabulary_size"], values["text.min_count"]) == (5, 3)


def test_a_small_written_validation_fraction_gets_no_refit() -> None:
    assert (
        choose(make_statistics(), data={"train": "t.csv", "validation": 0.04})["training.refit"]
        is False
    )


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("sgd", 0.3), ("adagrad", 0.5), ("rmsprop", 0.001)]
)
def test_each_optimizer_has_its_own_rate(optimizer: str, rate: float) -> None:
    values = choose(make_statistics(), training={"optimizer": optimizer})
    assert values["training.learning_rate"] == rate
