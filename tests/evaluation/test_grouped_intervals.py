"""Intervals and tests of rows in groups, against populations whose true values are known."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.data.labels import Labels
from embedclf.evaluation.bootstrap import confidence_intervals, resample
from embedclf.evaluation.compare import grouped_mcnemar, mcnemar
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.weighted_metrics import WeightedMetrics
from tests.conftest import GOOD, reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.system.arrays import Int64s, Mask
    from tests.conftest import Invoke

BINARY = Labels("binary", ("neg", "pos"), (30, 20))

MANY_CELLS = 1 << 40
"""So many cells that there are as few draws as possible: 200."""


def predict(correct: Mask, groups: Int64s | None = None) -> Predictions:
    """Predictions that are correct in some rows (n,)."""
    y_true = np.arange(len(correct)) % 2
    y_prob = np.where(correct, y_true, 1 - y_true).astype(np.float32)[:, None]
    predictions = Predictions.from_probabilities(BINARY, y_true.astype(np.int32), y_prob)
    return replace(predictions, groups=groups)


def accuracy_interval(predictions: Predictions, seed: int = 1) -> Interval:
    metrics = WeightedMetrics(predictions, ("accuracy",))
    draws = resample([metrics], cells=MANY_CELLS, seed=seed)
    (interval,) = confidence_intervals(metrics, draws, seed=seed)
    assert interval is not None
    return interval


def test_intervals_of_groups_contain_the_true_accuracy_and_those_of_rows_seldom_do() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(40), 10)
    covered = {"rows": 0, "groups": 0}
    for seed in range(80):
        # Each group has its own accuracy, around 0.8 in the population.
        correct = rng.random(400) < rng.beta(2.0, 0.5, 40)[groups]
        for name, numbers in (("rows", None), ("groups", groups)):
            low, high = accuracy_interval(predict(correct, numbers), seed)
            covered[name] += low <= 0.8 <= high
    assert covered["groups"] >= 70  # 94% of many simulations
    assert covered["rows"] <= 64  # 65%


def test_groups_of_one_row_change_nothing() -> None:
    correct = np.random.default_rng(1).random(60) < 0.7
    alone = accuracy_interval(predict(correct, np.arange(60)))
    assert alone == accuracy_interval(predict(correct))


@pytest.mark.parametrize(("sizes", "groups"), [([10] * 30, 30.0), ([1] * 9, 9.0), ([5, 5], 2.0)])
def test_if_all_rows_are_correct_the_interval_is_exact_for_the_number_of_groups(
    sizes: list[int], groups: float
) -> None:
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    low, high = accuracy_interval(predict(np.ones(len(numbers), np.bool_), numbers))
    assert low == pytest.approx(0.025 ** (1 / groups))
    assert high == 1.0


def test_rows_of_one_group_give_no_interval() -> None:
    correct = np.arange(20) % 4 > 0
    metrics = WeightedMetrics(predict(correct, np.zeros(20, np.int64)), ("accuracy",))
    draws = resample([metrics], cells=MANY_CELLS, seed=1)
    assert confidence_intervals(metrics, draws, seed=1) == [None]


def test_draws_of_two_models_are_paired_by_group() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(20), 5)
    correct = rng.random(100) < 0.6
    both = [WeightedMetrics(predict(mask, groups), ("accuracy",)) for mask in (correct, ~correct)]
    draws = resample(both, cells=MANY_CELLS, seed=3)
    assert draws.sum(axis=1) == pytest.approx(1.0)  # the same rows in each draw


@given(fixed=st.integers(0, 60), broken=st.integers(0, 60))
def test_the_test_of_groups_of_one_row_is_mcnemar_s(fixed: int, broken: int) -> None:
    changes = np.repeat([1, -1, 0], [fixed, broken, 7])
    assert grouped_mcnemar(changes) == pytest.approx(mcnemar(fixed, broken), abs=1e-9)


def test_changes_within_one_group_are_no_evidence() -> None:
    assert mcnemar(30, 0) < 1e-6
    assert grouped_mcnemar(np.array([30, 0, 0])) == pytest.approx(1.0)
    # All signs of five groups are equal in 2 of 32 cases.
    assert grouped_mcnemar(np.array([3, 4, 5, 6, 7])) == pytest.approx(2 / 32)


@pytest.fixture(scope="module")
def grouped_run(tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Path:
    """A run with `data.group`, refitted, beside its table."""
    directory = tmp_path_factory.mktemp("grouped")
    rows = [[f"user {n % 16}", text, label] for n, (text, label) in enumerate(reviews(160))]
    write_csv(directory / "train.csv", ["user", "text", "label"], rows)
    (directory / "config.yaml").write_text(
        "data: {train: train.csv, group: user, validation: 0.25}\n"
        "model: {embedding_dim: 4, pooling: average}\n"
        "training: {epochs: 3, learning_rate: 0.05, refit: true}\n",
        encoding="utf-8",
    )
    invoke("train", directory / "config.yaml", "-q", "-o", directory / "run", "--no-baseline")
    return directory / "run"


def test_an_evaluation_finds_the_held_out_groups_again_and_resamples_them(
    grouped_run: Path, invoke: Invoke
) -> None:
    shown = invoke("evaluate", grouped_run, "--no-baseline")
    assert "bootstrap draws over 4 groups of 'user'; these are so few" in unwrapped(shown.stdout)
    assert "%; only 4 groups; slightly optimistic) on 40 validation rows" in unwrapped(shown.stdout)
    values = json.loads(invoke("evaluate", grouped_run, "--no-baseline", "--json").stdout)
    assert (values["rows"], values["resampled"]) == (40, "4 groups of 'user'")
    record = json.loads((grouped_run / "metrics.json").read_text(encoding="utf-8"))
    assert values["scores"]["log_loss"] == record["validation"]["scores"]["log_loss"]
    assert {each["by"] for each in values["slices"]} == {"length", "OOV tokens"}


def test_a_new_table_without_groups_is_scored_by_row_which_a_line_says(
    grouped_run: Path, invoke: Invoke, tmp_path: Path
) -> None:
    rows = [[f"{word} indeed", "pos"] for word in GOOD]
    table = write_csv(tmp_path / "new.csv", ["text", "label"], rows)
    shown = unwrapped(invoke("evaluate", grouped_run, "--data", table, "--no-baseline").stdout)
    assert "no column 'user', so rows count as independent" in shown
    assert "bootstrap draws over rows" in shown


def test_runs_are_compared_by_group(grouped_run: Path, invoke: Invoke) -> None:
    config = grouped_run.parent / "config.yaml"
    other = grouped_run.parent / "other"
    flags = ("-q", "--no-baseline", "-s", "training.learning_rate=0.001")
    invoke("train", config, "-o", other, *flags)
    shown = unwrapped(invoke("compare", grouped_run, other).stdout)
    assert "paired bootstrap draws over 4 groups of 'user'" in shown
    assert "McNemar's exact test over 4 groups of 'user'" in shown


def test_the_held_out_rows_are_whole_groups(grouped_run: Path, invoke: Invoke) -> None:
    args = ("evaluate", grouped_run, "--no-baseline", "--by", "user", "--json")
    slices = json.loads(invoke(*args).stdout)["slices"]
    users = {each["name"]: each["rows"] for each in slices if each["by"] == "user"}
    with (grouped_run.parent / "train.csv").open(encoding="utf-8", newline="") as file:
        all_users = [row["user"] for row in csv.DictReader(file)]
    assert len(users) == 4
    assert all(all_users.count(name) == rows == 10 for name, rows in users.items())
