"""Vectors as other programs read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyarrow import parquet

from embedclf.inference.embeddings import Embeddings
from embedclf.runs.run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def export_vectors(run: Run, invoke: Invoke, export_format: str, target: Path, *flags: str) -> Path:
    args = ("--format", export_format, "-o", target, "--run", run.path, *flags)
    stderr = invoke("export", *args).stderr
    assert stderr.endswith(" vectors written\n")
    return target


def test_gensim_finds_the_same_neighbors(
    runs: dict[str, Run], invoke: Invoke, tmp_path: Path
) -> None:
    file = export_vectors(runs["multiclass"], invoke, "word2vec", tmp_path / "vectors.txt")
    code = (
        "import json, sys\n"
        "from gensim.models import KeyedVectors\n"
        "vectors = KeyedVectors.load_word2vec_format(sys.argv[1])\n"
        "similar = {word: vectors.most_similar(word) for word in ('lovely', 'rude')}\n"
        "print(json.dumps([similar, len(vectors.index_to_key), vectors['lovely'].tolist()]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, file], check=True, capture_output=True
    )
    theirs, count, vector = json.loads(done.stdout)
    embeddings = Embeddings.from_run(runs["multiclass"])
    assert count == len(embeddings.tokenizer.tokens)
    assert np.float32(vector).tolist() == (
        embeddings.weights.embedding[embeddings.find_row("lovely")].tolist()
    )
    for word, similar in theirs.items():
        ours = embeddings.neighbors(embeddings.find_row(word), 10)
        assert [neighbor.entry.name for neighbor in ours] == [name for name, _ in similar]
        cosines = [cosine for _, cosine in similar]
        assert [neighbor.cosine for neighbor in ours] == pytest.approx(cosines, abs=1e-5)


def test_tensorboard_opens_the_folder(runs: dict[str, Run], invoke: Invoke, tmp_path: Path) -> None:
    folder = export_vectors(runs["multilabel"], invoke, "tsv", tmp_path / "projector")
    code = (
        "import json, sys\n"
        "sys.modules['tensorboard.compat.notf'] = sys  # TensorBoard on its own is faster\n"
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
    embeddings = Embeddings.from_run(runs["multilabel"])
    assert (rows, width) == (len(embeddings.tokenizer.tokens), 8)
    assert (size, lines) == (4 * rows * width, rows + 1)
    assert head[0] == "token\tcount\ttowards\tpush"
    assert head[1].split("\t")[0] == embeddings.tokenizer.tokens[0]
    args = ("--format", "tsv", "-o", folder, "--run", runs["multilabel"].path)
    assert "already exists" in invoke("export", *args, status=2).stderr


def test_npz_and_parquet_hold_names_counts_and_vectors(
    workplace: Path, invoke: Invoke, tmp_path: Path
) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "text.ngrams=2", "-s", "model.pooling=sqrt")
    run = Run.open(workplace / "runs" / "binary-1")
    embeddings = Embeddings.from_run(run)
    file = export_vectors(run, invoke, "npz", tmp_path / "vectors.npz", "--ngrams")
    with np.load(file, allow_pickle=False) as columns:
        assert len(columns["tokens"]) == embeddings.tokenizer.vocabulary_rows - 2
        assert (columns["vectors"] == embeddings.weights.embedding[2:]).all()
        assert embeddings.counts is not None
        assert (columns["counts"] == embeddings.counts[2:]).all()
        row = columns["tokens"].tolist().index("it_was")
        entry = embeddings.entry(embeddings.find_row("it was"))
        assert columns["labels"].tolist() == list(entry.label_contributions)
        assert columns["pushes"][row].tolist() == pytest.approx(
            list(entry.label_contributions.values())
        )
    args = ("embeddings", "analogy", "it was", "great", "awful", "--run", run.path, "--ngrams")
    assert "cosine" in invoke(*args).stdout
    table = parquet.read_table(
        export_vectors(run, invoke, "parquet", tmp_path / "v.parquet")
    ).to_pydict()
    row = table["token"].index("lovely")
    embedding_row = embeddings.find_row("lovely")
    entry = embeddings.entry(embedding_row)
    assert (table["count"][row], table["push_pos"][row]) == (
        entry.count,
        entry.label_contributions["pos"],
    )
    assert table["vector"][row] == embeddings.weights.embedding[embedding_row].tolist()


def test_a_target_that_cannot_be_written_is_reported(runs: dict[str, Run], invoke: Invoke) -> None:
    args = ("export", "--run", runs["binary"].path)
    for export_format in ("npz", "tsv", "parquet"):
        stderr = invoke(*args, "--format", export_format, "-o", "/proc/nowhere/x", status=1).stderr
        assert stderr.startswith("embedclf: /proc/nowhere/x: cannot be written: ")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("export_format", ["word2vec", "npz", "parquet"])
def test_devices_and_pipes_get_what_a_file_gets(
    export_format: str, runs: dict[str, Run], invoke: Invoke, tmp_path: Path
) -> None:
    args = ("export", "--run", runs["binary"].path, "--format", export_format, "-o")
    invoke(*args, "/dev/null")
    assert "/dev/full: cannot be written: No space" in invoke(*args, "/dev/full", status=1).stderr
    invoke(*args, tmp_path / "whole")
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        invoke(*args, f"/dev/fd/{writing}")
        os.close(writing)
        assert len(pipe.read()) == (tmp_path / "whole").stat().st_size


def test_an_option_of_another_format_is_refused(runs: dict[str, Run], invoke: Invoke) -> None:
    args = ("export", runs["binary"].path, "-o", "v", "--format")
    stderr = invoke(*args, "npz", "--max-loss", 1, status=2).stderr
    assert "--max-loss is for --format compact only" in stderr
    stderr = invoke(*args, "js", "--ngrams", status=2).stderr
    assert "--ngrams is for --format word2vec, tsv, npz, parquet only" in stderr
