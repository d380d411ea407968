"""What is tried: ranges in a config, the usual space, and the config that a trial is."""

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
    applied,
    changed,
    combinations,
    own,
    own_settings,
    plain,
    rounded,
    search_space,
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
        ("{learning_rate: [1]}", "2:8: tune.learning_rate: unknown key here; did you mean 'tune."),
        ("{model: {poling: [max]}}", "2:16: tune.model.poling: unknown key; did you mean 'pool"),
        ("{model: {epochs: [3]}}", "did you mean 'tune.training.epochs'?"),
        ("{training: {device: [cpu]}}", "tune.training.device: unknown key; known are epochs"),
        ("{seed: [1]}", "tune.seed: unknown key; known are text, model, training"),
        (
            "{model: {pooling: [max, mx]}}",
            "pooling.1: must be one of flatten, average, max, sqrt",
        ),
        ("{model: {pooling: max}}", "tune.model.pooling: must be a list of values"),
        ("{model: {pooling: []}}", "must have at least 1 item"),
        ("{model: {pooling: {low: 1, high: 2}}}", "pooling: must be a list of values"),
        ("{model: {dropout: {low: 0.5, high: 1.5}}}", "dropout.high: must be less than 1, not 1.5"),
        ("{model: {dropout: {low: 0.5, high: 0.5}}}", "dropout: low must be below high"),
        ("{model: {dropout: {low: 0, hihg: 0.5}}}", "or a range such as {low: 1, high: 8}"),
        ("{model: {dropout: {low: 0, high: 0.5, log: true}}}", "log needs a low above 0"),
        ("{model: {dropout: {low: 0, high: 0.5, step: 0.7}}}", "step must be above 0 and lead"),
        ("{text: {sequence_length: {low: 1.5, high: 9}}}", "low: must be a whole number, not 1.5"),
        ("{text: {sequence_length: 9}}", "must be a list of values, or a range"),
        ("{text: {vocabulary_size: [100, 2]}}", "vocabulary_size.1: must be greater than or equal"),
    ],
)
def test_a_fault_of_the_space_is_told_with_its_place(tmp_path: Path, tune: str, fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        config_of(tmp_path, tune)
    told = str(error.value)
    assert told.startswith(f"{tmp_path}/config.yaml:2:")
    assert fault in told
    assert "\n" not in told


def test_what_is_named_is_what_is_tried_beside_what_the_config_has(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        "{text: {lowercase: [false]}, model: {hidden_units: [[8], [8, 8]], dropout: {low: 0.1, "
        "high: 0.5}}, training: {early_stopping: [5, null], class_weight: [balanced, {a: 2}], "
        "batch_size: {low: 64, high: 256, step: 64}, threshold: [f1, {precision: 0.9}]}}",
    )
    assert plain(search_space(config)) == {
        "text.lowercase": [False, True],
        "model.hidden_units": [[8], [8, 8], []],
        "model.dropout": {"low": 0.0, "high": 0.5, "log": False},
        "training.early_stopping": [5, None, 3],
        "training.batch_size": [32, 64, 128, 192, 256],
        "training.class_weight": ["balanced", {"a": 2.0}, "none"],
        "training.threshold": ["f1", {"precision": 0.9}, 0.5],
    }


def test_every_key_that_validation_rows_can_judge_can_be_searched() -> None:
    definitions = json_schema()["$defs"]
    for section in ("Text", "Model", "Training"):
        keys = set(definitions[f"{section}Config"]["properties"]) - {"device", "refit"}
        assert set(definitions[f"{section}Space"]["properties"]) == keys


def test_the_space_is_no_part_of_what_a_run_keeps(tmp_path: Path) -> None:
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
def test_all_that_is_usual_is_allowed(
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
    config = applied(CONFIG, values)
    space = search_space(config)
    for key, choices in space.items():
        ends = choices if isinstance(choices, list) else [choices.low, choices.high]
        for value in ends:
            assert own(applied(config, {key: value}), key) == value
        assert holds(choices, own(config, key))


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
def test_the_config_s_own_setting_is_always_tried(
    low: int, wide: int, step: int | None, value: int
) -> None:
    if step is not None and step > wide:
        step = wide
    given_range = {"low": low, "high": low + wide, "step": step}
    values = {"data": {"train": "a.csv"}, "text": {"sequence_length": value}}
    config = Config.model_validate({**values, "tune": {"text": {"sequence_length": given_range}}})
    choices = search_space(config)["text.sequence_length"]
    assert holds(choices, value)
    if isinstance(choices, list):
        assert step is not None
        assert set(range(low, low + wide + 1, step)) == set(choices) - (
            {value} if (value - low) % step or not low <= value <= low + wide else set()
        )


def test_trials_are_counted_where_they_can_be() -> None:
    whole = Range(low=0.0, high=0.5, step=0.1)
    assert combinations({"a": [1, 2], "model.dropout": whole}) == 12
    assert combinations({"a": [1, 2], "b": Range(low=0.0, high=1.0)}) is None


def test_settings_make_a_config_and_leave_all_else() -> None:
    settings = {"model.pooling": "max", "training.early_stopping": None}
    config = applied(CONFIG, settings)
    assert own_settings(config, {"model.pooling": [], "training.early_stopping": []}) == settings
    assert changed(CONFIG, settings) == settings
    assert changed(config, settings) == {}
    assert applied(config, {"model.pooling": "flatten", "training.early_stopping": 3}) == CONFIG


def test_settings_that_are_not_allowed_are_told() -> None:
    with pytest.raises(ConfigError, match=r"model\.dropout: must be less than 1, not 2"):
        applied(CONFIG, {"model.dropout": 2})


def test_drawn_numbers_are_short_and_the_config_s_own_stay() -> None:
    config = applied(CONFIG, {"training.learning_rate": 0.00123456789})
    drawn = {"training.learning_rate": 0.00123456789, "model.dropout": 0.123456789}
    assert rounded(config, drawn) == {
        "training.learning_rate": 0.00123456789,
        "model.dropout": 0.1235,
    }
    assert json.loads(json.dumps(rounded(config, drawn))) == rounded(config, drawn)
