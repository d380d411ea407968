"""Parquet tables: types, nested columns, names of classes."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from embedclf.errors import DataError
from embedclf.tables.nested import find_column, find_value
from embedclf.tables.tables import open_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

DAY = dt.date(2020, 1, 31)

CELLS: dict[str, tuple[pa.Array, list[str]]] = {
    "floats": (pa.array([1.0, None, float("nan"), 2.5]), ["1", "", "", "2.5"]),
    "half floats": (pa.array([1.5, None, float("nan"), 3], pa.float16()), ["1.5", "", "", "3"]),
    "booleans": (pa.array([True, None, False, True]), ["true", "", "false", "true"]),
    "dates": (pa.array([DAY, None, DAY, DAY]), ["2020-01-31", "", "2020-01-31", "2020-01-31"]),
    "decimals": (pa.array([decimal.Decimal("1.10"), None, None, None]), ["1.10", "", "", ""]),
    "large strings": (pa.array(["a", None, "", "NA"], pa.large_string()), ["a", "", "", "NA"]),
    "views": (pa.array(["a", None, "", "NA"], pa.string_view()), ["a", "", "", "NA"]),
    "categories": (pa.array(["a", "b", None, "a"]).dictionary_encode(), ["a", "b", "", "a"]),
    "numbered": (pa.array([1.0, None, 2.0, 1.0]).dictionary_encode(), ["1", "", "2", "1"]),
    "nothing": (pa.nulls(4), ["", "", "", ""]),
    "bytes": (pa.array([b"a", "é".encode(), None, b""]), ["a", "é", "", ""]),
    "json": (pa.array(['{"a": 1}', None, "1", "2"], pa.json_()), ['{"a": 1}', "", "1", "2"]),
    "lists": (pa.array([["a", "b"], [], None, ["c"]]), ['["a", "b"]', "[]", "", '["c"]']),
    "no items": (pa.array([[None], [], None, []], pa.list_(pa.null())), ["[null]", "[]", "", "[]"]),
    "pairs": (
        pa.array([[1, 2]] * 4, pa.list_(pa.int64(), 2)),
        ["[1, 2]", "[1, 2]", "[1, 2]", "[1, 2]"],
    ),
    "structs": (pa.array([{"a": DAY}, None, None, None]), ['{"a": "2020-01-31"}', "", "", ""]),
}

CLASSES = {"names": ["neg", "pos"], "_type": "ClassLabel"}


def write(path: Path, columns: dict[str, Any], features: object = None) -> Path:
    table = pa.table(columns)
    if features is not None:
        metadata = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": metadata})
    parquet.write_table(table, path)
    return path


def read(path: Path, columns: Sequence[str], as_json: Sequence[str] = ()) -> list[list[str]]:
    batches = [
        batch for batch, _ in open_table(str(path), columns).iter_batches(columns, as_json=as_json)
    ]
    return [[cell for batch in batches for cell in batch[name].to_pylist()] for name in columns]


@pytest.mark.parametrize("kind", CELLS)
def test_cells_of_every_type_become_text(tmp_path: Path, kind: str) -> None:
    cells, texts = CELLS[kind]
    path = write(tmp_path / "t.parquet", {"x": cells})
    assert read(path, ["x"], ["x"]) == [texts]


def test_nested_columns_are_named_by_their_path(tmp_path: Path) -> None:
    columns = {
        "review": [{"body": "x", "n": 1}, None, {"body": None, "n": 2}],
        "a.b": ["1", "2", "3"],
        "a": [{"b": "no"}] * 3,
        "marks": [[{"v": ["p"]}, {"v": ["q", "r"]}], [], None],
    }
    path = write(tmp_path / "t.parquet", columns)
    table = open_table(str(path), [])
    assert table.columns == tuple(columns)
    assert table.leaves == ("review.body", "review.n", "a.b", "marks.0.v")
    assert read(path, ["review.body", "review.n", "a.b"]) == [
        ["x", "", ""],
        ["1", "", "2"],
        [*"123"],
    ]
    names = ["marks.0.v", "marks.1.v", "marks.1.v.1"]
    assert read(path, names, names[:2]) == [
        ['["p"]', "", ""],
        ['["q", "r"]', "", ""],
        ["r", "", ""],
    ]
    with pytest.raises(DataError, match=r"no column 'review\.bdy'.*did you mean 'review\.body'\?"):
        open_table(str(path), ["review.bdy"])


LEAVES = st.none() | st.lists(st.none() | st.text("xy", max_size=2), max_size=3)


@settings(max_examples=60)
@given(
    cells=st.lists(
        st.none() | st.lists(st.none() | st.fixed_dictionaries({"v": LEAVES}), max_size=3)
    ),
    offset=st.integers(0, 2),
    positions=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_paths_find_the_same_in_parquet_and_in_json(
    cells: list[Any], offset: int, positions: tuple[int, int]
) -> None:
    item = pa.struct({"v": pa.list_(pa.string())})
    rows = pa.record_batch([pa.array(cells, pa.list_(item))], ["a"]).slice(offset)
    name = f"a.{positions[0]}.v.{positions[1]}"
    expected = [find_value({"a": cell}, name) for cell in cells[offset:]]
    assert find_column(rows, name).to_pylist() == expected


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (pa.array([["a"]]), "column 'x' is a list, not a text; write it as one string"),
        (pa.array([{"en": "a"}]), "column 'x' is a struct, not a text; .* such as 'x.en'"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())), "column 'x' is a map, not a"),
        (pa.array([b"\xff"]), "column 'x' holds bytes that are not UTF-8; name another column"),
        (pa.array([b"\xff" * 16], pa.uuid()), r"column 'x' cannot be text \(type fixed_size_bin"),
    ],
)
def test_what_cannot_be_text_is_refused_in_plain_words(
    tmp_path: Path, column: pa.Array, fault: str
) -> None:
    path = write(tmp_path / "t.parquet", {"x": column})
    with pytest.raises(DataError, match=rf"t\.parquet: {fault}"):
        read(path, ["x"])


def test_ids_of_classes_are_read_as_their_names(tmp_path: Path) -> None:
    columns = {
        "label": pa.array([1, 0, -1, None], pa.int8()),
        "several": [[0, 1], [], [-1], None],
        "old": [[1], [], None, [0]],
        "deep": [{"label": 1}, None, {"label": None}, {"label": 0}],
        "flat": [{"label": [1, 0]}] * 4,
        "named": ["neg", "pos", None, "x"],
    }
    features = {
        "label": CLASSES,
        "several": {"feature": CLASSES, "_type": "Sequence"},
        "old": [CLASSES],
        "deep": {"label": CLASSES},
        "flat": {"feature": {"label": CLASSES}, "_type": "Sequence"},
        "named": CLASSES,
    }
    path = write(tmp_path / "t.parquet", columns, features)
    names = ["label", "several", "several.0", "old", "deep.label", "flat.label", "named"]
    assert read(path, names, names) == [
        ["pos", "neg", "", ""],
        ['["neg", "pos"]', "[]", "[]", ""],
        ["neg", "", "", ""],
        ['["pos"]', "[]", "", '["neg"]'],
        ["pos", "", "", "neg"],
        ['["pos", "neg"]'] * 4,
        ["neg", "pos", "", "x"],
    ]


@pytest.mark.parametrize("cells", [[0, 2], [-2, 0], [[0], [5]]])
def test_an_id_without_a_name_is_refused(tmp_path: Path, cells: list[Any]) -> None:
    features = {"x": CLASSES if isinstance(cells[0], int) else [CLASSES]}
    path = write(tmp_path / "t.parquet", {"x": cells}, features)
    with pytest.raises(DataError, match=r"'x': there is no class -?\d; .* names 2 classes, from 0"):
        read(path, ["x"], ["x"])


@pytest.mark.parametrize(
    "metadata",
    [
        b"{oops",
        b"3",
        b'{"info": null}',
        b'{"info": {"features": 3}}',
        b'{"info": {"features": {"x": {"_type": "ClassLabel", "names": 5}}}}',
        b'{"info": {"features": {"x": {"_type": "ClassLabel", "num_classes": 2}}}}',
    ],
)
def test_metadata_of_other_programs_is_ignored(tmp_path: Path, metadata: bytes) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"x": [0]}).replace_schema_metadata({b"huggingface": metadata})
    parquet.write_table(table, path)
    assert read(path, ["x"]) == [["0"]]


def test_class_names_are_labels_and_outputs_keep_the_ids(tmp_path: Path, invoke: Invoke) -> None:
    texts = [f"{word} thing {n}" for n in range(40) for word in ("awful", "lovely")]
    path = write(
        tmp_path / "t.parquet",
        {"text": texts, "label": [0, 1] * 40},
        {"text": {"dtype": "string", "_type": "Value"}, "label": CLASSES},
    )
    config = tmp_path / "c.yaml"
    config.write_text(
        f"data: {{train: {path}, validation: 0.2}}\n"
        "model: {embedding_dim: 4}\ntraining: {epochs: 1}\n"
    )
    invoke("train", config, "-o", tmp_path / "run", "-q")
    args = ("predict", path, "--run", tmp_path / "run", "-o")
    invoke(*args, tmp_path / "o.parquet")
    restored = parquet.read_table(tmp_path / "o.parquet")
    assert restored["label"].to_pylist() == [0, 1] * 40
    assert set(restored["prediction"].to_pylist()) <= {"neg", "pos"}
    invoke(*args, tmp_path / "o.csv")
    assert read(tmp_path / "o.csv", ["label"]) == [["neg", "pos"] * 40]


def test_nested_texts_of_a_parquet_table_are_predicted(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = write(tmp_path / "t.parquet", {"review": [{"text": "great"}, {"text": "awful"}]})
    out = tmp_path / "o.parquet"
    run = runs["binary"].path
    invoke("predict", path, "--run", run, "-o", out, "--text-column", "review.text")
    restored = parquet.read_table(out)
    assert restored["review"].to_pylist() == [{"text": "great"}, {"text": "awful"}]
    assert restored.num_columns > 1


def test_a_table_without_rows_or_row_groups_is_read(tmp_path: Path) -> None:
    schema = pa.schema({"text": pa.string(), "labels": pa.list_(pa.string())})
    for name, rows in (("groups", [pa.table({"text": [], "labels": []}, schema)]), ("none", [])):
        path = tmp_path / f"{name}.parquet"
        with parquet.ParquetWriter(path, schema) as writer:
            for table in rows:
                writer.write_table(table)
        assert read(path, ["text", "labels"], ["labels"]) == [[], []]
        assert open_table(str(path), ["text"]).line_numbers([]) == []


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    content = write(tmp_path / "t.parquet", {"text": ["a"] * 1000}).read_bytes()
    for wrong in (b"PAR1", content[:-30], b"PAR1" + b"x" * 20 + b"PAR1"):
        (tmp_path / "t.parquet").write_bytes(wrong)
        with pytest.raises(DataError, match=r"t\.parquet: .*(not a Parquet file|truncated)"):
            read(tmp_path / "t.parquet", ["text"])
    (tmp_path / "t.parquet").write_bytes(content[:-30])
    with pytest.raises(DataError, match=r"or a truncated one; download or copy it again$"):
        read(tmp_path / "t.parquet", ["text"])
    (tmp_path / "t.parquet").write_bytes(content[:10] + b"\xff" * 10 + content[20:])
    with pytest.raises(DataError, match=r"t\.parquet: damaged Parquet file"):
        read(tmp_path / "t.parquet", ["text"])
    (tmp_path / "t.parquet").write_bytes(content[:-4] + b"PARE")
    with pytest.raises(DataError, match=r"t\.parquet: .*encrypted"):
        read(tmp_path / "t.parquet", ["text"])
