from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.schema import DataConfig
from embedclf.data.delimited import Delimited
from embedclf.data.labeled import CategoricalColumn, LabeledRows, read_labeled
from embedclf.data.stratified import stratified_folds, stratified_split
from embedclf.data.tables import Table
from embedclf.errors import DataError
from embedclf.system.text_files import TextFile
from tests.conftest import write_csv

if TYPE_CHECKING:
    from embedclf.text.fingerprints import Fingerprints


def config(**values: Any) -> DataConfig:
    return DataConfig.model_validate({"train": "unused.csv", **values})


def column(cells: list[str]) -> CategoricalColumn:
    encoded = pa.array(cells, pa.string()).dictionary_encode()
    return CategoricalColumn(encoded.dictionary, encoded.indices.to_numpy())


def labeled(*columns: list[str]) -> LabeledRows:
    path = Path("memory.csv")
    reader = Delimited(TextFile(path, "memory.csv"), ",", ("text", "label"))
    table = Table(path, "memory.csv", reader, "comma, utf-8")
    return LabeledRows(table, tuple(map(column, columns)), np.arange(len(columns[0])))


def read(path: Path, data: DataConfig) -> tuple[LabeledRows, list[str]]:
    """The rows and the texts of a table."""
    texts: list[str] = []
    return read_labeled(path, data, pa.Array.to_pylist, texts.extend), texts


def test_several_text_columns_are_joined_by_a_blank(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["a", "b", "label"], [("x", "y", "1"), ("", "z", "2")])
    _, texts = read(path, config(text=["b", "a"]))
    assert texts == ["y x", "z "]


def test_rows_with_an_empty_label_are_refused_with_their_lines(tmp_path: Path) -> None:
    rows = [("a\nb", "1"), *[("c", " ")] * 7, ("d", "2")]
    path = write_csv(tmp_path / "t.csv", ["text", "label"], rows)
    with pytest.raises(DataError) as caught:
        read(path, config())
    assert str(caught.value) == (
        f"{path}:4, 5, 6, 7, 8 and 2 more: empty label; mend the rows, "
        "or drop them with data.skip_invalid: true"
    )


def test_rows_with_an_empty_label_are_dropped_on_request(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "label"], [("a", ""), ("b", "1"), ("c", "")])
    rows, texts = read(path, config(skip_invalid=True))
    assert texts == ["b"]
    assert rows.skipped == 2
    assert rows.rows.tolist() == [1]
    path = write_csv(tmp_path / "u.csv", ["text", "label"], [("a", "")])
    with pytest.raises(DataError, match="no row has a valid label"):
        read(path, config(skip_invalid=True))


def test_columns_of_flags_hold_0_and_1_alone(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "p", "q"], [("a", "0", "1"), ("b", "yes", "1")])
    with pytest.raises(DataError, match=r"t\.csv:3: a label column holds neither 0 nor 1"):
        read(path, config(label=["p", "q"]))


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "label"], [])
    with pytest.raises(DataError, match="a header and no rows"):
        read(path, config())


def test_a_cell_of_separators_alone_is_an_empty_label(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "label"], [("a", "x|y"), ("b", " | ")])
    with pytest.raises(DataError, match=r"t\.csv:3: empty label"):
        read(path, config(label_separator="|"))


KEYS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=200)


def numbered(keys: list[Any]) -> Fingerprints:
    """The keys as numbers, as large as those of texts."""
    different = np.unique([str(key) for key in keys], return_inverse=True)[1]
    return different.astype(np.uint64) << np.uint64(50)


@given(rows=KEYS, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_a_split_is_complete_repeatable_and_parts_no_equal_keys(
    rows: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    keys = np.array([key for key, _ in rows])
    strata = np.array([stratum for _, stratum in rows])
    chosen = stratified_split(numbered(keys.tolist()), strata, fraction=fraction, seed=seed)
    assert chosen.shape == (len(rows),)
    again = stratified_split(numbered(keys.tolist()), strata, fraction=fraction, seed=seed)
    assert (chosen == again).all()
    assert not set(keys[chosen]) & set(keys[~chosen])


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    fraction=st.one_of(st.floats(0.01, 0.9), st.sampled_from([0.1, 0.2, 0.25, 0.5])),
    seed=st.integers(0, 9),
)
def test_a_split_of_distinct_texts_gives_each_stratum_its_share(
    sizes: list[int], fraction: float, seed: int
) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    chosen = stratified_split(numbered([*range(len(strata))]), strata, fraction=fraction, seed=seed)
    held_out = np.bincount(strata, chosen)
    assert (held_out < np.array(sizes)).all()
    assert (np.abs(held_out - fraction * np.array(sizes)) <= 1 + 1e-9).all()
    if min(sizes) * (1 - fraction) >= 2:
        assert abs(held_out.sum() - fraction * len(strata)) <= 0.5 + 1e-9


@pytest.mark.parametrize(("strata", "rows"), [(10, 2), (2, 4), (100, 4)])
def test_half_of_small_strata_is_half(strata: int, rows: int) -> None:
    labels = np.repeat(np.arange(strata), rows)
    chosen = stratified_split(numbered([*range(len(labels))]), labels, fraction=0.5, seed=1)
    assert (np.bincount(labels, chosen) == rows / 2).all()


@pytest.mark.parametrize(("equal", "distinct"), [(900, 100), (300, 700), (20, 980), (0, 1000)])
def test_the_share_is_one_of_rows_however_large_the_groups(equal: int, distinct: int) -> None:
    keys = [*["again"] * equal, *range(distinct)]
    for seed in range(10):
        chosen = stratified_split(numbered(keys), np.zeros(1000, np.int64), fraction=0.1, seed=seed)
        assert chosen.sum() == 100


def test_small_groups_of_equal_texts_are_as_likely_held_out_as_single_ones() -> None:
    keys = [*range(400), *np.repeat(np.arange(400, 500), 6)]
    zeros = np.zeros(len(keys), np.int64)
    chosen = [
        stratified_split(numbered(keys), zeros, fraction=0.1, seed=seed) for seed in range(50)
    ]
    singles, groups = (
        np.mean([one[part] for one in chosen]) for part in (slice(400), slice(400, None))
    )
    assert singles == pytest.approx(0.1, abs=0.02)
    assert groups == pytest.approx(0.1, abs=0.02)


def test_a_label_that_only_a_repeated_text_has_stays_in_training() -> None:
    keys = [*range(40), 3]
    strata = np.array([0] * 20 + [2] * 20 + [1])
    for seed in range(60):
        assert not stratified_split(numbered(keys), strata, fraction=0.1, seed=seed)[-1]


def test_another_seed_splits_otherwise() -> None:
    zeros = np.zeros(100, np.int64)
    first, second = (
        stratified_split(numbered([*range(100)]), zeros, fraction=0.3, seed=seed) for seed in (1, 2)
    )
    assert (first != second).any()
    assert first.sum() == second.sum() == 30


@given(rows=KEYS, count=st.integers(2, 7), seed=st.integers(0, 9))
def test_folds_are_complete_repeatable_and_part_no_equal_keys(
    rows: list[tuple[int, int]], count: int, seed: int
) -> None:
    keys = numbered([key for key, _ in rows])
    strata = np.array([stratum for _, stratum in rows])
    numbers = stratified_folds(keys, strata, count=count, seed=seed)
    assert numbers.shape == (len(rows),)
    assert set(numbers.tolist()) <= set(range(count))
    assert (numbers == stratified_folds(keys, strata, count=count, seed=seed)).all()
    for key in np.unique(keys):
        assert len(set(numbers[keys == key].tolist())) == 1


@given(
    sizes=st.lists(st.integers(20, 60), min_size=1, max_size=4),
    count=st.integers(2, 6),
    seed=st.integers(0, 9),
)
def test_folds_of_distinct_texts_share_each_stratum(
    sizes: list[int], count: int, seed: int
) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    numbers = stratified_folds(numbered([*range(len(strata))]), strata, count=count, seed=seed)
    for stratum, size in enumerate(sizes):
        rows = np.bincount(numbers[strata == stratum], minlength=count)
        assert (np.abs(rows - size / count) <= 2).all()
    assert np.ptp(np.bincount(numbers, minlength=count)) <= 1
