"""Group leakage: columns that divide users between splits are found, and no others."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.audit.leakage.grouping_columns import measure_agreement
from tests.conftest import write_csv
from tests.faults import WORDS, config_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Invoke

LABELS = ("no", "yes")

Columns = dict[str, list[str]]


def check_columns(
    columns: Columns, directory: Path, invoke: Invoke, *flags: str, **data: str
) -> list[dict[str, Any]]:
    """Check a table of random texts with these columns; return the findings about groups."""
    rng = random.Random(3)  # noqa: S311 - texts, no secrets
    texts = [" ".join(rng.sample(WORDS, 12)) for _ in columns["label"]]
    rows = [[*row] for row in zip(texts, *columns.values(), strict=True)]
    write_csv(directory / "train.csv", ["text", *columns], rows)
    data = {"train": "train.csv", "validation": "0.2", **data}
    (directory / "config.yaml").write_text(config_text(**data), encoding="utf-8")
    found = json.loads(invoke("check", "config.yaml", "--json", *flags).stdout)["findings"]
    return [each for each in found if "group" in each["kind"]]


def user_labels(users: list[int], rng: random.Random, *, noise: float = 0.0) -> list[str]:
    """A random label for each user, which some rows do not have."""
    of_user = {user: rng.choice(LABELS) for user in sorted(set(users))}
    return [rng.choice(LABELS) if rng.random() < noise else of_user[user] for user in users]


LEAKS: dict[str, Callable[[random.Random, list[int]], Columns]] = {
    "numbers of users": lambda rng, users: {
        "user": [str(user) for user in users],
        "label": user_labels(users, rng),
    },
    "names, and labels of which a tenth is random": lambda rng, users: {
        "user": [f"name {user}" for user in users],
        "label": user_labels(users, rng, noise=0.1),
    },
    "a third of the cells is empty": lambda rng, users: {
        "label": user_labels(users, rng),
        "user": [f"u{user}" if rng.random() < 0.67 else " " for user in users],
    },
}


@pytest.mark.parametrize("name", LEAKS)
def test_users_with_a_label_each_are_found_and_the_fix_removes_the_finding(
    name: str, directory: Path, invoke: Invoke
) -> None:
    rng = random.Random(1)  # noqa: S311 - labels, no secrets
    users = [rng.randrange(60) for _ in range(600)]
    columns = LEAKS[name](rng, users)
    (finding,) = check_columns(columns, directory, invoke)
    assert (finding["kind"], finding["severity"]) == ("group-leakage", "warning")
    assert (finding["settings"], finding["of"]) == ({"data.group": "user"}, 120)
    assert "column 'user' reveal the label" in finding["what"]
    assert finding["fix"].startswith("data.group: user")
    fixed = check_columns(columns, directory, invoke, "-s", "data.group=user")
    assert [each["kind"] for each in fixed if each["kind"] != "group-empty"] == []


def test_columns_that_are_no_groups_are_not_reported(directory: Path, invoke: Invoke) -> None:
    rng = random.Random(2)  # noqa: S311 - cells, no secrets
    labels = [rng.choice(LABELS) for _ in range(600)]
    scores = [rng.randrange(50) + 50 * LABELS.index(label) for label in labels]
    columns = {
        "label": labels,
        "label_id": [str(LABELS.index(label)) for label in labels],
        "channel": [f"web {label}" if rng.random() < 0.9 else "app" for label in labels],
        "topic": [f"{label} {rng.randrange(6)}" for label in labels],  # topics within labels
        "score": [str(score) for score in scores],
        "probability": [f"{score / 100:.2f}" for score in scores],
        "user": [f"u{rng.randrange(60)}" for _ in labels],  # independent of the label
        "day": [f"2021-05-{1 + rng.randrange(30):02d}" for _ in labels],
        "id": [str(number) for number in range(600)],
        "pair": [str(number // 2) for number in range(600)],
        "constant": ["x"] * 600,
        "empty": [""] * 600,
        "comment": [" ".join(rng.sample(WORDS, 5)) for _ in labels],
    }
    assert check_columns(columns, directory, invoke) == []


def test_groups_that_the_tables_keep_apart_are_not_reported(
    directory: Path, invoke: Invoke
) -> None:
    rng = random.Random(4)  # noqa: S311 - labels, no secrets
    users = [number % 60 for number in range(600)]
    columns = {"label": user_labels(users, rng), "user": [f"u{user}" for user in users]}
    rows = [[f"{' '.join(rng.sample(WORDS, 12))}", rng.choice(LABELS), "new"] for _ in range(60)]
    write_csv(directory / "other.csv", ["text", "label", "user"], rows)
    assert check_columns(columns, directory, invoke, validation="other.csv") == []
    # With users of the training table, data.group would not divide the tables otherwise.
    rows = [[text, label, f"u{number}"] for number, (text, label, _) in enumerate(rows)]
    write_csv(directory / "other.csv", ["text", "label", "user"], rows)
    (finding,) = check_columns(columns, directory, invoke, validation="other.csv")
    assert (finding["kind"], finding["count"], finding["settings"]) == ("group-leakage", 60, {})
    (finding,) = check_columns(columns, directory, invoke, validation="other.csv", group="user")
    assert (finding["kind"], finding["count"], finding["of"]) == ("leak-group", 60, 60)
    # A table without the column cannot be compared.
    write_csv(directory / "other.csv", ["text", "label"], [row[:2] for row in rows])
    assert check_columns(columns, directory, invoke, validation="other.csv") == []


def test_the_agreement_is_1_for_a_label_per_value_and_about_0_for_random_labels() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 300, 2000).astype(np.uint64)
    assert measure_agreement(values, values % 2)[2] == pytest.approx(1.0)
    random_labels = rng.integers(0, 3, 2000).astype(np.uint64)
    assert measure_agreement(values, random_labels)[2] == pytest.approx(0.0, abs=0.05)
    # Unlike purity, which is high wherever values are rare.
    pairs = (np.arange(2000) // 2).astype(np.uint64)
    assert measure_agreement(pairs, random_labels)[2] == pytest.approx(0.0, abs=0.1)


@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=2, max_size=60),
    seed=st.integers(0, 5),
)
def test_the_agreement_depends_neither_on_order_nor_on_names(
    rows: list[tuple[int, int]], seed: int
) -> None:
    values, labels = np.array(rows, np.uint64).T
    shared, with_others, agreement = measure_agreement(values, labels)
    order = np.random.default_rng(seed).permutation(len(rows))
    again = measure_agreement(values[order] + np.uint64(7), labels[order] * np.uint64(3))
    assert again[:2] == (shared, with_others)
    assert again[2] == pytest.approx(agreement)
    assert agreement <= 1.0 + 1e-9
    sizes = np.unique(values, return_counts=True)[1]
    assert with_others == sizes[sizes > 1].sum()
