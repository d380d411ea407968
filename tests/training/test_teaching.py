"""Trainings with a teacher, through the command; they need the package of the `use` extra."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from embedclf.runs.run import Run
from embedclf.text.vectors.use_encoder import is_use_installed
from tests.conftest import reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from tests.conftest import Invoke

pytestmark = [
    pytest.mark.extras,
    pytest.mark.skipif(not is_use_installed(), reason="needs embedclf[use]"),
]

TEACHER = ("-s", "data.unlabelled=rest.csv")


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with 40 labeled rows and 120 other texts, which is the working directory."""
    rows = reviews(160)
    write_csv(tmp_path / "few.csv", ["text", "label"], rows[:40])
    write_csv(tmp_path / "rest.csv", ["text"], [[text] for text, _ in rows[40:]])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(path: str) -> dict[str, Any]:
    return Run.open(Path(path)).record


@pytest.mark.usefixtures("few")
def test_a_run_learns_from_unlabeled_texts_and_says_so(invoke: Invoke) -> None:
    result = invoke("train", "few.csv", *TEACHER, "-o", "taught", "-s", "training.epochs=3")
    line = "unlabeled 120 texts of rest.csv; labeled by a teacher (use), accuracy"
    assert line in unwrapped(result.stderr)
    texts = record("taught")["unlabelled"]
    assert texts["rows"] == 120
    assert len(texts["sha256"]) == 64
    # Its labels are those of all rows, after the refit
    assert texts["teacher"]["scored_rows"] == 40
    assert 0 <= texts["teacher"]["score"] <= 1
    assert "labeled by a teacher (use)" in unwrapped(invoke("summary", "taught").stdout)
    # "shoe" is a word of unlabeled texts only
    words = Run.open(Path("taught")).classifier().tokenizer.tokens
    assert "shoe" in words
    assert "lovely shoe" in invoke("predict", "-t", "lovely shoe", "--run", "taught").stdout


@pytest.mark.usefixtures("few")
def test_a_trained_teacher_gives_the_same_run_twice(invoke: Invoke) -> None:
    flags = ("-q", "-s", "training.epochs=2", "-s", "training.refit=false")
    for name in ("one", "two"):
        invoke("train", "few.csv", *TEACHER, "-o", name, *flags)
    first, second = (Run.open(Path(name)).metrics() for name in ("one", "two"))
    assert first == second


@pytest.mark.usefixtures("few")
def test_each_fold_has_a_teacher_of_its_own_rows(invoke: Invoke) -> None:
    flags = ("-s", "training.epochs=1", "-s", "training.refit=false", "--cross-validate", 2)
    result = invoke("train", "few.csv", *TEACHER, "-o", "folds", *flags)
    assert "cross-validation, 2 folds" in result.stdout + result.stderr


@pytest.mark.usefixtures("few")
def test_a_training_that_continues_has_no_teacher(invoke: Invoke) -> None:
    flags = ("-q", "-s", "training.epochs=1", "-s", "training.refit=false")
    invoke("train", "few.csv", *TEACHER, "-o", "first", *flags)
    invoke("train", "few.csv", "--from", "first", "-o", "second", *flags)
    assert "unlabelled" not in record("second")
    taught = ("-s", "training.teacher=use", *TEACHER)
    result = invoke("train", "few.csv", "--from", "first", "-o", "third", *taught, status=2)
    assert "a training that continues from a run learns from labeled rows only" in result.stderr


@pytest.mark.usefixtures("few")
def test_init_chooses_the_teacher_and_counts_the_words_of_all_texts(invoke: Invoke) -> None:
    config = invoke("init", "few.csv", "--unlabelled", "rest.csv", "-o", "-").stdout
    assert "a sentence encoder labels 120 unlabeled texts" in unwrapped(config.replace("#", ""))
    assert "teacher: use" in config
    plain = invoke("init", "few.csv", "-o", "-").stdout
    assert "teacher: none" in plain
    assert size(config) > size(plain)


def test_equal_texts_are_encoded_once_and_have_vectors_of_length_1() -> None:
    from embedclf.text.vectors.sentences import encode_sentences

    texts = pa.array(["a fine day", "", "a fine day", "another day"])
    vectors = encode_sentences(texts)
    assert len(vectors) == 4
    rows = vectors.read(slice(None))
    assert (rows[0] == rows[2]).all()
    assert (rows[0] != rows[3]).any()
    assert (rows**2).sum(axis=1) == pytest.approx([1, 1, 1, 1], abs=1e-2)
    assert (encode_sentences(texts[3:]).read(slice(0, 1))[0] == rows[3]).all()


def size(config: str) -> int:
    line = next(line for line in config.splitlines() if "vocabulary_size" in line)
    return int(line.rpartition(":")[2])
