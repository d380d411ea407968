from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import estimator_checks

from embedclf import TextClassifier
from embedclf.config.schema import SECTIONS, Config, auto_keys
from embedclf.estimator.parameters import PARAMETERS, make_config, parameters_of

ROWS = {"train": "rows.parquet", "text": "text", "label": "label"}


def test_parameters_are_the_keys_of_the_config_and_no_key_is_in_two_sections() -> None:
    keys = [key for name in ("text", "model", "training") for key in SECTIONS[name].model_fields]
    others = {"teacher"}  # it needs a table of other texts
    assert [*PARAMETERS] == [
        "text",
        "fields",
        "validation",
        *(k for k in keys if k not in others),
        "seed",
    ]
    assert len(keys) == len(set(keys))


def test_defaults_are_those_of_the_config() -> None:
    config = make_config(PARAMETERS, ROWS)
    assert config == Config.model_validate({"data": {**ROWS, "fields": []}})
    assert not config.written() & {key for key in auto_keys() if not key.startswith("data")}


def test_a_signature_lists_each_parameter_with_its_default() -> None:
    parameters = inspect.signature(TextClassifier).parameters
    assert {name: each.default for name, each in parameters.items()} == PARAMETERS


def test_an_unknown_parameter_is_refused_with_the_closest_name() -> None:
    with pytest.raises(
        TypeError, match="unexpected keyword argument 'epoch'; did you mean 'epochs'"
    ):
        TextClassifier(epoch=3)
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        TextClassifier().set_params(epoch=3)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", np.int64(3), 3),
        ("dropout", np.float32(0.5), 0.5),
        ("hidden_units", (np.int64(8), 4), [8, 4]),
        ("hidden_units", np.array([8, 4]), [8, 4]),
        ("early_stopping", None, None),
        ("class_weight", {1: np.float64(2.0), np.int64(0): 1}, {"1": 2.0, "0": 1.0}),
    ],
)
def test_values_of_numpy_are_those_of_yaml(name: str, value: Any, expected: Any) -> None:
    config = make_config({**PARAMETERS, name: value}, ROWS)
    assert getattr(config.training, name, getattr(config.model, name, None)) == expected


def test_all_faults_are_listed() -> None:
    with pytest.raises(ValueError, match=r"^epochs: .*\ndropout: |^dropout: .*\nepochs: "):
        TextClassifier(epochs=-1, dropout=2).fit(["a", "b"], [0, 1])


@given(
    epochs=st.integers(1, 50),
    units=st.lists(st.integers(1, 9), max_size=3),
    threshold=st.one_of(st.just("f1"), st.floats(0.1, 0.9)),
    seed=st.integers(0, 2**32 - 1),
)
def test_parameters_of_a_config_make_the_same_config(
    epochs: int, units: list[int], threshold: Any, seed: int
) -> None:
    values = {"epochs": epochs, "hidden_units": units, "threshold": threshold, "seed": seed}
    config = make_config({**PARAMETERS, "text": "text", **values}, ROWS)
    assert make_config(parameters_of(config), ROWS) == config


@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_scikit_learn_checks_the_parameters(check: str) -> None:
    getattr(estimator_checks, check)("TextClassifier", TextClassifier())
