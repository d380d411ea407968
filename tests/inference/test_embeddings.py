"""Neighbors, pushes and movements of vectors, and what other programs read of them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import embedclf
from embedclf.config.loading import load_config
from embedclf.config.schema import TextConfig
from embedclf.data.dataset import prepare_dataset
from embedclf.data.labels import Labels, Task
from embedclf.errors import RequestError
from embedclf.inference.embeddings import Embeddings, spellings
from embedclf.model.weights import Weights
from embedclf.runs.run import Run
from embedclf.system.arrow import text_column
from embedclf.text.tokenizer import Tokenizer
from embedclf.training.initialization import initialize
from embedclf.training.movement import first_vectors, movement
from tests.conftest import ROOT
from tests.text.test_tokenizer import parts_of

if TYPE_CHECKING:
    from tests.conftest import Invoke

TEXTS = [
    "the king and the queen of the north",
    "the queen is not the king",
    "a king of the north is a king",
    "not a queen and not a king",
]
OLD = ROOT / "tests" / "formats" / "3" / "binary-sqrt-phrases"


def tokenizer(ngrams: int = 1, unit: str = "word") -> Tokenizer:
    given = {"sequence_length": 8, "ngrams": ngrams, "unit": unit}
    config = TextConfig.model_validate(given)
    parts = parts_of(TEXTS, config)
    fitted = Tokenizer.fit([part.count() for part in parts], config)
    return fitted if ngrams == 1 else fitted.fit_ngrams(lambda: parts, config)


def embeddings(
    task: Task = "binary", pooling: str = "sqrt", ngrams: int = 1, *, seed: int = 0, **of: Any
) -> Embeddings:
    """Vectors and layers by chance behind a small vocabulary."""
    chance, known = np.random.default_rng(seed), tokenizer(ngrams, of.get("unit", "word"))
    names = ("no", "yes") if task == "binary" else ("a", "b", "c")
    labels, width = Labels(task, names, (1,) * len(names)), 4
    sizes = [width * (known.slots if pooling == "flatten" else 1), *of.get("hidden", ())]
    layers = tuple(
        (chance.normal(size=(one, other)).astype(np.float32), np.full(other, 0.1, np.float32))
        for one, other in zip(sizes, [*sizes[1:], labels.outputs], strict=True)
    )
    vectors = chance.normal(size=(known.rows, width)).astype(np.float32)
    counts = np.arange(known.rows, 0, -1)
    return Embeddings(known, labels, Weights.of(pooling, vectors, layers), counts)


@settings(max_examples=50)
@given(
    seed=st.integers(0, 1000), most=st.integers(1, 40), ngrams=st.integers(1, 3), wide=st.booleans()
)
def test_neighbors_are_those_of_largest_cosine(
    seed: int, most: int, ngrams: int, wide: bool
) -> None:
    known = embeddings(seed=seed, ngrams=ngrams)
    vectors, tokens = known.weights.embedding.astype(np.float64), known.tokenizer
    number = known.number_of("the king" if ngrams > 1 else "king")
    candidates = range(2, tokens.rows if wide else tokens.first_ngram)
    units = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    cosines = {at: float(units[at] @ units[number]) for at in candidates if at != number}
    expected = sorted(cosines, key=lambda at: -cosines[at])[:most]
    found = known.neighbors(number, most, phrases=wide)
    assert [one.entry.word for one in found] == tokens.decode(np.array(expected, np.int32))
    assert [one.cosine for one in found] == pytest.approx(
        [cosines[at] for at in expected], abs=1e-5
    )


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_what_is_printed_can_be_asked_for(ngrams: int, unit: str) -> None:
    known = embeddings(ngrams=ngrams, unit=unit)
    numbers = np.arange(2, known.tokenizer.rows, dtype=np.int32)
    assert len(set(known.tokenizer.decode(numbers))) == len(numbers)
    for number, name in zip(numbers, known.tokenizer.decode(numbers), strict=True):
        assert known.number_of(name) == number
    one = "king" if unit == "word" else "k"
    assert known.number_of(one.upper()) == known.number_of(one)


@settings(max_examples=50)
@given(
    pooling=st.sampled_from(["average", "sqrt", "max", "flatten"]),
    task=st.sampled_from(["binary", "multiclass", "multilabel"]),
    hidden=st.lists(st.integers(1, 4), max_size=2),
    seed=st.integers(0, 1000),
)
def test_a_push_is_what_a_text_of_one_token_adds(
    pooling: str, task: Task, hidden: list[int], seed: int
) -> None:
    known = embeddings(task, pooling, seed=seed, hidden=hidden)
    number, slots = known.number_of("queen"), known.tokenizer.slots
    vectors = np.zeros_like(known.weights.embedding)
    vectors[number] = known.weights.embedding[number]
    alone = Weights.of(pooling, vectors, known.weights.dense)  # padding adds nothing
    places = slots if pooling == "flatten" else 1
    ids = np.zeros((places, slots), np.int32)
    np.fill_diagonal(ids, number)
    empty = alone.head(known.weights.dense[0][1][None])
    added = (alone.logits(ids) - empty).mean(axis=0)
    if task == "binary":
        added = np.array([-added[0], added[0]])
    elif task == "multiclass":
        added -= added.mean()
    entry = known.entry(number)
    assert list(entry.pushes.values()) == pytest.approx(added.tolist(), abs=1e-5)
    assert entry.pushes[entry.towards] == max(entry.pushes.values())


def test_an_analogy_is_found_in_vectors_that_hold_it() -> None:
    known = embeddings()
    for name, vector in {
        "king": [1, 1, 0, 0],
        "queen": [1, 0, 1, 0],
        "not": [0, 1, 0, 1],
        "and": [0, 0, 1, 1],
    }.items():
        known.weights.embedding[known.number_of(name)] = vector
    one, other, third = map(known.number_of, ("king", "queen", "not"))
    assert known.analogy(one, other, third, 1)[0].entry.word == "and"


def test_unknown_words_are_told_with_what_is_spelled_alike() -> None:
    known = embeddings(ngrams=2)
    with pytest.raises(
        RequestError, match="'kings': the run knows no such word; near it is 'king'"
    ):
        known.number_of("kings")
    with pytest.raises(RequestError, match=r"'zzz': the run knows no such word$"):
        known.number_of("zzz")
    with pytest.raises(RequestError, match=r"the run knows .* phrases, this is none of them"):
        known.number_of("queen king")
    with pytest.raises(RequestError, match="not UTF-8"):
        known.number_of("\udcff")
    with pytest.raises(RequestError, match="holds no token"):
        known.number_of("!")
    words = text_column(["terrible", "terribly", "horrible", "table", "x", "не", "нет"])
    assert spellings(words, "terible", most=2) == ["terrible", "terribly"]
    assert spellings(words, "неть")[0] == "нет"
    assert spellings(words, "q") == []


START = {
    "random": [],
    "naive_bayes": ["model.initialization=naive_bayes", "model.pooling=sqrt", "text.ngrams=2"],
    "file": ["model.initialization=vectors.txt"],
    "frozen": ["model.initialization=vectors.txt", "model.trainable_embedding=false"],
}


@pytest.mark.parametrize("start", START)
def test_a_run_knows_where_its_vectors_began(workplace: Path, invoke: Invoke, start: str) -> None:
    flags = [flag for one in START[start] for flag in ("-s", one)]
    invoke("train", "binary.yaml", "-q", "-o", "run", *flags)
    run = Run.open(Path("run"))
    dataset = prepare_dataset(load_config(workplace / "binary.yaml", START[start]))
    known = Embeddings.of(run)
    assert (first_vectors(run, known) == initialize(dataset).rows).all()
    assert known.counts is not None
    assert known.entry(known.number_of("hotel")).count == sum(
        "hotel" in text for text in texts_of(dataset)
    )
    told = movement(run, 5)
    assert len(told.moved) == 5
    assert (told.moved[0].distance > 0) == (start != "frozen")
    assert [one.distance for one in told.moved] == sorted(
        (one.distance for one in told.moved), reverse=True
    )


def texts_of(dataset: Any) -> list[str]:
    """What training reads, token by token."""
    known = dataset.tokenizer
    return [" ".join(known.decode(ids[: known.sequence_length])) for ids in dataset.train.ids]


def test_vectors_that_are_others_now_are_refused(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-o", "run", "-s", "model.initialization=vectors.txt")
    table = workplace / "vectors.txt"
    table.write_text(table.read_text().replace("0.1", "0.2"))
    told = invoke("embeddings", "movement", "--run", "run", status=2).stderr
    assert told.endswith("vectors.txt: not the word vectors that the run began with\n")
    table.unlink()
    told = invoke("embeddings", "movement", "--run", "run", status=1).stderr
    assert "vectors.txt" in told


def test_runs_of_old_formats_tell_what_they_can(invoke: Invoke) -> None:
    told = invoke("embeddings", "neighbors", "great", "--run", OLD).stdout
    assert told.startswith("great: ")
    told = invoke("embeddings", "movement", "--run", OLD, status=1).stderr
    assert told.endswith("format 3 does not tell how vectors began; train again\n")


def test_neighbors_and_analogies_for_people_and_programs(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    run = runs["multiclass"].path
    shown = invoke("embeddings", "neighbors", "lovely", "rude", "--run", run, "-k", 3).stdout
    assert [line.split(":")[0] for line in shown.splitlines() if ": " in line] == ["lovely", "rude"]
    told = json.loads(invoke("embeddings", "neighbors", "lovely", "--run", run, "--json").stdout)
    (word,) = told["words"]
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
    assert "Give three words" in invoke(*args[:4], "--run", run, status=2).stderr
    assert "Name a word" in invoke("embeddings", "neighbors", "--run", run, status=2).stderr
    assert invoke("embeddings", status=2).stderr.startswith("Usage: ")


def test_movement_and_blocks_for_people_and_programs(runs: dict[str, Run], invoke: Invoke) -> None:
    run = runs["binary"].path
    told = json.loads(invoke("embeddings", "movement", "--run", run, "--json", "-k", 4).stdout)
    assert [set(one["before"]) for one in told["moved"]] == [{"neg", "pos"}] * 4
    assert "push before" in invoke("embeddings", "movement", "--run", run).stdout
    args = ("embeddings", "show", "a lovely xyzzy hotel", "--run", run)
    told = json.loads(invoke(*args, "--json").stdout)
    assert (told["shape"], told["ids"][2]) == ([6, 8], 1)
    assert told["names"] == ["a", "lovely", "xyzzy", "hotel", "", ""]
    classifier = embedclf.load(run)
    assert np.array(told["vectors"], np.float32).tolist() == (
        classifier.weights.embedding[np.array(told["ids"])].tolist()
    )
    shown = invoke(*args).stdout
    assert "xyzzy (unknown)" in shown
    assert "and 1 more rows of padding" in shown
    assert "(batch, 6, 8)" in shown


def exported(run: Run, invoke: Invoke, form: str, target: Path, *flags: str) -> Path:
    args = ("--format", form, "-o", target, "--run", run.path, *flags)
    told = invoke("embeddings", "export", *args).stderr
    assert told.endswith(" vectors written\n")
    return target


def test_gensim_finds_the_same_neighbors(
    runs: dict[str, Run], invoke: Invoke, tmp_path: Path
) -> None:
    file = exported(runs["multiclass"], invoke, "word2vec", tmp_path / "vectors.txt")
    code = (
        "import json, sys\n"
        "from gensim.models import KeyedVectors\n"
        "known = KeyedVectors.load_word2vec_format(sys.argv[1])\n"
        "told = {word: known.most_similar(word) for word in ('lovely', 'rude')}\n"
        "print(json.dumps([told, len(known.index_to_key), known['lovely'].tolist()]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, file], check=True, capture_output=True
    )
    theirs, count, vector = json.loads(done.stdout)
    known = Embeddings.of(runs["multiclass"])
    assert count == len(known.tokenizer.tokens)
    assert np.float32(vector).tolist() == (
        known.weights.embedding[known.number_of("lovely")].tolist()
    )
    for word, similar in theirs.items():
        ours = known.neighbors(known.number_of(word), 10)
        assert [one.entry.word for one in ours] == [name for name, _ in similar]
        assert [one.cosine for one in ours] == pytest.approx([cos for _, cos in similar], abs=1e-5)


def test_tensorboard_opens_the_folder(runs: dict[str, Run], invoke: Invoke, tmp_path: Path) -> None:
    folder = exported(runs["multilabel"], invoke, "tsv", tmp_path / "projector")
    code = (
        "import json, sys\n"
        "from tensorboard.backend.event_processing import plugin_event_multiplexer\n"
        "from tensorboard.plugins import base_plugin\n"
        "from tensorboard.plugins.projector import projector_plugin\n"
        "from werkzeug import test, wrappers\n"
        "context = base_plugin.TBContext(logdir=sys.argv[1], "
        "multiplexer=plugin_event_multiplexer.EventMultiplexer())\n"
        "plugin = projector_plugin.ProjectorPlugin(context)\n"
        "routes = plugin.get_plugin_apps()\n"
        "def ask(route, **query):\n"
        "    client = test.Client(routes[route], wrappers.Response)\n"
        "    answer = client.get(route, query_string=query)\n"
        "    assert answer.status_code == 200, answer.data\n"
        "    return answer.data\n"
        "(run,) = json.loads(ask('/runs'))\n"
        "info = json.loads(ask('/info', run=run))\n"
        "(tensor,) = info['embeddings']\n"
        "name = tensor['tensorName']\n"
        "values = ask('/tensor', run=run, name=name)\n"
        "rows = ask('/metadata', run=run, name=name).decode().splitlines()\n"
        "print(json.dumps([tensor['tensorShape'], len(values), rows[:2], len(rows)]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, folder], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    (rows, width), size, head, lines = json.loads(done.stdout.splitlines()[-1])
    known = Embeddings.of(runs["multilabel"])
    assert (rows, width) == (len(known.tokenizer.tokens), 8)
    assert (size, lines) == (4 * rows * width, rows + 1)
    assert head[0] == "token\tcount\ttowards\tpush"
    assert head[1].split("\t")[0] == known.tokenizer.tokens[0]
    args = ("--format", "tsv", "-o", folder, "--run", runs["multilabel"].path)
    assert "is there already" in invoke("embeddings", "export", *args, status=2).stderr


def test_tables_hold_names_counts_and_vectors(
    workplace: Path, invoke: Invoke, tmp_path: Path
) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "text.ngrams=2", "-s", "model.pooling=sqrt")
    run = Run.open(workplace / "runs" / "binary-1")
    known = Embeddings.of(run)
    file = exported(run, invoke, "npz", tmp_path / "vectors.npz", "--phrases")
    with np.load(file, allow_pickle=False) as columns:
        assert len(columns["tokens"]) == known.tokenizer.rows - 2
        assert (columns["vectors"] == known.weights.embedding[2:]).all()
        assert known.counts is not None
        assert (columns["counts"] == known.counts[2:]).all()
        at = columns["tokens"].tolist().index("it_was")
        entry = known.entry(known.number_of("it was"))
        assert columns["labels"].tolist() == list(entry.pushes)
        assert columns["pushes"][at].tolist() == pytest.approx(list(entry.pushes.values()))
    args = ("embeddings", "analogy", "it was", "great", "awful", "--run", run.path, "--phrases")
    assert "cosine" in invoke(*args).stdout
    table = parquet.read_table(exported(run, invoke, "parquet", tmp_path / "v.parquet")).to_pydict()
    at = table["token"].index("lovely")
    entry = known.entry(known.number_of("lovely"))
    assert (table["count"][at], table["push_pos"][at]) == (entry.count, entry.pushes["pos"])
    assert table["vector"][at] == known.weights.embedding[known.number_of("lovely")].tolist()


def test_a_target_that_cannot_be_written_is_told(runs: dict[str, Run], invoke: Invoke) -> None:
    args = ("embeddings", "export", "--run", runs["binary"].path)
    for form in ("npz", "tsv", "parquet"):
        told = invoke(*args, "--format", form, "-o", "/proc/nowhere/x", status=1).stderr
        assert told.startswith("embedclf: /proc/nowhere/x: cannot be written: ")


def test_words_are_asked_for_at_a_terminal(runs: dict[str, Run]) -> None:
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
        told, said = process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0, said
    assert [line.split(":")[0] for line in told.splitlines() if ": " in line] == ["lovely", "rude"]
    assert "'xyzzy': the run knows no such word" in said
    assert "not UTF-8" in said
    assert said.count("word> ") == 6


def test_nothing_heavy_is_imported(runs: dict[str, Run], tmp_path: Path) -> None:
    for args in (
        ("neighbors", "lovely"),
        ("movement",),
        ("show", "lovely"),
        ("export", "--format", "word2vec", "-o", str(tmp_path / "v.txt")),
    ):
        code = (
            "import sys; from embedclf.cli.main import main\n"
            "main(sys.argv[1:], standalone_mode=False)\n"
            "heavy = {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules)\n"
            "assert not heavy, heavy"
        )
        command = [sys.executable, "-c", code, "embeddings", *args]
        subprocess.run(
            [*command, "--run", str(runs["binary"].path)], check=True, capture_output=True
        )
