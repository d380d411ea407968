"""Record batches: the columns that `predict` adds."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import csv

import embedclf.arrow
from embedclf.errors import DataError, RunError

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

TEXTS = ["a lovely film", "awful soup", "", "nothing of it", "great great hotel"] * 3


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_columns_are_those_of_predict(
    task: str, runs: dict[str, Run], invoke: Invoke, tmp_path: Path
) -> None:
    run = runs[task]
    names = run.config().data.input_columns.names
    batch = pa.RecordBatch.from_pydict(dict.fromkeys([*names, "id"], TEXTS))
    csv.write_csv(pa.table(batch), tmp_path / "in.csv")
    invoke("predict", tmp_path / "in.csv", "--run", run.path, "-k", 2, "--all-probabilities",
           "--prefix", "x_", "-o", tmp_path / "out.parquet")  # fmt: skip
    scored = embedclf.arrow.score(batch, run.path, top_k=2, all_probabilities=True, prefix="x_")
    assert pa.table(scored).equals(pa.parquet.read_table(tmp_path / "out.parquet"))


def test_null_is_an_empty_text_and_numbers_are_text(runs: dict[str, Run]) -> None:
    path = runs["binary"].path
    none, empty, number, word = (
        embedclf.arrow.score(pa.record_batch({"text": pa.array([cell])}), path).slice(0, 1)
        for cell in (None, "", 7, "7")
    )
    assert none.column("probability").equals(empty.column("probability"))
    assert number.column("probability").equals(word.column("probability"))


def test_other_kinds_of_text_columns(runs: dict[str, Run]) -> None:
    path = runs["binary"].path
    expected = embedclf.arrow.score(pa.record_batch({"text": TEXTS}), path)
    for dtype in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        batch = pa.record_batch({"text": pa.array(TEXTS).cast(dtype)})
        scored = embedclf.arrow.score(batch, path)
        assert scored.column("text").type == dtype
        assert scored.columns[1:] == expected.columns[1:]


def test_a_batch_without_rows_has_the_same_columns(runs: dict[str, Run]) -> None:
    batch = pa.record_batch({"text": TEXTS})
    scored = embedclf.arrow.score(batch, runs["binary"].path)
    empty = embedclf.arrow.score(batch.slice(0, 0), runs["binary"].path)
    assert empty.num_rows == 0
    assert empty.schema == scored.schema


def test_threads_share_a_run(runs: dict[str, Run]) -> None:
    batch = pa.record_batch({"text": TEXTS})
    paths = [run.path for run in runs.values() if run.config().data.text == "text"] * 8
    with ThreadPoolExecutor(8) as pool:
        scored = list(pool.map(lambda path: embedclf.arrow.score(batch, path), paths))
    assert scored == [embedclf.arrow.score(batch, path) for path in paths]


def test_a_run_that_was_replaced_is_loaded_again(runs: dict[str, Run], tmp_path: Path) -> None:
    batch = pa.record_batch({"text": TEXTS})
    path = tmp_path / "run"
    shutil.copytree(runs["binary"].path, path)
    before = embedclf.arrow.score(batch, path)
    shutil.rmtree(path)
    shutil.copytree(runs["multiclass"].path, path)
    columns = runs["multiclass"].config().data.input_columns.names
    other = pa.record_batch(dict.fromkeys(columns, TEXTS))
    assert embedclf.arrow.score(other, path).column("prediction") != before.column("prediction")


def test_faults_are_one_line(runs: dict[str, Run], tmp_path: Path) -> None:
    path = runs["binary"].path
    with pytest.raises(DataError, match=r"no column 'text'; did you mean 'texts'\?"):
        embedclf.arrow.score(pa.record_batch({"texts": TEXTS}), path)
    taken = pa.record_batch({"text": ["a"], "prediction": ["b"]})
    with pytest.raises(DataError, match="has a column 'prediction'; set a prefix"):
        embedclf.arrow.score(taken, path)
    with pytest.raises(DataError, match="'text' cannot be text"):
        embedclf.arrow.score(pa.record_batch({"text": pa.array([[1]])}), path)
    with pytest.raises(RunError):
        embedclf.arrow.score(taken, tmp_path / "none")
