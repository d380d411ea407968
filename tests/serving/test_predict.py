"""`POST /predict`: what is answered, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

TEXTS = [
    "a lovely hotel",
    "rude, dirty and slow",
    "",
    "NA",
    "null",
    "=1+1",
    "日本 🏨 <b>",
    "x\ny\x00z",
]

RECORDS = [
    {"id": 7, "title": "lovely", "body": "a hotel"},
    {"title": None, "body": 1.0, "other": {"a": [1]}},
    {"body": "NA", "title": True},
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("task", ["binary", "multilabel"])
@pytest.mark.parametrize("top_k", [0, 2])
def test_texts_are_answered_as_predict_answers_them(
    task: str, top_k: int, client: TestClient, runs: dict[str, Run], invoke: Invoke
) -> None:
    arguments = [argument for text in TEXTS for argument in ("-t", text)]
    printed = invoke("predict", *arguments, "--json", "-k", top_k, "--run", runs[task].path).stdout
    asked = {"texts": TEXTS, "run": f"{task}-1", "top_k": top_k}
    answered = client.post("/predict", json=asked)
    assert answered.status_code == 200
    assert answered.json()["predictions"] == json.loads(printed)["predictions"]


def test_records_are_answered_as_predict_answers_the_lines_of_a_json_table(
    client: TestClient, runs: dict[str, Run], invoke: Invoke, tmp_path: Path
) -> None:
    table = tmp_path / "records.jsonl"
    lines = [json.dumps(record) for record in RECORDS]
    table.write_text("\n".join(lines), encoding="utf-8")
    printed = invoke("predict", table, "--json", "-q", "--run", runs["multiclass"].path).stdout
    asked = {"records": RECORDS, "run": "multiclass-1"}
    assert (
        client.post("/predict", json=asked).json()["predictions"]
        == json.loads(printed)["predictions"]
    )


def test_the_numbers_of_a_record_stay_as_they_are_written(client: TestClient) -> None:
    body = (
        b'{"records": [{"text": "a", "n": 1.10, "big": 123456789012345678901}], "run": "binary-1"}'
    )
    assert b'"n": 1.10, "big": 123456789012345678901, "prediction"' in (
        client.post("/predict", content=body).content
    )


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_explanations_are_those_of_explain(
    task: str, client: TestClient, runs: dict[str, Run], invoke: Invoke
) -> None:
    texts = TEXTS[:3]
    printed = invoke("explain", *texts, "--json", "--run", runs[task].path).stdout
    asked = {"texts": texts, "run": f"{task}-1", "explain": True}
    predictions = client.post("/predict", json=asked).json()["predictions"]
    answered = [each for row in predictions for each in row["explanations"]]
    assert answered == json.loads(printed)["explanations"]


def test_one_text_is_answered_by_the_first_run(client: TestClient) -> None:
    answer = client.post("/predict", json={"text": "a lovely hotel"}).json()
    assert answer["run"] == "binary-1"
    assert [row["prediction"] for row in answer["predictions"]] == ["pos"]


@pytest.mark.parametrize("field", ["texts", "records"])
def test_no_rows_have_no_predictions(field: str, client: TestClient) -> None:
    answered = client.post("/predict", json={field: []})
    assert (answered.status_code, answered.json()["predictions"]) == (200, [])


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"records": [' + b"[" * 10_000, b'{"text": "\\ud800"}', b"NaN"]
)
def test_a_body_that_is_not_json_is_refused(body: bytes, client: TestClient) -> None:
    answered = client.post("/predict", content=body)
    assert answered.status_code == 400
    assert "JSON" in answered.json()["error"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "texts"),
        ({"text": "a", "texts": ["b"]}, "texts"),
        ({"texts": ["a", 1]}, "texts[1]"),
        ({"texts": "a"}, "texts"),
        ({"text": "a", "tex": "b"}, "tex"),
        ({"text": "a", "run": "other"}, "run"),
        ({"text": "a", "top_k": 3}, "top_k"),
        ({"text": "a", "top_k": -1}, "top_k"),
        ({"text": "a", "explain": 1}, "explain"),
        ({"records": [{"text": "a"}, {"txt": "a"}]}, "records[1].text"),
        ({"records": [{"text": ["a"]}]}, "records[0].text"),
        ({"records": ["a"]}, "records[0]"),
        ({"records": [{"text": "a", "prediction": "b"}]}, "records[0].prediction"),
        ([], None),
    ],
)
def test_a_wrong_field_is_named(asked: Any, field: str | None, client: TestClient) -> None:
    answered = client.post("/predict", json=asked)
    assert answered.status_code == 422
    assert answered.json().get("field") == field


def test_too_many_rows_are_refused(client: TestClient) -> None:
    assert client.post("/predict", json={"texts": ["a"] * 50}).status_code == 200
    answered = client.post("/predict", json={"texts": ["a"] * 51})
    assert (answered.status_code, answered.json()["field"]) == (413, "texts")


def test_a_body_that_is_too_large_is_refused_also_in_chunks(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b'{"text": "', *[b"a" * 1000] * 20, b'"}']

    fits = json.dumps({"text": "a" * 19_000}).encode()
    assert client.post("/predict", content=fits).status_code == 200
    for content in (b"".join(chunks()), chunks()):
        answered = client.post("/predict", content=content)
        assert answered.status_code == 413
        assert "20,000 bytes" in answered.json()["error"]


@given(st.binary(max_size=80) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_body_makes_the_service_fail(client: TestClient, body: bytes) -> None:
    for path in ("/predict", "/v2/models/binary-1/infer"):
        assert client.post(path, content=body).status_code in {200, 400, 413, 422}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "text": json_values,
            "texts": st.lists(st.text()) | json_values,
            "records": st.lists(st.dictionaries(st.just("text") | st.text(), json_values)),
            "run": st.sampled_from(["binary-1", "multiclass-1", "x"]) | json_values,
            "top_k": st.integers(-1, 3),
            "explain": st.booleans(),
        },
    )
)
def test_no_fields_make_the_service_fail(client: TestClient, asked: Any) -> None:
    answered = client.post("/predict", content=json.dumps(asked).encode())
    assert answered.status_code in {200, 400, 413, 422}
    assert ("predictions" in answered.json()) is (answered.status_code == 200)
