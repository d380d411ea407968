"""The rows of a few texts are those of the predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.inference.few_rows import predict_few, predict_texts
from embedclf.inference.predictor import Predictor
from embedclf.inference.streams import line_batch
from embedclf.system.arrow import text_column
from tests.conftest import BAD, GOOD

if TYPE_CHECKING:
    from embedclf.runs.run import Run
    from tests.conftest import Invoke

words = st.sampled_from([*GOOD, *BAD, "red", "new", "?"]) | st.text(max_size=5)
texts = st.lists(words, max_size=12).map(" ".join) | st.text()


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@given(texts=st.lists(texts, max_size=20), top_k=st.integers(0, 2), every=st.booleans())
def test_few_texts_have_the_rows_of_the_predictor(
    task: str, texts: list[str], top_k: int, every: bool, runs: dict[str, Run]
) -> None:
    predictor = Predictor(runs[task].classifier(), top_k=top_k, all_probabilities=every)
    rows = predictor.predict(line_batch(text_column(texts))).to_pylist()
    assert predict_few(predictor, texts) == rows
    assert predict_texts(runs[task], texts, all_probabilities=every, top_k=top_k) == rows


@pytest.mark.parametrize("option", ["--excel", "--safe-csv"])
def test_typed_texts_are_no_table_for_a_spreadsheet(
    option: str, runs: dict[str, Run], invoke: Invoke
) -> None:
    stderr = invoke("predict", "-t", "good", "--run", runs["binary"].path, option, status=2).stderr
    assert stderr.startswith("embedclf: --excel and --safe-csv are for tables; write one with -o")
