"""Tables that differ from the one that a run was trained on."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from xlsxwriter import Workbook

from embedclf.config.data_section import DataConfig
from embedclf.errors import DataError
from embedclf.tables.new_tables import open_new_table
from tests.conftest import reviews, write_csv
from tests.inference.conftest import ADDED, read_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


@pytest.fixture
def run(runs: dict[str, Run]) -> Run:
    return runs["binary"]


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        (["Text", "n"], "did you mean 'Text'? --text-column Text"),
        (["n", " TEXT "], "did you mean ' TEXT '? --text-column ' TEXT '"),
        (["txet", "n"], "did you mean 'txet'? --text-column txet"),
        (["n", "review_text"], "did you mean 'review_text'? --text-column review_text"),
        (["n", "reviewText"], "did you mean 'reviewText'? --text-column reviewText"),
        (["n", "Review Text"], "did you mean 'Review Text'? --text-column 'Review Text'"),
        (["review", "n"], "columns: 'review', 'n'; name it with --text-column NAME"),
    ],
)
def test_a_missing_text_column_is_named_with_the_option_to_use(
    run: Run, tmp_path: Path, invoke: Invoke, header: list[str], hint: str
) -> None:
    path = write_csv(tmp_path / "in.csv", header, [("great", "great")])
    stderr = invoke("predict", path, "--run", run.path, status=1).stderr
    assert f"in.csv:1: no column 'text', which the run reads as text; {hint}" in stderr
    assert "data.label" not in stderr


def test_the_text_column_of_a_table_can_be_named(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = write_csv(tmp_path / "in.csv", ["id", "Text"], [("1", "great hotel")])
    for command in (("predict", path), ("explain", "--file", path)):
        done = invoke(*command, "--text-column", "Text", "--run", run.path)
        assert "pos" in done.stdout
    stderr = invoke("predict", path, "--text-column", "Txt", "--run", run.path, status=1).stderr
    assert "no column 'Txt', which the run reads as text; did you mean 'Text'?" in stderr


def test_all_text_columns_are_named_in_the_order_of_the_run(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    run = runs["multiclass"]
    path = write_csv(tmp_path / "in.csv", ["Title", "body"], [("about heat", "heat and great 3")])
    stderr = invoke("predict", path, "--run", run.path, status=1).stderr
    hint = "did you mean 'Title'? --text-column Title --text-column body\n"
    assert stderr.endswith(hint)
    columns = ("--text-column", "Title", "--text-column", "body")
    stdout = invoke("predict", path, *columns, "--run", run.path).stdout
    assert stdout.splitlines()[1].startswith("about heat,heat and great 3,heat,")


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_labeled_tables_can_have_other_columns(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke, command: str
) -> None:
    path = write_csv(tmp_path / "new.csv", ["Text", "sentiment"], reviews(20))
    args = (command, runs["binary"].path, "--data", path, "--no-baseline")
    output = ("-o", "-") if command == "report" else ()
    done = invoke(*args, *output, "--text-column", "Text", "--label-column", "sentiment")
    assert "20 rows" in done.stdout
    stderr = invoke(*args, *output, "--text-column", "Text", status=1).stderr
    assert "new.csv:1: no column 'label', which the run reads as label; columns: " in stderr
    assert "name it with --label-column NAME" in stderr
    two = ("--label-column", "a", "--label-column", "b")
    stderr = invoke(*args, *output, *two, status=2).stderr
    assert "--label-column: 2 columns named, but the run has 1: label" in stderr


def test_runs_are_compared_on_a_table_with_other_columns(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = write_csv(tmp_path / "new.csv", ["Text", "Label"], reviews(20))
    run = runs["binary"].path
    named = ("--text-column", "Text", "--label-column", "Label")
    assert "rows            20 " in invoke("compare", run, run, "--data", path, *named).stdout


def test_options_of_a_table_need_one(runs: dict[str, Run], invoke: Invoke) -> None:
    for command in ("evaluate", "report"):
        args = (command, runs["binary"].path, "--text-column", "Text")
        assert "need --data TABLE" in invoke(*args, status=2).stderr


def test_predictions_can_be_predicted_again_with_a_prefix(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    first, again = tmp_path / "first.csv", tmp_path / "again.csv"
    path = write_csv(tmp_path / "in.csv", ["text"], [("great hotel",), ("awful film",)])
    invoke("predict", path, "--run", run.path, "-o", first)
    stderr = invoke("predict", first, "--run", run.path, "-o", again, status=1).stderr
    assert "column 'prediction' already exists; name the new columns otherwise: --prefix" in stderr
    invoke("predict", first, "--run", run.path, "-o", again, "--prefix", "new_", "-k", "1")
    header, *rows = read_csv(again)
    assert header[: len(ADDED) + 1] == ["text", *ADDED]
    assert header[len(ADDED) + 1 :][:3] == ["new_prediction", "new_probability", "new_best_1"]
    assert [row[1] for row in rows] == [row[len(ADDED) + 1] for row in rows] == ["pos", "neg"]
    stderr = invoke("predict", "-t", "x", "--prefix", "a", "--run", run.path, status=2).stderr
    assert "need a table" in stderr


def test_rows_of_all_inputs_come_out_in_order(
    run: Run, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "b.csv", ["id", "text"], [("1", "great"), ("2", "awful")])
    write_csv(tmp_path / "a.csv", ["text", "id", "x"], [("bad", "3", "y")])
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "c.jsonl").write_text('{"text": "ok", "id": "4"}\n', encoding="utf-8")
    out = tmp_path / "out" / "o.csv"
    out.parent.mkdir()
    done = invoke("predict", "b.csv", "a.csv", "folder", "--run", run.path, "-o", out)
    assert "o.csv: 4 rows written" in done.stderr
    assert [row[:3] for row in read_csv(out)] == [
        ["id", "text", "x"],
        ["1", "great", ""],
        ["2", "awful", ""],
        ["3", "bad", "y"],
        ["4", "ok", ""],
    ]
    invoke("predict", "*.csv", "--run", run.path, "-o", out)
    assert [row[1] for row in read_csv(out)] == ["id", "3", "1", "2"]
    assert "b.csv" in invoke("predict", "b.csv", "b.csv", "--run", run.path, status=1).stderr
    stderr = invoke("predict", "b.csv", "folder/c.jsonl", "n.csv", "--run", run.path, status=1)
    assert "n.csv: no such file" in stderr.stderr


def test_several_json_files_stay_json_lines(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    for number in (1, 2):
        record = json.dumps({"text": "great", "n": number, "deep": {"a": [1.50]}})
        (tmp_path / f"{number}.jsonl").write_text(f"{record}\n", encoding="utf-8")
    stdout = invoke("predict", tmp_path, "--run", run.path).stdout
    first, second = map(json.loads, stdout.splitlines())
    assert (first["n"], second["n"], first["deep"]) == (1, 2, {"a": [1.5]})


def test_standard_input_is_read_alone(run: Run, invoke: Invoke) -> None:
    stderr = invoke("predict", "a.csv", "-", "--run", run.path, status=2).stderr
    assert "pass - alone" in stderr


@pytest.mark.parametrize("name", ["in.csv", "./in.csv", "link.csv"])
def test_the_input_is_not_overwritten(
    run: Run, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_csv(tmp_path / "in.csv", ["text"], [("great",)])
    (tmp_path / "link.csv").symlink_to(path)
    stderr = invoke("predict", "in.csv", "--run", run.path, "-o", name, status=1).stderr
    assert stderr == "embedclf: FILE: is also the input; write to another file with -o\n".replace(
        "FILE", name.removeprefix("./")
    )
    assert read_csv(path) == [["text"], ["great"]]


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        (
            "lines.txt",
            "great hotel\nawful, film\n\nlast",
            ["great hotel", "awful, film", "", "last"],
        ),
        ("noextension", "great hotel\n", ["great hotel"]),
        ("table.txt", "id\ttext\n1\tgreat hotel\n", ["great hotel"]),
        ("table.dat", "id;text\n1;great hotel\n", ["great hotel"]),
        ("records.txt", '{"text": "great hotel"}\n', ["great hotel"]),
        ("fast.txt", "__label__pos great hotel\n__label__neg awful\n", ["great hotel", "awful"]),
    ],
)
def test_a_file_of_an_unknown_extension_is_read_by_its_content(
    run: Run, tmp_path: Path, invoke: Invoke, name: str, content: str, texts: list[str]
) -> None:
    path, out = tmp_path / name, tmp_path / "out.csv"
    path.write_text(content, encoding="utf-8")
    done = invoke("predict", path, "--run", run.path, "-o", out)
    with out.open(encoding="utf-8", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == texts
    assert f"{name}: read as " in done.stderr


def test_a_table_of_an_unknown_extension_without_its_column_is_no_file_of_lines(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "table.txt"
    path.write_text("id\tText\n1\tgreat hotel\n", encoding="utf-8")
    stderr = invoke("predict", path, "--run", run.path, status=1).stderr
    assert "did you mean 'Text'? --text-column Text" in stderr


def test_a_table_without_a_header_gets_names(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "new.csv"
    path.write_text("".join(f"{label},{text}\n" for text, label in reviews(20)).replace(", it", ""))
    named = ("--columns", "label,text", "--run", runs["binary"].path)
    assert "--columns" in invoke("predict", path, *named[2:], status=1).stderr
    lines = invoke("predict", path, *named).stdout.splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("label,text,prediction,")
    assert "20 rows" in invoke("evaluate", "--data", path, *named, "--no-baseline").stdout
    stderr = invoke("predict", path, "--columns", "a,text,c", *named[2:], status=1).stderr
    assert "3" in stderr
    assert stderr.count("\n") == 1


NO_HEADER = DataConfig(train="t.csv", text="column_1", label="column_2", header=False)


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("header", [("text", "label"), ("opinion", "mark"), ("Review", "x_1")])
def test_a_header_is_no_row_of_a_run_trained_without_one(
    tmp_path: Path, suffix: str, header: tuple[str, str]
) -> None:
    rows = [(f"a long review of hotel {number}, quite good", "pos") for number in range(5)]
    numbered = [("", *header), *((str(number), *row) for number, row in enumerate(rows))]
    tables: Sequence[Sequence[tuple[str, ...]]] = [numbered, [header, *rows]]
    for number, table_rows in enumerate(tables):
        path = str(write_table(tmp_path / f"{number}.{suffix}", table_rows))
        with pytest.raises(DataError, match=f"no column 'column_1', .* '{header[0]}'"):
            open_new_table(path, NO_HEADER, {})
    table, _ = open_new_table(path, NO_HEADER, {"text": header[0], "label": header[1]})
    assert len(table.read([header[0]])) == 5


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "rows",
    [
        [("great", "pos")],
        [("great", "pos"), ("a long review of a hotel, bad", "neg")],
        [("great", "pos"), *[("a long review of a hotel, good", "pos")] * 5],
        [("good stay", "1"), *[("a long review of a hotel, bad", "0")] * 5],
    ],
)
def test_rows_without_a_header_are_all_read_by_a_run_trained_without_one(
    tmp_path: Path, suffix: str, rows: list[tuple[str, str]]
) -> None:
    path = str(write_table(tmp_path / f"new.{suffix}", rows))
    table, _ = open_new_table(path, NO_HEADER, {})
    assert table.read(["column_1"]).to_pydict() == {"column_1": [text for text, _ in rows]}


def write_table(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    if path.suffix == ".csv":
        return write_csv(path, rows[0], rows[1:])
    with Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate(rows):
            sheet.write_row(number, 0, cells)
    return path


def test_what_the_config_says_of_the_training_table_is_no_law_for_another(
    workplace: Path, invoke: Invoke
) -> None:
    rows = "".join(f"{label}\t{text}\n" for text, label in reviews(60))
    (workplace / "bare.txt").write_text(f"a title\n{rows}the end\n", encoding="utf-8")
    keys = ["train=bare.txt", "test=null", "format=tsv", "columns=[label, text]"]
    keys += ["skip_lines=[1, 1]"]
    overrides = [flag for key in keys for flag in ("-s", f"data.{key}")]
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1", *overrides)
    write_csv(workplace / "with-header.csv", ["id", "text", "label"], [("1", "great", "pos")])
    lines = invoke("predict", "with-header.csv").stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", "1"]
    assert "1 row" in invoke("evaluate", "--data", "with-header.csv", "--no-baseline").stdout
    for name in ("rows.txt", "rows.csv"):
        (workplace / name).write_text(rows, encoding="utf-8")
        assert len(invoke("predict", name).stdout.splitlines()) == 61
    # The last line of another table can be a row, so it is not ignored.
    assert "bare.txt:62: 1 cell" in invoke("predict", "bare.txt", status=1).stderr
    skipped = invoke("predict", "bare.txt", "-s", "data.skip_lines=[1, 1]").stdout
    assert len(skipped.splitlines()) == 61


def test_the_encoding_of_the_training_table_is_not_forced_on_utf8(
    workplace: Path, invoke: Invoke
) -> None:
    content = "text,label\n" + "".join(f"{text} caf\xe9,{label}\n" for text, label in reviews(60))
    (workplace / "old.csv").write_bytes(content.replace(", it", "").encode("cp1252"))
    keys = ("-s", "data.train=old.csv", "-s", "data.test=null", "-s", "data.encoding=cp1252")
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1", *keys)
    (workplace / "new.csv").write_text("text\ncaf\xe9\n", encoding="utf-8")
    (workplace / "same.csv").write_text("text\ncaf\xe9\n", encoding="cp1252")
    (workplace / "marked.csv").write_text("text\ncaf\xe9\n", encoding="utf-16")
    for name in ("new.csv", "same.csv", "marked.csv"):
        assert invoke("predict", name).stdout.splitlines()[1].startswith("caf\xe9,")
    forced = invoke("predict", "new.csv", "--encoding", "cp1252").stdout
    assert forced.splitlines()[1].startswith("caf\xc3\xa9,")


@pytest.mark.parametrize("delimiter", ["^", "#", "\x01"])
def test_a_rare_delimiter_is_named(
    run: Run, tmp_path: Path, invoke: Invoke, delimiter: str
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"id{delimiter}text\n1{delimiter}great\n", encoding="utf-8")
    stderr = invoke("predict", path, "--run", run.path, status=1).stderr
    shown = {"^": "'^'", "#": "'#'", "\x01": "$'\\x01'"}[delimiter]
    assert stderr.endswith(f"; name the delimiter: --delimiter {shown}\n")
    stdout = invoke("predict", path, "--run", run.path, "--delimiter", delimiter).stdout
    assert stdout.splitlines()[1].startswith("1,great,pos,")


def test_fewer_rows_than_lines_are_reported(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text('text,id\n"great\nhotel",1\nawful,2\n', encoding="utf-8")
    args = ("predict", path, "--run", run.path, "-o", out)
    stderr = invoke(*args).stderr
    assert "in.csv: 3 lines, 2 rows: quoted cells span lines, or lines are blank\n" in stderr
    assert "3 lines" not in invoke(*args, "-q").stderr
    path.write_text("text,id\ngreat,1\nawful,2\n", encoding="utf-8")
    assert "2 lines" not in invoke(*args).stderr


def test_rows_that_are_skipped_are_reported_even_if_quiet(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.csv"
    path.write_text("text,id\ngreat,1\nawful,2,3\nbad,4\n", encoding="utf-8")
    args = ("predict", path, "--run", run.path, "-q")
    stderr = invoke(*args, status=1).stderr
    assert "in.csv:3: 3 cells, but the header has 2 columns" in stderr
    assert "data.on_bad_row: skip" in stderr
    done = invoke(*args, "-s", "data.on_bad_row=skip")
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == ["id", "1", "4"]
    assert "in.csv:3: 1 row ignored" in done.stderr
    skipped = invoke("explain", "--file", path, "--run", run.path, "-s", "data.on_bad_row=skip")
    assert "in.csv:3: 1 row ignored" in skipped.stderr


def test_quotes_can_be_read_as_ordinary_characters(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.tsv"
    path.write_text('text\tid\n"great\t1\nawful"\t2\n', encoding="utf-8")
    stdout = invoke("predict", path, "--run", run.path, "-s", "data.quote=none").stdout
    rows = list(csv.reader(stdout.splitlines()))
    assert [row[:2] for row in rows[1:]] == [['"great', "1"], ['awful"', "2"]]


def test_a_setting_that_says_nothing_of_reading_is_refused(run: Run, invoke: Invoke) -> None:
    args = ("predict", "in.csv", "--run", run.path, "-s")
    stderr = invoke(*args, "training.epochs=3", status=2).stderr
    assert stderr.startswith("embedclf: -s training.epochs=3: does not say how to read a table;")
    stderr = invoke(*args, "data.delimitr=x", status=2).stderr
    assert stderr.endswith("unknown key; did you mean 'data.delimiter'?\n")


def test_the_only_column_of_a_table_without_a_header_gets_the_name_of_the_run(
    tmp_path: Path,
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a good film\na dull film\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"--columns text$"):
        open_new_table(str(table), DataConfig(train="-"), {"header": False})
    opened, _ = open_new_table(
        str(table), DataConfig(train="-"), {"header": False, "columns": ("text",)}
    )
    assert opened.read(["text"])["text"].to_pylist() == ["a good film", "a dull film"]


def test_a_long_first_cell_that_contains_the_name_is_not_suggested(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a long text " * 30 + "\na dull film\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no column 'text', .*; name it with --text-column NAME$"):
        open_new_table(str(table), DataConfig(train="-"), {})
