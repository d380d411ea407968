"""Cells as CSV and JSON text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from tests.conftest import Invoke, write_csv
from tests.inference.conftest import ADDED, read_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run


def test_json_records_keep_their_text(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    records = [
        '{"n": 1.50, "text": "great", "deep": {"a": [1, null]}, "é": "\\u00e9"}',
        '{ "text" : null }',
        '{"text": "awful film, it was awful", "new": 1e400, "n": null}',
    ]
    (tmp_path / "in.jsonl").write_text("\n\n".join(records) + "\r\n", encoding="utf-8")
    invoke("predict", tmp_path / "in.jsonl", "--run", run.path, "-o", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    for record, line in zip(records, lines, strict=True):
        assert line.startswith(record.removesuffix("}").rstrip() + ', "prediction": "')
        assert set(ADDED) < set(json.loads(line))
    streamed = invoke("predict", tmp_path / "in.jsonl", "--run", run.path, "-o", "-").stdout
    assert streamed.splitlines() == lines
    stdout = invoke("predict", tmp_path / "in.jsonl", "--run", run.path, "--json").stdout
    assert json.loads(stdout)["predictions"] == [json.loads(line) for line in lines]


def test_json_numbers_keep_their_digits(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    long = "9" * 5000
    path = tmp_path / "in.jsonl"
    path.write_text(f'{{"text": "a", "n": {long}, "deep": [1.50, 1e400, {{"a": 1E2}}]}}\n')
    stdout = invoke("predict", path, "--run", run.path, "--json").stdout
    assert f'"n": {long}, "deep": [1.50, 1e400, {{"a": 1E2}}], "prediction"' in stdout
    invoke("predict", path, "--run", run.path, "-o", tmp_path / "out.csv")
    assert read_csv(tmp_path / "out.csv")[1][1:3] == [long, '[1.50, 1e400, {"a": 1E2}]']


def test_values_that_json_lacks_become_null_or_text(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path, out = tmp_path / "in.parquet", tmp_path / "out.jsonl"
    far = pa.array([3 * 10**17], pa.int64()).cast(pa.timestamp("us"))
    columns = {"text": ["a"], "x": [float("nan")], "deep": [[1.0, float("inf")]], "at": far}
    parquet.write_table(pa.table(columns), path)
    invoke("predict", path, "--run", run.path, "-o", out)
    (row,) = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    parquet.write_table(pa.table({"text": ["a"], "raw": [b"\xff"]}), tmp_path / "raw.parquet")
    stderr = invoke(
        "predict", tmp_path / "raw.parquet", "--run", run.path, "-o", tmp_path / "o.jsonl", status=1
    ).stderr
    assert "column 'raw' holds bytes, which JSON has no type for; write Parquet" in stderr
    assert (row["x"], row["deep"]) == (None, [1.0, None])
    assert isinstance(row["at"], str)


def test_nested_json_becomes_json_text_in_csv(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "great", "deep": {"a": [1, "é"]}}\n', encoding="utf-8")
    invoke("predict", path, "--run", run.path, "-o", tmp_path / "out.csv")
    ((_, deep, *_),) = read_csv(tmp_path / "out.csv")[1:]
    assert json.loads(deep) == {"a": [1, "é"]}


FORMULAS = ["=1+1", "+cmd|'/c calc'!A0", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"]


PLAIN = ["-5", "+1.50", "-1e5", "-1,234.5", "a=b", "", " =1", "it's"]


def test_formulas_are_escaped_if_asked_for(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = write_csv(tmp_path / "in.csv", ["text", "=id"], [("a", c) for c in [*FORMULAS, *PLAIN]])
    out = tmp_path / "out.csv"
    invoke("predict", path, "--run", run.path, "-o", out, "--safe-csv")
    rows = read_csv(out)
    assert rows[0][:2] == ["text", "'=id"]
    assert [row[1] for row in rows[1:]] == [f"'{cell}" for cell in FORMULAS] + PLAIN
    assert out.read_bytes().count(b'\n"a",') == len(FORMULAS) + len(PLAIN)
    invoke("predict", path, "--run", run.path, "-o", out)
    assert [row[1] for row in read_csv(out)[1:]] == [*FORMULAS, *PLAIN]
    json_out = tmp_path / "out.jsonl"
    stderr = invoke(
        "predict", path, "--run", run.path, "-o", json_out, "--safe-csv", status=2
    ).stderr
    assert "--safe-csv applies only to CSV and TSV" in stderr
