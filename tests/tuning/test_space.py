"""The search space of a config, and the config of a trial."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.fields import Range
from embedclf.config.loading import dump_config, load_config
from embedclf.config.schema import Config, json_schema
from embedclf.errors import ConfigError
from embedclf.tuning.space import (
    apply_settings,
    baseline_settings,
    changed_settings,
    config_value,
    count_combinations,
    make_space,
    round_settings,
    space_to_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.tuning.space import Choices

CONFIG = Config.model_validate({"data": {"train": "a.csv"}})


def config_of(tmp_path: Path, tune: str) -> Config:
    file = tmp_path / "config.yaml"
    file.write_text(f"data: {{train: a.csv}}\ntune: {tune}\n", encoding="utf-8")
    return load_config(file)


@pytest.mark.parametrize(
    ("tune", "fault"),
    [
        ("{learning_rate: [1]}", "2:8: tune.learning_rate: unknown key; did you mean 'tune."),
        ("{model: {poling: [max]}}", "2:16: tune.model.poling: unknown key; did you mean 'pool"),
        ("{model: {epochs: [3]}}", "did you mean 'tune.training.epochs'?"),
        ("{training: {device: [cpu]}}", "tune.training.device: unknown key; valid keys: epochs"),
        ("{seed: [1]}", "tune.seed: unknown key; valid keys: text, model, training"),
        (
            "{model: {pooling: [max, mx]}}",
            "pooling.1: must be one of flatten, average, max, sqrt",
        ),
        ("{model: {pooling: max}}", "tune.model.pooling: must be a list of values"),
        ("{model: {pooling: []}}", "must have at least 1 item"),
        ("{model: {pooling: {low: 1, high: 2}}}", "pooling: must be a list of values"),
        ("{model: {dropout: {low: 0.5, high: 1.5}}}", "dropout.high: must be less than 1, not 1.5"),
        ("{model: {dropout: {low: 0.5, high: 0.5}}}", "dropout: low must be less than high"),
        (
            "{model: {dropout: {low: 0, hihg: 0.5}}}",
            "must be a list of values, or a range: {low: 1, high: 8}",
        ),
        ("{model: {dropout: {low: 0, high: 0.5, log: true}}}", "log: true needs low above 0"),
        ("{model: {dropout: {low: 0, high: 0.5, step: 0.7}}}", "step must be above 0 and at most"),
        ("{text: {sequence_length: {low: 1.5, high: 9}}}", "low: must be a whole number, not 1.5"),
        ("{text: {sequence_length: 9}}", "must be a list of values, or a range"),
        ("{text: {vocabulary_size: [100, 2]}}", "vocabulary_size.1: must be greater than or equal"),
    ],
)
def test_a_fault_of_the_space_is_reported_with_its_place(
    tmp_path: Path, tune: str, fault: str
) -> None:
    with pytest.raises(ConfigError) as error:
        config_of(tmp_path, tune)
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/config.yaml:2:")
    assert fault in message
    assert "\n" not in message


def test_the_space_is_what_tune_names_and_the_config_s_own_values(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        "{text: {lowercase: [false]}, model: {hidden_units: [[8], [8, 8]], dropout: {low: 0.1, "
        "high: 0.5}}, training: {early_stopping: [5, null], class_weight: [balanced, {a: 2}], "
        "batch_size: {low: 64, high: 256, step: 64}, threshold: [f1, {precision: 0.9}]}}",
    )
    assert space_to_json(make_space(config)) == {
        "text.lowercase": [False, True],
        "model.hidden_units": [[8], [8, 8], []],
        "model.dropout": {"low": 0.0, "high": 0.5, "log": False},
        "training.early_stopping": [5, None, 3],
        "training.batch_size": [32, 64, 128, 192, 256],
        "training.class_weight": ["balanced", {"a": 2.0}, "none"],
        "training.threshold": ["f1", {"precision": 0.9}, 0.5],
    }


def test_files_of_word_vectors_are_choices_that_a_study_can_store(tmp_path: Path) -> None:
    config = config_of(tmp_path, "{model: {vectors: [own, mine.txt], initialization: [mine.txt]}}")
    space = space_to_json(make_space(config))
    assert json.loads(json.dumps(space)) == space
    assert space["model.initialization"] == ["mine.txt", "random"]


def test_every_key_that_affects_the_validation_scores_can_be_searched() -> None:
    definitions = json_schema()["$defs"]
    for section in ("Text", "Model", "Training"):
        keys = set(definitions[f"{section}Config"]["properties"]) - {"device", "refit", "teacher"}
        assert set(definitions[f"{section}Space"]["properties"]) == keys


def test_a_dumped_config_has_no_search_space(tmp_path: Path) -> None:
    config = config_of(tmp_path, "{model: {pooling: [max]}}")
    assert "tune" not in dump_config(config, tmp_path)


@given(
    vocabulary=st.integers(3, 10_000_000),
    length=st.integers(1, 100_000),
    dim=st.integers(1, 10_000),
    batch=st.integers(1, 2**31 - 1),
    rate=st.floats(1e-8, 1e8),
    dropout=st.floats(0, 0.99),
)
def test_the_default_space_is_valid(
    vocabulary: int, length: int, dim: int, batch: int, rate: float, dropout: float
) -> None:
    values = {
        "text.vocabulary_size": vocabulary,
        "text.sequence_length": length,
        "model.embedding_dim": dim,
        "model.dropout": dropout,
        "training.batch_size": batch,
        "training.learning_rate": rate,
    }
    config = apply_settings(CONFIG, values)
    space = make_space(config)
    for key, choices in space.items():
        ends = choices if isinstance(choices, list) else [choices.low, choices.high]
        for value in ends:
            assert config_value(apply_settings(config, {key: value}), key) == value
        assert holds(choices, config_value(config, key))


def holds(choices: Choices, value: Any) -> bool:
    if isinstance(choices, list):
        return value in choices
    return bool(choices.low <= value <= choices.high)


@given(
    low=st.integers(1, 50),
    wide=st.integers(1, 50),
    step=st.none() | st.integers(1, 50),
    value=st.integers(1, 120),
)
def test_the_config_s_own_value_is_always_a_choice(
    low: int, wide: int, step: int | None, value: int
) -> None:
    if step is not None and step > wide:
        step = wide
    given_range = {"low": low, "high": low + wide, "step": step}
    values = {"data": {"train": "a.csv"}, "text": {"sequence_length": value}}
    config = Config.model_validate({**values, "tune": {"text": {"sequence_length": given_range}}})
    choices = make_space(config)["text.sequence_length"]
    assert holds(choices, value)
    if isinstance(choices, list):
        assert step is not None
        assert set(range(low, low + wide + 1, step)) == set(choices) - (
            {value} if (value - low) % step or not low <= value <= low + wide else set()
        )


def test_combinations_are_counted_unless_a_range_has_real_numbers() -> None:
    whole = Range(low=0.0, high=0.5, step=0.1)
    assert count_combinations({"a": [1, 2], "model.dropout": whole}) == 12
    assert count_combinations({"a": [1, 2], "b": Range(low=0.0, high=1.0)}) is None


def test_settings_change_a_config_and_nothing_else_of_it() -> None:
    settings = {"model.pooling": "max", "training.early_stopping": None}
    config = apply_settings(CONFIG, settings)
    assert (
        baseline_settings(config, {"model.pooling": [], "training.early_stopping": []}) == settings
    )
    assert changed_settings(CONFIG, settings) == settings
    assert changed_settings(config, settings) == {}
    assert (
        apply_settings(config, {"model.pooling": "flatten", "training.early_stopping": 3}) == CONFIG
    )


def test_invalid_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.dropout: must be less than 1, not 2"):
        apply_settings(CONFIG, {"model.dropout": 2})


def test_sampled_numbers_are_rounded_but_not_the_config_s_own() -> None:
    config = apply_settings(CONFIG, {"training.learning_rate": 0.00123456789})
    drawn = {"training.learning_rate": 0.00123456789, "model.dropout": 0.123456789}
    assert round_settings(config, drawn) == {
        "training.learning_rate": 0.00123456789,
        "model.dropout": 0.1235,
    }
    assert json.loads(json.dumps(round_settings(config, drawn))) == round_settings(config, drawn)
