from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from embedclf.config.data_section import DataConfig
from embedclf.config.loading import table_config
from embedclf.data.config_files import check_files
from embedclf.errors import DataError
from embedclf.tables.content import recognize_format
from embedclf.tables.files import TableFile
from embedclf.tables.new_tables import open_new_table
from embedclf.tables.read_options import ReadOptions, check_keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

ROWS = {"text": ["a good film", "a dull film"], "label": ["pos", "neg"]}


pytestmark = pytest.mark.usefixtures("files")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in some formats, in the working folder."""
    monkeypatch.chdir(tmp_path)
    parquet.write_table(pa.table(ROWS), "t.parquet")
    pairs = list(zip(ROWS["text"], ROWS["label"], strict=True))
    lines = {
        "t.csv": ["text;label", *(f"{text};{label}" for text, label in pairs)],
        "t.json": [f'{{"text": "{text}", "label": "{label}"}}' for text, label in pairs],
        "fast.txt": [f"__label__{label} {text}" for text, label in pairs],
        "caret.txt": ["text^label", *(f"{text}^{label}" for text, label in pairs)],
    }
    for name, rows in lines.items():
        (tmp_path / name).write_text("\n".join(rows), encoding="utf-8")
    for text, label in pairs:
        (tmp_path / "texts" / label).mkdir(parents=True)
        (tmp_path / "texts" / label / "1.txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("table", "key", "value", "fault"),
    [
        ("t.parquet", "delimiter", ";", "CSV, but this is Parquet"),
        ("t.parquet", "columns", ["text", "label"], "tables without column names, but this is"),
        ("t.parquet", "encoding", "cp1252", "text files, but this is Parquet"),
        ("t.json", "header", False, "CSV and Excel, but this is JSON"),
        ("t.json", "skip_lines", 1, "CSV and Excel, but this is JSON"),
        ("fast.txt", "quote", "none", "CSV, but this is fastText"),
        ("texts", "escape", "\\", "CSV, but this is a folder of texts"),
        (["t.json", "t.parquet"], "delimiter", ",", "CSV, but this is JSON and Parquet"),
    ],
)
def test_a_key_that_is_for_no_file_is_refused(
    table: str | list[str], key: str, value: Any, fault: str
) -> None:
    config = table_config("t.csv", {key: value, "train": table})
    with pytest.raises(DataError, match=rf"data\.{key} is for {fault}.*; remove it$"):
        check_files(config)
    data = DataConfig(train="-")
    with pytest.raises(DataError, match=rf"data\.{key} is for {fault}.*; remove it$"):
        open_new_table(config.data.train, data, {key: getattr(config.data, key)})


@pytest.mark.parametrize("others", [{"test": "t.csv"}, {"train": ["t.json", "t.csv"]}])
def test_a_key_can_be_for_one_of_several_files(others: dict[str, Any]) -> None:
    check_files(table_config("t.parquet", {"delimiter": ";", "header": True, **others}))


@pytest.mark.parametrize("table", ["t.parquet", "t.json", "fast.txt", "texts"])
def test_the_keys_of_a_run_are_ignored_for_other_formats(table: str) -> None:
    data = DataConfig(train="t.csv", delimiter=";", header=True, quote="none", skip_lines=0)
    opened, _ = open_new_table(table, data, {}, labels=True)
    assert opened.read(["text"]).num_rows == 2


def test_the_command_line_reports_the_key(invoke: Invoke) -> None:
    done = invoke("check", "t.parquet", "--delimiter", ";", status=1)
    assert done.stderr == (
        "embedclf: t.parquet: data.delimiter is for CSV, but this is Parquet; remove it\n"
    )


def test_files_are_not_looked_at_without_keys() -> None:
    formats = iter(["parquet"])
    check_keys(["on_bad_row"], formats, "t")  # type: ignore[arg-type]
    assert list(formats) == ["parquet"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [(ReadOptions(delimiter="^"), "delimited"), (ReadOptions(encoding="utf-8"), "lines")],
)
def test_an_option_for_cells_makes_lines_a_table(options: ReadOptions, expected: str) -> None:
    assert recognize_format(TableFile("caret.txt", "caret.txt"), options) == expected


def test_a_folder_of_texts_has_no_other_format(invoke: Invoke) -> None:
    done = invoke("check", "texts", "--input-format", "csv", status=1)
    assert done.stderr == (
        "embedclf: texts: is a folder of texts, not csv (data.format); name its files: 'texts/**'\n"
    )
