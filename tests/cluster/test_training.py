"""train --cluster: the vocabulary of one machine, and the same run whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from embedclf.cluster.task_queue import TaskQueue
from embedclf.cluster.training import counting
from embedclf.cluster.training.merging import SUM, Changes, MovedRows, merge_rows, step_factors
from embedclf.cluster.training.prepare import ShardedDataset, prepare_sharded
from embedclf.cluster.training.shards import read_shard
from embedclf.cluster.training.support import cluster_config
from embedclf.cluster.training.train import train_on_cluster
from embedclf.cluster.training.work_folder import WorkFolder
from embedclf.config.loading import load_config
from embedclf.data.dataset import Dataset, prepare_dataset
from embedclf.errors import RunError
from embedclf.runs.run import Run
from embedclf.system.arrow import text_column
from embedclf.text.vocabulary import merge_token_counts
from embedclf.training.initialization import TrainingStatistics, initialize
from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.config.schema import Config
    from tests.conftest import Invoke

COUNTS = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(1, 5)), max_size=30)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of three parts: two CSV files, and a Parquet file."""
    rows = reviews(240)
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in" / "a.csv", ("text", "label"), rows[:100])
    write_csv(tmp_path / "in" / "b.csv", ("text", "label"), rows[100:150])
    texts, labels = zip(*rows[150:], strict=True)
    parquet.write_table(pa.table({"text": texts, "label": labels}), tmp_path / "in" / "c.parquet")
    (tmp_path / "config.yaml").write_text(
        "data: {train: in, text: text, label: label, validation: 0.2, test: in/a.csv}\n"
        "text: {unit: word, vocabulary_size: 60, min_count: 1, ngrams: 3, "
        "ngram_vocabulary_size: 80, sequence_length: 20}\n"
        "model: {initialization: naive_bayes, embedding_dim: 4, pooling: sqrt, dropout: 0.1}\n"
        "training: {epochs: 2, epochs_by: validation, batch_size: 8, refit: false, "
        "calibration: temperature}\n"
    )
    return cluster_config(load_config(tmp_path / "config.yaml"))


def sharded(client: Any, folder: Path, config: Config, shards: int) -> ShardedDataset:
    folder.mkdir()
    return prepare_sharded(TaskQueue(client), WorkFolder(folder), config, shards)


def texts_of(dataset: Dataset) -> Counter[tuple[tuple[int, ...], int]]:
    """The ids and the label of each training row."""
    ids = (tuple(text.tolist()) for text in dataset.train.ids)
    return Counter(zip(ids, dataset.train.targets.tolist(), strict=True))


def test_vocabulary_ids_and_initial_weights_are_those_of_one_machine(
    client: Any, config: Config, tmp_path: Path
) -> None:
    alone = prepare_dataset(config)
    found = sharded(client, tmp_path / "work", config, 3)
    dataset = found.dataset
    assert dataset.tokenizer.tokens == alone.tokenizer.tokens
    assert dataset.tokenizer.ngrams == alone.tokenizer.ngrams
    assert dataset.labels == alone.labels
    assert dataset.facts == alone.facts
    assert np.array_equal(dataset.counts, alone.counts)
    shards = [read_shard(shard, config) for shard in found.shards]
    assert sum(map(texts_of, shards), Counter()) == texts_of(alone)
    assert min(len(shard.train) for shard in shards) > 40
    assert np.array_equal(dataset.validation.ids.values, alone.validation.ids.values)
    assert np.array_equal(dataset.validation.targets, alone.validation.targets)
    expected = initialize(alone, TrainingStatistics.of(alone))
    initial = initialize(dataset, found.statistics)
    assert np.array_equal(initial.biases, expected.biases)
    assert np.array_equal(initial.rows, expected.rows)


@pytest.mark.parametrize("partitions", [1, 3])
@given(parts=st.lists(COUNTS, min_size=1, max_size=4), size=st.integers(1, 8))
@settings(max_examples=20)
def test_counts_are_exact_however_little_memory_there_is(
    partitions: int, parts: list[list[tuple[str, int]]], size: int, tmp_path_factory: Any
) -> None:
    folder = WorkFolder(tmp_path_factory.mktemp("counts"))
    files: list[str] = []
    for number, part in enumerate(parts):
        counts = counting.SpilledCounts(folder, f"{number}", merge_token_counts, max_items=4)
        for token, count in part:
            counts.add((text_column([token]), np.array([count])))
        counts.close()
        files += counts.files
    ranked = [
        counting.reduce_tokens(
            [folder.path / file for file in files],
            (number, partitions),
            size=size,
            min_count=2,
            fields=(),
        )
        for number in range(partitions)
    ]
    found = {
        token: count
        for tokens, counts in ranked
        for token, count in zip(tokens.to_pylist(), counts.tolist(), strict=True)
    }
    total: Counter[str] = Counter()
    for part in parts:
        for token, count in part:
            total[token] += count
    frequent = [pair for pair in total.items() if pair[1] >= 2]
    expected = sorted(frequent, key=lambda pair: (-pair[1], pair[0]))[:size]
    assert sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:size] == expected


@given(st.integers(1, 50), st.integers(1, 50), st.floats(0.5, 0.999))
def test_a_moving_average_of_equal_gradients_is_that_of_all_steps_in_a_row(
    one: int, other: int, decay: float
) -> None:
    start, gradient, total = 3.0, 1.0, one + other

    def after(steps: int) -> float:
        return gradient + (start - gradient) * decay**steps

    merged = start + sum(
        float(step_factors(steps, total, decay)) * (after(steps) - start) for steps in (one, other)
    )
    assert merged == pytest.approx(after(total), rel=1e-4)
    assert step_factors(one, total, 1.0) == 1.0


SHARDS = st.lists(
    st.dictionaries(st.integers(0, 9), st.tuples(st.integers(1, 9), st.floats(-4, 4, width=16))),
    min_size=1,
    max_size=4,
)


@given(SHARDS)
def test_merged_rows_have_the_changes_of_all_shards(
    shards: list[dict[int, tuple[int, float]]],
) -> None:
    before = np.arange(20, dtype=np.float32).reshape(10, 2)
    moved, expected = [], before.copy()
    for shard in shards:
        rows = np.array(sorted(shard), np.int32)
        uses = np.array([shard[row][0] for row in rows], np.int32)
        changes = np.array([[shard[row][1]] * 2 for row in rows], np.float32).reshape(-1, 2)
        moved.append(MovedRows(rows, uses, (before[rows] + changes,)))
        expected[rows] += changes
    merged, seen = before.copy(), Counter[int]()
    found = Changes.of(moved, 10)
    changed, read = found.find(1), lambda rows: [before[rows]]
    for rows, (values,) in merge_rows(changed, moved, found, read, [[SUM]]):
        merged[rows] = values
        seen.update(rows.tolist())
    assert seen == Counter({row for shard in shards for row in shard})
    assert np.allclose(merged, expected, atol=1e-4)


@given(SHARDS, st.floats(0.5, 1.0))
def test_rows_that_one_shard_has_changed_get_its_values(
    shards: list[dict[int, tuple[int, float]]], decay: float
) -> None:
    movers = Counter(row for shard in shards for row in shard)
    values = np.random.default_rng(0).random((4, 10, 2), np.float32)
    moved = [
        MovedRows(
            np.array(sorted(shard), np.int32),
            np.array([shard[row][0] for row in sorted(shard)], np.int32),
            (values[number][np.array(sorted(shard), np.int32)],),
        )
        for number, shard in enumerate(shards)
    ]
    zeros, changes = np.zeros((10, 2), np.float32), Changes.of(moved, 10)
    alone = np.concatenate([[], *(shard.rows[changes.places_alone(shard)] for shard in moved)])
    assert sorted(alone) == sorted(row for row in movers if movers[row] == 1)
    changed, read = changes.find(1), lambda rows: [zeros[rows]]
    for rows, (merged,) in merge_rows(changed, moved, changes, read, [[decay, SUM]]):
        for row, found in zip(rows.tolist(), merged, strict=True):
            numbers = [number for number, shard in enumerate(shards) if row in shard]
            if movers[row] == 1:
                assert np.array_equal(found, values[numbers[0]][row])
            else:
                assert found[1] == pytest.approx(sum(values[each][row][1] for each in numbers))


def weights_of(run: Run) -> list[Any]:
    weights = run.classifier().weights
    return [weights.trained, *(array for layer in weights.dense for array in layer)]


def rounds_folder(folder: Path) -> Path:
    """Where a training that was stopped has left its rounds."""
    return next(folder.glob(".cluster-*/rounds"))


def test_the_run_is_the_same_after_kills_and_damage(
    client: Any, scheduler: str, config: Config, tmp_path: Path
) -> None:
    whole = train_on_cluster(config, scheduler, name="x", output=tmp_path / "whole").run
    rounds, steps = whole.record["cluster"]["rounds"], 0

    def stop(event: Any) -> None:
        nonlocal steps
        steps += type(event).__name__ == "Step"
        if steps == rounds + 3:  # in the second epoch
            raise SystemExit

    with pytest.raises(SystemExit):
        train_on_cluster(config, scheduler, name="x", output=tmp_path / "cut", on_event=stop)
    first, second, _ = sorted(rounds_folder(tmp_path).glob("round-*"))[-3:]
    assert not list(second.glob("shard-*.npy"))  # these were larger than the tables
    for rows in (first / "shard-000001-table-0.npy", second / "merged-000001-table-0.npy"):
        content = bytearray(rows.read_bytes())
        content[-4:] = bytes(4)  # as after a power failure
        rows.write_bytes(content)
    events: list[str] = []

    def kill(event: Any) -> None:
        events.append(type(event).__name__)
        if events.count("Step") in {2, 4} and events[-1] == "Step":
            client.wait_for_workers(2)
            worker = sorted(client.run(os.getpid).values())[events.count("Step") // 2 % 2]
            os.kill(worker, signal.SIGKILL)

    resumed = train_on_cluster(
        config,
        scheduler,
        name="x",
        output=tmp_path / "cut",
        on_event=kill,
        resume=True,
    ).run
    assert events.count("Step") == rounds - 3 + 2  # those of the damaged files again
    assert events.count("Resumed") == 1
    for one, other in zip(weights_of(whole), weights_of(resumed), strict=True):
        assert np.array_equal(one, other)
    files = [json.loads((run.path / "metrics.json").read_text()) for run in (whole, resumed)]
    assert files[0] == files[1]
    assert whole.record["epochs"] == 2
    used = whole.record["cluster"]
    assert (used["shards"], used["rounds"]) == (2, 8)
    assert {"read_part", "encode_part", "train_round", "merge_round"} <= used["cpu_seconds"].keys()
    assert all(seconds >= 0 for seconds in used["cpu_seconds"].values())
    assert not list(tmp_path.glob(".cluster-*")) + list(tmp_path.glob(".unfinished-*"))


def test_weights_that_are_missing_or_damaged_are_reported(
    scheduler: str, config: Config, tmp_path: Path
) -> None:
    folder, epochs = tmp_path / "work", 0
    folder.mkdir()

    def damage(event: Any) -> None:
        nonlocal epochs
        epochs += type(event).__name__ == "Epoch"
        if epochs and type(event).__name__ == "Step":  # of the second epoch
            table = max(rounds_folder(folder).glob("round-*/merged-000000-table-0.npy"))
            table.write_bytes(table.read_bytes()[:-1])

    with pytest.raises(RunError, match=r"table-0.npy.*; train again with --resume"):
        train_on_cluster(config, scheduler, name="x", output=folder / "run", on_event=damage)
    weights = max(rounds_folder(folder).glob("weights-*/embedding-0.npy"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"weights of the last epoch .* without --resume"):
        train_on_cluster(config, scheduler, name="x", output=folder / "run", resume=True)


@pytest.mark.usefixtures("config")
def test_train_reports_scores_and_saves_a_config_that_holds_out_the_same_rows(
    scheduler: str, tmp_path: Path, invoke: Invoke
) -> None:
    printed = invoke(
        "train", tmp_path / "config.yaml", "--cluster", scheduler, "-o", tmp_path / "run"
    )
    assert "data.split: hash" in printed.stderr
    assert "2 shards, 8 rounds an epoch of 0.0 MB; peak memory: a worker " in printed.stderr
    run = Run.open(tmp_path / "run")
    assert run.config().data.split == "hash"
    alone = prepare_dataset(run.config())
    assert run.record["data"]["validation"]["rows"] == len(alone.validation)
    assert "accuracy" in invoke("evaluate", "--run", tmp_path / "run").stdout


@pytest.mark.usefixtures("config")
def test_settings_that_need_all_rows_are_refused(tmp_path: Path, invoke: Invoke) -> None:
    arguments = ("train", tmp_path / "config.yaml", "--cluster", "local:2")
    failed = invoke(*arguments, "-s", "training.refit=true", status=2)
    assert (
        "--cluster: training.refit needs all rows on one machine; "
        "-s training.refit=false turns it off" in failed.stderr
    )
    failed = invoke(*arguments, "--cross-validate", "3", status=2)
    assert "--cross-validate needs all rows on one machine; leave out --cluster" in failed.stderr
