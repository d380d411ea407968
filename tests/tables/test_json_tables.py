"""JSON tables: every arrangement of records, keys that some records lack, nested keys."""

from __future__ import annotations

import io
import json
import tracemalloc
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.tables.json_tables.values import JsonText
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import open_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

RECORDS = [{"text": "a", "label": "01"}, {"text": "b\n{", "label": None}]

ROWS = [("a", "01"), ("b\n{", "")]

ARRANGED = {
    "lines": ("\n\n".join(map(json.dumps, RECORDS)), [1, 3]),
    "array": (json.dumps(RECORDS), [1, 2]),
    "indented array": (json.dumps(RECORDS, indent=2), [2, 6]),
    "trailing comma": ("[" + ",".join(map(json.dumps, RECORDS)) + ",\n]\n", [1, 2]),
    "pages": ("\n".join(json.dumps([record]) for record in RECORDS), [1, 2]),
    "one after another": ("\n".join(json.dumps(record, indent=1) for record in RECORDS), [1, 5]),
    "on one line": ("".join(map(json.dumps, RECORDS)), [1, 2]),
    "with commas": (",\n".join(map(json.dumps, RECORDS)), [1, 2]),
    "in an object": (json.dumps({"version": 1, "data": RECORDS, "tags": ["x"]}), [1, 2]),
    "pandas table": (json.dumps({"schema": {"fields": []}, "data": RECORDS}, indent=1), [6, 10]),
    "several arrays": (json.dumps({"features": [{"id": 1}, {"id": 2}], "rows": RECORDS}), [1, 2]),
    "byte-order mark": ("\ufeff" + json.dumps(RECORDS), [1, 2]),
}

REFUSED = {
    "empty array": ("[]", ": it has no records"),
    "empty object": ("{}", ": it has no records"),
    "strings": ('["a", "b"]', ":1: not a JSON object"),
    "arrays": ('\n["a", 1]\n["b", 2]', ":2: not a JSON object"),
    "late element": (
        '[{"text": "a", "label": 1},\n{"text": "b", "label": 2},\n3]',
        ":3: not a JSON",
    ),
    "number": ("12", ":1: not a JSON object"),
    "cut in a record": ('[{"text": "a", "label": 1},\n{"text": "b', ":2: the file ends within"),
    "cut after a record": ('[{"text": "a", "label": 1}', ":1: the file ends within this record"),
    "no comma": ('[{"text": "a",\n"label": 1}\n{"text": "b"}]', ":3: not JSON: expected ','"),
    "after the array": ('[{"text": "a", "label": 1}]\nx', ":2: text follows the array"),
    "no value": ('{"text": "a",\n"label": }\n', ":2: not JSON: Expecting value at '}"),
    "single quotes": ("{'text': 'a'}\n", ":1: not JSON: single quotes at"),
    "number as key": ("{\n1: 2}", ":2: not JSON: key '1' has no double quotes"),
    "first of many": ('{"text" "a"}\n{"text": "a", "label": 1}\n', ":1: not JSON: Expecting ':'"),
    "twice": ('[{"text": "a", "text": "b"}]', ":1: not JSON: key 'text' occurs twice"),
    "half a pair": ('[{"text": "\\ud800", "label": 1}]', ":1: an escape is half of a surrogate"),
    "deep": ('[{"text": ' + "[" * 100_000, ":1: not JSON that can be read: nested too deeply"),
    "columns": ('{"text": {"0": "a"}, "label": {"0": 1}}', ":1: one object of columns, as pandas"),
    "column lists": ('{"text": ["a", "b"], "label": [1, 2]}', ":1: one object of columns"),
    "rows by number": ('{"0": {"text": "a"}, "1": {"text": "b"}}', ":1: one object of columns"),
    "split": ('{"columns": ["text"], "data": [["a"]]}', ":1: one object of columns, as pandas"),
    "two tables": (
        json.dumps({"train": RECORDS, "test": RECORDS[:1]}),
        ":1: 2 arrays of records ('train', 'test'); save one of them as a file: "
        "jq -c '.[\"train\"][]' FILE > train.jsonl",
    ),
    "two short tables": (
        json.dumps({"train": RECORDS[:1], "test": RECORDS[:1]}),
        ":1: 2 arrays of records ('train', 'test')",
    ),
    "nested array": (
        json.dumps({"took": 3, "hits": {"total": 2, "hits": RECORDS}}),
        ":1: the records are in 'hits.hits'; save them: jq -c '.hits.hits[]' FILE > t.jsonl",
    ),
    "deeply nested array": (
        json.dumps({"reply": {"status": {"code": 0}, "result": {"items": RECORDS}}}),
        ":1: the records are in 'reply.result.items'; save them: jq -c '.reply.result.items[]'",
    ),
    "list": ('[{"text": ["a"], "label": 1}]', ":1: 'text' is a list, not a text; write it as one"),
    "object": ('{"text": {"en": "a"}, "label": 1}\n', "such as 'text.en'"),
    "on one line": ('[{"text": "a", "label": 1}, {"text": "b", "label": 2} {', ": row 3: not JSON"),
    "text on one line": ('[{"text": "a", "label": 1}, {"text": []}]', ": row 2: 'text' is a list"),
    "no key": ('[{"body": "a", "label": 1}]', ":1: no column 'text'"),
}


def read(path: Path, columns: Sequence[str] = ("text", "label")) -> list[tuple[str, ...]]:
    table = open_table(str(path), columns)
    batches = [batch for batch, _ in table.iter_batches(columns, as_json=columns[1:])]
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


def write_lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


@pytest.mark.parametrize("extension", ["json", "jsonl", "txt"])
@pytest.mark.parametrize("arrangement", ARRANGED)
def test_records_of_any_arrangement_are_read_and_located(
    tmp_path: Path, arrangement: str, extension: str
) -> None:
    content, lines = ARRANGED[arrangement]
    path = tmp_path / f"t.{extension}"
    path.write_text(content, encoding="utf-8")
    assert read(path) == ROWS
    table = open_table(str(path), ["text", "label"])
    assert table.line_numbers([0, 1]) == lines
    is_on_one_line = "\n" not in content.strip().removesuffix("]").strip()
    before = f"{path}{': row ' if is_on_one_line else ':'}"
    assert table.locate([0, 1]) == [f"{before}{line}" for line in lines]
    assert list(table.find_broken_rows(["text", "label"])) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    content, fault = REFUSED[name]
    path = tmp_path / "t.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(
    records=st.lists(st.dictionaries(st.text("abc", max_size=2), VALUES), max_size=6),
    block_bytes=st.integers(1, 40),
    indent=st.none() | st.integers(0, 2),
    ascii_only=st.booleans(),
)
def test_an_array_is_the_same_in_blocks_of_any_size(
    records: list[dict[str, Any]], block_bytes: int, indent: int | None, ascii_only: bool
) -> None:
    content = json.dumps(records, indent=indent, ensure_ascii=ascii_only)
    text = JsonText(io.BytesIO(content.encode()), block_bytes)
    read = list(text.read_array())
    assert [json.loads(record.text) for record in read] == records
    assert not text.peek()
    for record in read:
        following = "\n".join(content.split("\n")[record.line - 1 :])
        assert record.text in following


class Endless:
    """The bytes of an array on one line that never ends."""

    def __init__(self) -> None:
        self._opening = b"["

    def read(self, size: int) -> bytes:
        opening, self._opening = self._opening, b""
        return opening or b'{"text": "abcdef", "n": [1, 2.50]}, ' * (size // 36)


def test_an_array_larger_than_the_memory_is_read_in_blocks() -> None:
    records = JsonText(Endless(), 1 << 14).read_array()
    next(records)
    tracemalloc.start()
    total = sum(len(record.text) for record in islice(records, 20_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 600_000
    assert peak < 200_000


def test_numbers_are_read_as_written_and_nan_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": 1.10, "label": NaN}\n{"text": "b", "label": 1e400}\n')
    assert read(path) == [("1.10", ""), ("b", "1e400")]
    path.write_text('[{"text": 1.10, "label": [1.50, NaN]}, {"text": "b", "label": -Infinity}]')
    assert read(path) == [("1.10", "[1.50, null]"), ("b", "-Infinity")]


def test_a_record_without_a_key_has_an_empty_cell(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.jsonl", {"text": "a", "label": "x"}, {"new": 1}, {"text": "c"})
    assert read(path) == [("a", "x"), ("", ""), ("c", "")]
    assert open_table(str(path), []).columns == ("text", "label", "new")


def test_a_key_that_appears_late_is_a_column_of_the_output(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = write_lines(
        tmp_path / "t.jsonl", *({"text": "a"} for _ in range(9000)), {"text": "b", "late": [1]}
    )
    args = ("predict", path, "--run", runs["binary"].path, "-o")
    invoke(*args, tmp_path / "o.csv")
    table = open_table(str(tmp_path / "o.csv"), []).read(["text", "late"])
    assert table["late"].to_pylist() == [""] * 9000 + ["[1]"]
    invoke(*args, tmp_path / "o.jsonl")
    lines = (tmp_path / "o.jsonl").read_text().splitlines()
    assert lines[0].startswith('{"text": "a", "prediction": ')
    assert lines[-1].startswith('{"text": "b", "late": [1], "prediction": ')


def test_records_of_an_array_become_lines_with_their_text_unchanged(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "t.json"
    path.write_text('[\n  {\n    "text": "a  b",\n    "n": 1.50, "z": "\\u00e9"\n  },\n {}]')
    invoke("predict", path, "--run", runs["binary"].path, "-o", tmp_path / "o.jsonl")
    first, second = (tmp_path / "o.jsonl").read_text().splitlines()
    assert first.startswith('{ "text": "a  b", "n": 1.50, "z": "\\u00e9", "prediction": "')
    assert second.startswith('{"prediction": "')


def test_a_nested_key_is_named_by_its_path(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "t.jsonl",
        {"a": {"text": "x", "b": {"c": [{"d": "y"}, {"d": ["z", "w"]}]}}},
        {"a": {"text": None, "b": None}, "a.text": "literal"},
        {"a": "no object"},
    )
    names = ("a.text", "a.b.c.0.d", "a.b.c.1.d", "a.b.c.1.d.1")
    assert read(path, names) == [
        ("x", "y", '["z", "w"]', "w"),
        ("literal", "", "", ""),
        ("", "", "", ""),
    ]
    assert open_table(str(path), []).leaves == ("a", "a.text", "a.b.c.0.d")
    with pytest.raises(DataError, match=r"no column 'a\.b\.d'.*did you mean 'a\.b\.c\.0\.d'\?"):
        open_table(str(path), ["a.b.d"])
    with pytest.raises(DataError, match=r":1: 'a' is an object.*such as 'a\.text'"):
        open_table(str(path), ["a"]).read(["a"])


def test_a_run_learns_from_nested_keys_and_predicts_with_them(
    tmp_path: Path, invoke: Invoke
) -> None:
    path = write_lines(
        tmp_path / "t.jsonl",
        *(
            {"review": {"body": f"{word} thing {n}"}, "tags": [label]}
            for n in range(40)
            for word, label in (("lovely", "pos"), ("awful", "neg"))
        ),
    )
    config = tmp_path / "c.yaml"
    config.write_text(
        f"data: {{train: {path}, text: review.body, label: tags, validation: 0.2}}\n"
        "model: {embedding_dim: 4}\ntraining: {epochs: 1}\n"
    )
    invoke("train", config, "-o", tmp_path / "run", "-q")
    out = tmp_path / "o.csv"
    invoke("predict", path, "--run", tmp_path / "run", "-o", out)
    rows = open_table(str(out), []).read(["review", "prediction"])
    assert rows["review"].to_pylist()[0] == '{"body": "lovely thing 0"}'
    assert set(rows["prediction"].to_pylist()) <= {"pos", "neg"}


def test_an_evaluation_is_sliced_by_nested_and_late_keys(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    rows = [{"text": f"great {n}", "label": "pos", "shop": {"town": "Rome"}} for n in range(1200)]
    path = write_lines(tmp_path / "t.jsonl", *rows, rows[0] | {"late": "yes", "label": "neg"})
    args = ("evaluate", "--data", path, "--run", runs["binary"].path, "--no-baseline", "--json")
    slices = json.loads(invoke(*args, "--by", "shop.town", "--by", "late").stdout)["slices"]
    rows_of = {(each["by"], each["name"]): each["rows"] for each in slices}
    assert {key: count for key, count in rows_of.items() if key[0] in {"shop.town", "late"}} == {
        ("shop.town", "Rome"): 1201,
        ("late", "(empty)"): 1200,
        ("late", "yes"): 1,
    }


def test_lines_that_are_no_records_can_be_skipped(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b",}\n[1]\n{"text": "c"}\n{"text"')
    with pytest.raises(DataError, match=r":2: not JSON.*data\.on_bad_row: skip"):
        open_table(str(path), ["text"]).read(["text"])
    table = open_table(str(path), ["text"], ReadOptions(on_bad_row="skip"))
    assert table.read(["text"])["text"].to_pylist() == ["a", "c"]
    assert table.line_numbers([0, 1]) == [1, 4]
    (note,) = table.notes()
    assert note.startswith(f"{path}:2: 3 rows ignored")
    assert list(table.find_broken_rows(["text"])) == []
    path.write_text('{"text": "a"}\n{"text": ["b"]}\n')
    table = open_table(str(path), ["text"], ReadOptions(on_bad_row="skip"))
    ((place, fault),) = table.find_broken_rows(["text"])
    assert (place, fault[:16]) == (f"{path}:2", "'text' is a list")


def test_all_broken_records_are_found(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    faults = b'{"text": "a"}\n{"text": ["b"]}\n{"text": 1 2}\n7\n'
    # A byte of another encoding, behind what is read to find the columns.
    path.write_bytes(faults + b'{"text": "' + b"x" * 5_000_000 + b'"}\n{"text": "\xe9"}\n')
    table = open_table(str(path), ["text"], ReadOptions(encoding="utf-8"))
    found = [place for place, _ in table.find_broken_rows(["text"])]
    assert found == [f"{path}:{line}" for line in (2, 3, 4, 6)]


STUDIO = {
    "id": 1,
    "data": {"text": "good", "source": "web"},
    "annotations": [
        {
            "id": 11,
            "completed_by": 2,
            "was_cancelled": False,
            "lead_time": 4.288,
            "result": [
                {
                    "id": "Dx_aB",
                    "from_name": "sentiment",
                    "to_name": "text",
                    "type": "choices",
                    "value": {"choices": ["pos"]},
                }
            ],
        }
    ],
    "predictions": [],
}
SKIPPED = STUDIO | {"annotations": [{"id": 12, "was_cancelled": True, "result": []}]}

EXPORTS: dict[str, tuple[list[dict[str, Any]], str, str, list[tuple[str, str]]]] = {
    "Label Studio": (
        [STUDIO, SKIPPED],
        "data.text",
        "annotations.0.result.0.value.choices",
        [("good", '["pos"]'), ("good", "")],
    ),
    "Label Studio, JSON-MIN": (
        [
            {"text": "good", "id": 1, "sentiment": "pos", "annotator": 1, "lead_time": 3.2},
            {"text": "so", "id": 2, "sentiment": {"choices": ["pos", "neg"]}, "annotator": 1},
        ],
        "text",
        "sentiment",
        [("good", "pos"), ("so", '{"choices": ["pos", "neg"]}')],
    ),
    "doccano": (
        [{"id": 1, "text": "good", "label": ["pos", "short"], "Comments": []}],
        "text",
        "label",
        [("good", '["pos", "short"]')],
    ),
    "doccano 1.0": (
        [{"id": 1, "text": "good", "annotations": [{"label": 3, "user": 1}], "meta": {}}],
        "text",
        "annotations.0.label",
        [("good", "3")],
    ),
    "Prodigy": (
        [
            {
                "text": "good",
                "_input_hash": -1530009927,
                "options": [{"id": "POS", "text": "Positive"}, {"id": "NEG", "text": "Negative"}],
                "accept": ["POS"],
                "answer": "accept",
            },
            {"text": "hm", "options": [], "accept": [], "answer": "ignore"},
        ],
        "text",
        "accept",
        [("good", '["POS"]'), ("hm", "[]")],
    ),
    "spaCy": (
        [{"text": "good", "cats": {"POS": 1.0, "NEG": 0.0}}],
        "text",
        "cats.POS",
        [("good", "1.0")],
    ),
    "Argilla 1": (
        [
            {
                "text": None,
                "inputs": {"text": "good"},
                "prediction": [["pos", 0.9]],
                "annotation": "pos",
                "status": "Validated",
            }
        ],
        "inputs.text",
        "annotation",
        [("good", "pos")],
    ),
    "Argilla 2": (
        [
            {
                "id": "1",
                "fields": {"text": "good"},
                "suggestions": {"label": {"value": "neg", "score": 0.5, "agent": "m"}},
                "responses": {"label": [{"value": "pos", "user_id": "u"}]},
                "status": "completed",
            },
            {"id": "2", "fields": {"text": "so"}, "suggestions": {}, "responses": {}},
        ],
        "fields.text",
        "responses.label.0.value",
        [("good", "pos"), ("so", "")],
    ),
    "Argilla 2, as a dataset": (
        [
            {
                "text": "good",
                "label": None,
                "label.responses": ["pos"],
                "label.responses.users": ["u"],
            }
        ],
        "text",
        "label.responses",
        [("good", '["pos"]')],
    ),
}


@pytest.mark.parametrize("tool", EXPORTS)
def test_exports_of_annotation_tools_are_read(tmp_path: Path, tool: str) -> None:
    records, text, label, rows = EXPORTS[tool]
    for path in (tmp_path / "t.json", tmp_path / "t.jsonl"):
        path.write_text(json.dumps(records, indent=1))
        if path.suffix == ".jsonl":
            write_lines(path, *records)
        assert read(path, (text, label)) == rows
        assert {text, label} <= set(open_table(str(path), []).leaves)
