"""Neighbors, analogies and label contributions of vectors."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embedclf
from embedclf.config.sections import TextConfig
from embedclf.data.labels import Labels, Task
from embedclf.errors import RequestError
from embedclf.inference.embeddings import Embeddings, similar_spellings
from embedclf.model.weights import Weights
from embedclf.system.arrow import text_column
from embedclf.text.encodings import TokenIds
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.conftest import ROOT
from tests.text.test_tokenizer import chunks_of

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


TEXTS = [
    "the king and the queen of the north",
    "the queen is not the king",
    "a king of the north is a king",
    "not a queen and not a king",
]


OLD = ROOT / "tests" / "formats" / "3" / "binary-sqrt-phrases"


def fit_tokenizer(ngrams: int = 1, unit: str = "word") -> Tokenizer:
    config = TextConfig.model_validate({"sequence_length": 8, "ngrams": ngrams, "unit": unit})
    parts = chunks_of(TEXTS, config)
    fitted = Tokenizer.fit([part.count() for part in parts], TokenRules(), config)
    return fitted if ngrams == 1 else fitted.fit_ngrams(parts, config)


def make_embeddings(
    task: Task = "binary", pooling: str = "sqrt", ngrams: int = 1, *, seed: int = 0, **options: Any
) -> Embeddings:
    """Random vectors and layers with a small vocabulary."""
    rng, tokenizer = np.random.default_rng(seed), fit_tokenizer(ngrams, options.get("unit", "word"))
    names = ("no", "yes") if task == "binary" else ("a", "b", "c")
    labels, width = Labels(task, names, (1,) * len(names)), 4
    sizes = [
        width * (tokenizer.input_length if pooling == "flatten" else 1),
        *options.get("hidden", ()),
    ]
    layers = tuple(
        (rng.normal(size=(inputs, units)).astype(np.float32), np.full(units, 0.1, np.float32))
        for inputs, units in zip(sizes, [*sizes[1:], labels.outputs], strict=True)
    )
    vectors = rng.normal(size=(tokenizer.vocabulary_rows, width)).astype(np.float32)
    counts = np.arange(tokenizer.vocabulary_rows, 0, -1)
    return Embeddings(tokenizer, labels, Weights.from_layers(pooling, vectors, layers), counts)


@settings(max_examples=50)
@given(
    seed=st.integers(0, 1000),
    limit=st.integers(1, 40),
    max_n=st.integers(1, 3),
    ngrams=st.booleans(),
)
def test_neighbors_are_those_of_largest_cosine(
    seed: int, limit: int, max_n: int, ngrams: bool
) -> None:
    embeddings = make_embeddings(seed=seed, ngrams=max_n)
    vectors, tokenizer = embeddings.weights.embedding.astype(np.float64), embeddings.tokenizer
    row = embeddings.find_row("the king" if max_n > 1 else "king")
    candidates = range(2, tokenizer.vocabulary_rows if ngrams else tokenizer.first_ngram_id)
    units = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    cosines = {other: float(units[other] @ units[row]) for other in candidates if other != row}
    expected = sorted(cosines, key=lambda other: -cosines[other])[:limit]
    neighbors = embeddings.neighbors(row, limit, ngrams=ngrams)
    names = [neighbor.entry.name for neighbor in neighbors]
    assert names == tokenizer.decode(np.array(expected, np.int32))
    assert [neighbor.cosine for neighbor in neighbors] == pytest.approx(
        [cosines[other] for other in expected], abs=1e-5
    )


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_every_printed_name_finds_its_row(ngrams: int, unit: str) -> None:
    embeddings = make_embeddings(ngrams=ngrams, unit=unit)
    rows = np.arange(2, embeddings.tokenizer.vocabulary_rows, dtype=np.int32)
    names = embeddings.tokenizer.decode(rows)
    assert len(set(names)) == len(rows)
    for row, name in zip(rows, names, strict=True):
        assert embeddings.find_row(name) == row
    token = "king" if unit == "word" else "k"
    assert embeddings.find_row(token.upper()) == embeddings.find_row(token)


@settings(max_examples=50)
@given(
    pooling=st.sampled_from(["average", "sqrt", "max", "flatten"]),
    task=st.sampled_from(["binary", "multiclass", "multilabel"]),
    hidden=st.lists(st.integers(1, 4), max_size=2),
    seed=st.integers(0, 1000),
)
def test_a_label_contribution_is_what_a_text_of_one_token_adds(
    pooling: str, task: Task, hidden: list[int], seed: int
) -> None:
    embeddings = make_embeddings(task, pooling, seed=seed, hidden=hidden)
    row, input_length = embeddings.find_row("queen"), embeddings.tokenizer.input_length
    vectors = np.zeros_like(embeddings.weights.embedding)
    vectors[row] = embeddings.weights.embedding[row]
    alone = Weights.from_layers(pooling, vectors, embeddings.weights.dense)  # padding adds nothing
    positions = input_length if pooling == "flatten" else 1
    # The token at each position, after rows of zeros
    ids = TokenIds(
        np.concatenate([[1] * place + [row] for place in range(positions)]).astype(np.int32),
        np.cumsum(np.arange(1, positions + 1)),
    )
    empty = alone.logits_from_units(embeddings.weights.dense[0][1][None])
    added = (alone.logits(ids) - empty).mean(axis=0)
    if task == "binary":
        added = np.array([-added[0], added[0]])
    elif task == "multiclass":
        added -= added.mean()
    entry = embeddings.entry(row)
    assert list(entry.label_contributions.values()) == pytest.approx(added.tolist(), abs=1e-5)
    assert entry.label_contributions[entry.top_label] == max(entry.label_contributions.values())


def test_an_analogy_is_found_in_vectors_that_contain_it() -> None:
    embeddings = make_embeddings()
    for name, vector in {
        "king": [1, 1, 0, 0],
        "queen": [1, 0, 1, 0],
        "not": [0, 1, 0, 1],
        "and": [0, 0, 1, 1],
    }.items():
        embeddings.weights.embedding[embeddings.find_row(name)] = vector
    a, b, c = map(embeddings.find_row, ("king", "queen", "not"))
    assert embeddings.analogy(a, b, c, 1)[0].entry.name == "and"


def test_unknown_words_are_reported_with_similar_spellings() -> None:
    embeddings = make_embeddings(ngrams=2)
    with pytest.raises(
        RequestError, match=r"'kings': not in the run's vocabulary; did you mean 'king'\?"
    ):
        embeddings.find_row("kings")
    with pytest.raises(RequestError, match=r"'zzz': not in the run's vocabulary$"):
        embeddings.find_row("zzz")
    with pytest.raises(
        RequestError, match=r"not among the [\d,]+ n-grams of the run; try a single word"
    ):
        embeddings.find_row("queen king")
    with pytest.raises(RequestError, match="not UTF-8"):
        embeddings.find_row("\udcff")
    with pytest.raises(RequestError, match="contains no token"):
        embeddings.find_row("!")
    words = text_column(["terrible", "terribly", "horrible", "table", "x", "не", "нет"])
    assert similar_spellings(words, "terible", limit=2) == ["terrible", "terribly"]
    assert similar_spellings(words, "неть")[0] == "нет"
    assert similar_spellings(words, "q") == []


def test_runs_of_old_formats_have_neighbors_but_no_movement(invoke: Invoke) -> None:
    stdout = invoke("embeddings", "neighbors", "great", "--run", OLD).stdout
    assert stdout.startswith("great: ")
    stderr = invoke("embeddings", "movement", "--run", OLD, status=1).stderr
    assert stderr.endswith(
        "runs of format 3 do not store how vectors were initialized; train again\n"
    )


def test_neighbors_and_analogies_are_printed_as_text_or_json(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    run = runs["multiclass"].path
    shown = invoke("embeddings", "neighbors", "lovely", "rude", "--run", run, "-k", 3).stdout
    assert [line.split(":")[0] for line in shown.splitlines() if ": " in line] == ["lovely", "rude"]
    printed = json.loads(invoke("embeddings", "neighbors", "lovely", "--run", run, "--json").stdout)
    (word,) = printed["words"]
    assert (word["word"], len(word["neighbors"])) == ("lovely", 10)
    assert set(word["pushes"]) == {"heat", "wind", "rain"}
    assert sum(word["pushes"].values()) == pytest.approx(0.0, abs=1e-4)
    assert {one["word"] for one in word["neighbors"]} & {"great", "friendly", "perfect", "warm"}
    args = ("embeddings", "analogy", "lovely", "rude", "great", "--run", run)
    assert "cosine" in invoke(*args).stdout
    (word,) = json.loads(invoke(*args, "--json", "-k", 2).stdout)["words"]
    assert len(word["neighbors"]) == 2
    (word,) = json.loads(
        invoke("embeddings", "analogy", *args[2:5], "--run", run, "--json", "-k", 3).stdout
    )["words"]
    assert (word["word"], len(word["neighbors"])) == ("lovely rude great", 3)
    assert "pass three words: A B C" in invoke(*args[:4], "--run", run, status=2).stderr
    assert "pass a word; only" in invoke("embeddings", "neighbors", "--run", run, status=2).stderr
    assert invoke("embeddings", status=2).stderr.startswith("Usage: ")


def test_movement_and_embedded_texts_are_printed_as_text_or_json(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    run = runs["binary"].path
    printed = json.loads(invoke("embeddings", "movement", "--run", run, "--json", "-k", 4).stdout)
    assert [set(one["before"]) for one in printed["moved"]] == [{"neg", "pos"}] * 4
    assert "push before" in invoke("embeddings", "movement", "--run", run).stdout
    args = ("embeddings", "show", "a lovely xyzzy hotel", "--run", run)
    printed = json.loads(invoke(*args, "--json").stdout)
    assert (printed["shape"], printed["ids"][2]) == ([6, 8], 1)
    assert printed["names"] == ["a", "lovely", "xyzzy", "hotel", "", ""]
    classifier = embedclf.load(run)
    assert np.array(printed["vectors"], np.float32).tolist() == (
        classifier.weights.embedding[np.array(printed["ids"])].tolist()
    )
    shown = invoke(*args).stdout
    assert "xyzzy (OOV)" in shown
    assert "and 1 more row of padding" in shown
    assert "(batch, 6, 8)" in " ".join(shown.split())


def test_words_can_be_typed_at_a_terminal(runs: dict[str, Run]) -> None:
    theirs, ours = pty.openpty()
    command = [sys.executable, "-m", "embedclf", "embeddings", "neighbors", "-k", "2", "--run"]
    with subprocess.Popen(
        [*command, str(runs["binary"].path)],
        stdin=ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(theirs, b"lovely\nxyzzy\n\n\xff\nrude\n\x04")
        stdout, stderr = process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0, stderr
    assert [line.split(":")[0] for line in stdout.splitlines() if ": " in line] == [
        "lovely",
        "rude",
    ]
    assert "'xyzzy': not in the run's vocabulary" in stderr
    assert "not UTF-8" in stderr
    assert stderr.count("word> ") == 6


def test_nothing_heavy_is_imported(runs: dict[str, Run], tmp_path: Path) -> None:
    code = (
        "import sys; from embedclf.cli.main import main\n"
        "for command in ('neighbors lovely', 'movement', 'show lovely', "
        "'export --format word2vec -o v.txt'):\n"
        "    args = ['embeddings', *command.split(), '--run', sys.argv[1]]\n"
        "    main(args, standalone_mode=False)\n"
        "    heavy = {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules)\n"
        "    assert not heavy, (command, heavy)"
    )
    command = [sys.executable, "-c", code, str(runs["binary"].path)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
