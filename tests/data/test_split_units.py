"""How rows are split: by group and by time, or at random as before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.data.split_units import SplitUnits, find_validation_rows, hash_split
from embedclf.errors import DataError
from tests.conftest import unwrapped, write_csv

if TYPE_CHECKING:
    from embedclf.system.arrays import Mask
    from tests.conftest import Invoke

COLUMNS = ["text", "label", "user", "date"]

CONFIG = """
data: {train: train.csv, validation: 0.2}
text: {vocabulary_size: 500}
model: {embedding_dim: 2}
training: {epochs: 1}
"""

TIMED = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=2, max_size=80)
"""The group and the time of each row."""


def units(groups: list[int] | None, times: list[int], labels: int = 2) -> SplitUnits:
    rows = np.arange(len(times))
    return SplitUnits(
        rows.astype(np.uint64),
        rows % labels,
        None if groups is None else np.array(groups),
        np.unique(times, return_inverse=True)[1].astype(np.int64),
    )


@given(rows=TIMED, fraction=st.floats(0.01, 0.99))
def test_the_latest_rows_validate_and_equal_times_stay_together(
    rows: list[tuple[int, int]], fraction: float
) -> None:
    times = np.array([time for _, time in rows])
    held_out = units(None, times.tolist()).split(fraction=fraction, seed=1)
    if len(set(times.tolist())) == 1:
        assert not held_out.any()
        return
    assert times[held_out].min() > times[~held_out].max()
    largest = np.unique(times, return_counts=True)[1].max()
    assert abs(held_out.sum() - fraction * len(rows)) <= largest


@given(rows=TIMED, fraction=st.floats(0.01, 0.99))
def test_with_groups_and_times_the_groups_with_the_latest_rows_validate(
    rows: list[tuple[int, int]], fraction: float
) -> None:
    groups, times = np.array(rows).T
    held_out = units(groups.tolist(), times.tolist()).split(fraction=fraction, seed=1)
    assert not set(groups[held_out]) & set(groups[~held_out])
    assert held_out.any() == (len(set(groups)) > 1)
    if held_out.any():
        latest = {group: times[groups == group].max() for group in groups}
        first = min(latest[group] for group in groups[held_out])
        assert first >= max(latest[group] for group in groups[~held_out])
        largest = np.unique(groups, return_counts=True)[1].max()
        assert abs(held_out.sum() - fraction * len(rows)) <= largest


def test_groups_that_all_reach_the_last_day_are_still_split() -> None:
    groups, times = [0] * 4 + [1] * 4 + [2] * 4, [0, 1, 2, 9, 4, 5, 6, 9, 3, 3, 3, 9]
    held_out = units(groups, times).split(fraction=0.3, seed=1)
    assert held_out.tolist() == [False] * 4 + [True] * 4 + [False] * 4  # it began last


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty users with six rows each, whose user and day are known from the row."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    write(tmp_path, [f"{number % 20}" for number in range(120)])
    return tmp_path


def write(directory: Path, users: list[str], **columns: list[str]) -> None:
    """Write `train.csv`; a row's label does not depend on its user unless it is in `columns`."""
    rows = [
        [
            f"text of row {number} by w{number * 7 % 40}",
            columns.get("label", ["yes", "no", "no"])[number % len(columns.get("label", "abc"))],
            user,
            columns.get("date", [f"2021-{month:02d}-05" for month in range(1, 13)])[number // 10],
        ]
        for number, user in enumerate(users)
    ]
    write_csv(directory / "train.csv", COLUMNS, rows)


def held_out(*settings: str) -> Mask:
    """(n,) the rows that training holds out; the same rows again for an evaluation."""
    config = load_config(Path("config.yaml"), settings)
    dataset, mask = prepare_dataset(config), find_validation_rows(config)
    assert (np.flatnonzero(mask) == dataset.validation.rows.positions).all()
    assert (np.flatnonzero(~mask) == dataset.train.rows.positions).all()
    return mask


@pytest.mark.parametrize(
    "name",
    ["{}", "user {}", " {}\t", "0{}", "null{}"],
    ids=["numbers", "blanks", "blanks around", "zeros", "null"],
)
def test_a_group_is_on_one_side(directory: Path, name: str) -> None:
    users = [number % 20 for number in range(120)]
    # White space around a name does not make another group.
    write(directory, [(name if row % 2 else name.strip()).format(u) for row, u in enumerate(users)])
    mask = held_out("data.group=user")
    assert mask.sum() == 24
    assert {users.count(user) for user in np.array(users)[mask]} == {6}
    assert not set(np.array(users)[mask]) & set(np.array(users)[~mask])


def test_rows_without_a_group_are_groups_of_their_own(directory: Path, invoke: Invoke) -> None:
    write(directory, ["", " ", "\u3000"] * 40)
    assert held_out("data.group=user").sum() == 24
    checked = json.loads(invoke("check", "config.yaml", "--json", "-s", "data.group=user").stdout)
    finding = next(each for each in checked["findings"] if each["kind"] == "group-empty")
    assert (finding["count"], finding["of"], finding["severity"]) == (120, 120, "note")


@pytest.mark.usefixtures("directory")
def test_without_a_group_column_equal_texts_stay_together_as_before() -> None:
    assert held_out().sum() == 24
    assert len(set(np.flatnonzero(held_out()) % 20)) > 6  # any users


@pytest.mark.usefixtures("directory")
def test_the_latest_rows_are_held_out() -> None:
    mask = held_out("data.time=date")
    assert np.flatnonzero(mask).tolist() == [*range(100, 120)]  # 20 of 24: the last two days


@pytest.mark.parametrize(
    ("settings", "label", "user", "message"),
    [
        (["data.group=user"], None, ["a"], "all rows have the same 'user'"),
        (["data.group=user", "data.time=date"], None, ["a"], "all rows have the same 'user'"),
        (["data.time=user"], None, ["2021"], "all rows have the same 'user'"),
        (
            ["data.time=user"],
            None,
            ["2021", "soon"],
            "train.csv:3: 'user': 'soon' is neither a date",
        ),
        (["data.time=user"], None, ["1/2/2021", "2/3/2021"], "write dates as 2021-12-31"),
        (
            ["data.time=day"],
            None,
            ["a"],
            "train.csv:1: no column 'day' for data.time; columns: 'text'",
        ),
        (["data.group=usr"], None, ["a"], "no column 'usr' for data.group; did you mean 'user'?"),
        (
            ["data.time=date"],
            [*["yes", "no"] * 55, *["new"] * 10],
            ["a", "b"],
            "no training row has label 'new' (10 rows here); the latest rows by 'date' are "
            "held out; change data.validation, or remove data.time",
        ),
        (
            ["data.group=user"],
            ["yes", "no"],
            ["a", "b"],
            "the rows left for training all have the same label; whole groups of 'user' are "
            "held out; change data.validation, or remove data.group",
        ),
    ],
)
def test_a_split_that_cannot_be_made_is_one_line_with_the_way_out(
    directory: Path, settings: list[str], label: list[str] | None, user: list[str], message: str
) -> None:
    columns = {} if label is None else {"label": label}
    write(directory, [user[number % len(user)] for number in range(120)], **columns)
    with pytest.raises(DataError) as caught:
        prepare_dataset(load_config(Path("config.yaml"), settings))
    assert message in str(caught.value)


@pytest.mark.parametrize("role", ["text", "label"])
@pytest.mark.parametrize("key", ["group", "time", "weight"])
@pytest.mark.usefixtures("directory")
def test_the_text_or_label_is_no_group_time_or_weight(invoke: Invoke, key: str, role: str) -> None:
    result = invoke("check", "config.yaml", "-s", f"data.{key}={role}", status=2)
    assert f"data.{key}: column {role} is a {role} column" in unwrapped(result.stderr)


@pytest.mark.usefixtures("directory")
def test_check_and_the_run_say_how_rows_were_held_out(invoke: Invoke) -> None:
    texts = {
        "whole groups of 'user'": ["data.group=user"],
        "the latest rows by 'date'": ["data.time=date"],
        "the latest groups of 'user' by 'date'": ["data.group=user", "data.time=date"],
    }
    for text, settings in texts.items():
        flags = [flag for setting in settings for flag in ("-s", setting)]
        assert text in unwrapped(invoke("check", "config.yaml", *flags).stdout)
    invoke("train", "config.yaml", "-q", "-o", "run", "-s", "data.group=user", "--no-baseline")
    assert "24 validation rows: whole groups of 'user'" in invoke("summary", "run").stdout


def test_other_tables_need_no_time(directory: Path, invoke: Invoke) -> None:
    rows = [[f"another text {number}", ("yes", "no")[number % 2]] for number in range(40)]
    write_csv(directory / "test.csv", ["text", "label"], rows)
    flags = ["-s", "data.time=date", "-s", "data.test=test.csv"]
    checked: dict[str, Any] = json.loads(invoke("check", "config.yaml", "--json", *flags).stdout)
    assert checked["data"]["test"]["rows"] == 40


@given(st.integers(0, 9), st.integers(1, 50), st.integers(0, 99))
def test_a_split_by_hash_depends_on_no_other_row(seed: int, parts: int, number: int) -> None:
    texts = np.random.default_rng(number).integers(0, 1 << 64, 2000, np.uint64)
    whole = hash_split(texts, fraction=0.3, seed=seed)
    found = [hash_split(each, fraction=0.3, seed=seed) for each in np.array_split(texts, parts)]
    assert np.array_equal(np.concatenate(found), whole)
    assert 0.2 < whole.mean() < 0.4
    assert not np.array_equal(hash_split(texts, fraction=0.3, seed=seed + 1), whole)
