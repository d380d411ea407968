from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config import DataConfig
from embedclf.data import LabelledTexts, read_labelled, split
from embedclf.errors import DataError
from embedclf.tables import Table
from tests.conftest import write_csv


def config(**values: Any) -> DataConfig:
    return DataConfig.model_validate({"train": "unused.csv", **values})


def labelled(texts: list[str], labels: list[str] | None = None) -> LabelledTexts:
    table = Table(Path("memory.csv"), "delimited", ("text", "label"))
    columns = (pa.chunked_array([pa.array(labels or texts, pa.string())]),)
    chunk = pa.chunked_array([pa.array(texts, pa.string())])
    return LabelledTexts(table, chunk, columns, np.arange(len(texts)))


def test_several_text_columns_are_joined_by_a_blank(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["a", "b", "label"], [("x", "y", "1"), ("", "z", "2")])
    rows = read_labelled(path, config(text=["b", "a"]))
    assert rows.texts.to_pylist() == ["y x", "z "]


def test_rows_with_an_empty_label_are_refused_with_their_lines(tmp_path: Path) -> None:
    rows = [("a\nb", "1"), *[("c", " ")] * 7, ("d", "2")]
    path = write_csv(tmp_path / "t.csv", ["text", "label"], rows)
    with pytest.raises(DataError) as caught:
        read_labelled(path, config())
    assert str(caught.value) == (
        f"{path}:4, 5, 6, 7, 8 and 2 more: empty label; mend the rows, "
        "or drop them with data.skip_invalid: true"
    )


def test_rows_with_an_empty_label_are_dropped_on_request(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "label"], [("a", ""), ("b", "1"), ("c", "")])
    rows = read_labelled(path, config(skip_invalid=True))
    assert rows.texts.to_pylist() == ["b"]
    assert rows.skipped == 2
    assert rows.rows.tolist() == [1]
    path = write_csv(tmp_path / "u.csv", ["text", "label"], [("a", "")])
    with pytest.raises(DataError, match="no row has a valid label"):
        read_labelled(path, config(skip_invalid=True))


def test_columns_of_flags_hold_0_and_1_alone(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "p", "q"], [("a", "0", "1"), ("b", "yes", "1")])
    with pytest.raises(DataError, match=r"t\.csv:3: a label column holds neither 0 nor 1"):
        read_labelled(path, config(label=["p", "q"]))


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "label"], [])
    with pytest.raises(DataError, match="a header and no rows"):
        read_labelled(path, config())


TEXTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=200)


@given(rows=TEXTS, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_a_split_is_complete_repeatable_and_parts_no_equal_texts(
    rows: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    texts = [f"  Text {text}" if n % 2 else f"text {text} " for n, (text, _) in enumerate(rows)]
    strata = np.array([stratum for _, stratum in rows])
    chosen = split(labelled(texts), strata, fraction=fraction, seed=seed)
    assert chosen.shape == (len(rows),)
    assert (chosen == split(labelled(texts), strata, fraction=fraction, seed=seed)).all()
    keys = np.array([text for text, _ in rows])
    assert not set(keys[chosen]) & set(keys[~chosen])


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    fraction=st.floats(0.05, 0.9),
    seed=st.integers(0, 9),
)
def test_a_split_of_distinct_texts_is_stratified_and_leaves_each_stratum_in_training(
    sizes: list[int], fraction: float, seed: int
) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    texts = [f"text {n}" for n in range(len(strata))]
    chosen = split(labelled(texts), strata, fraction=fraction, seed=seed)
    for stratum, size in enumerate(sizes):
        held_out = chosen[strata == stratum].sum()
        assert held_out < size
        assert abs(held_out - fraction * size) <= 2


def test_large_groups_of_equal_texts_are_no_likelier_held_out() -> None:
    texts = [f"text {n % 400}" for n in range(400)] + ["again"] * 600
    shares = [
        split(labelled(texts), np.zeros(1000, np.int64), fraction=0.1, seed=seed)[-1]
        for seed in range(40)
    ]
    assert np.mean(shares) < 0.5


def test_another_seed_splits_otherwise() -> None:
    rows = labelled([f"text {n}" for n in range(100)])
    first, second = (
        split(rows, np.zeros(100, np.int64), fraction=0.3, seed=seed) for seed in (1, 2)
    )
    assert (first != second).any()
    assert first.sum() == second.sum() == 30
