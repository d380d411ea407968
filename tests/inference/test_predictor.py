"""Batches of rows are split so that many labels take little memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedclf.data.labels import Labels
from embedclf.inference.predictor import Predictor
from embedclf.system.arrow import Batch

if TYPE_CHECKING:
    from embedclf.runs.run import Run


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    rows=st.integers(0, 700), labels=st.sampled_from([3, 5_000, 300_000, 2_000_000]), data=st.data()
)
def test_split_batches_have_the_same_rows_and_few_probabilities(
    runs: dict[str, Run], rows: int, labels: int, data: st.DataObject
) -> None:
    names = Labels("multiclass", ("a",) * labels, (1,) * labels)
    predictor = Predictor(replace(runs["multiclass"].classifier(), labels=names))
    texts = pa.array([str(row) for row in range(rows)], pa.string())
    flush = data.draw(st.booleans())
    table = pa.RecordBatch.from_arrays([texts], ["text"])
    parts = list(predictor.split([Batch(texts, table, texts, 0.5, flush)]))
    assert [text for part in parts for text in part.texts.to_pylist()] == texts.to_pylist()
    for part in parts:
        assert part.texts.equals(part.rows.column(0))
        assert part.records is not None
        assert part.texts.equals(part.records)
        assert len(part.texts) * labels <= 1 << 20 or len(part.texts) == 1
    assert [part.flush for part in parts] == [False] * (len(parts) - 1) + [flush]


def test_a_batch_of_few_labels_stays_whole(runs: dict[str, Run]) -> None:
    predictor = Predictor(runs["binary"].classifier())
    texts = pa.array(["a", "b"])
    batch = Batch(texts, pa.RecordBatch.from_arrays([texts], ["text"]))
    (only,) = predictor.split([batch])
    assert only is batch
