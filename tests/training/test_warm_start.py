"""Trainings that continue from a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.data.dataset import prepare_dataset
from embedclf.errors import RequestError
from embedclf.runs.run import Run
from embedclf.training.movement import measure_movement
from embedclf.training.warm_start import read_start
from tests.conftest import CONFIGS, ROOT, reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Probabilities
    from tests.conftest import Invoke

TINY = ("-s", "training.learning_rate=1e-9", "-s", "training.epochs=1", "-q", "--no-baseline")
"""Steps so small that the network stays as it is."""

TEXTS = ["great hotel", "awful train, it was awful", "about heat", "a b", "never seen", ""]


def probabilities(run: Run, texts: Sequence[str] = TEXTS) -> Probabilities:
    classifier = run.classifier()
    return classifier.predict_proba_ids(classifier.tokenizer.encode(texts).ids)


def continue_from(start: Run, table: object, invoke: Invoke, *flags: object) -> Run:
    """Train from a run on a table, and return the new run."""
    invoke("train", table, "--from", start.path, "-o", "next", *(flags or TINY))
    return Run.open(Path("next"))


def caution_of(run: Run, invoke: Invoke, *flags: object) -> str:
    evaluation = json.loads(invoke("evaluate", "--run", run.path, "--json", *flags).stdout)
    return str(evaluation["caution"])


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("task", CONFIGS)
def test_without_new_tokens_and_with_tiny_steps_a_network_stays_as_it_is(
    task: str, runs: dict[str, Run], invoke: Invoke
) -> None:
    run = continue_from(runs[task], f"{task}.csv", invoke, *TINY, "-s", "text.min_count=1000")
    assert run.classifier().tokenizer.tokens == runs[task].classifier().tokenizer.tokens
    assert np.abs(probabilities(run) - probabilities(runs[task])).max() < 1e-6


@pytest.mark.usefixtures("workplace")
def test_the_steps_of_a_continued_training_change_the_network(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    """The labels are swapped: the network must learn the opposite."""
    swapped = [(text, "neg" if label == "pos" else "pos") for text, label in reviews()]
    write_csv(Path("swapped.csv"), ["text", "label"], swapped)
    flags = ("-s", "training.learning_rate=0.1", "-s", "training.epochs=30", "-q")
    run = continue_from(runs["binary"], "swapped.csv", invoke, *flags, "--no-baseline")
    before, after = probabilities(runs["binary"])[:2, 0], probabilities(run)[:2, 0]
    assert before[0] > 0.5 > before[1]
    assert after[0] < 0.5 < after[1]


@pytest.mark.usefixtures("workplace")
def test_a_new_label_of_a_binary_run_leaves_the_odds_of_the_old_labels(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    rows = [*reviews(40), *((f"middling stuff on day {n}", "mixed") for n in range(20))]
    write_csv(Path("mixed.csv"), ["text", "label"], rows)
    run = continue_from(runs["binary"], "mixed.csv", invoke)
    assert run.record["task"] == "multiclass"
    assert run.record["labels"] == ["neg", "pos", "mixed"]
    assert run.record["from"]["new_labels"] == ["mixed"]
    before, after = probabilities(runs["binary"])[:, 0], probabilities(run)
    shares = after[:, 1] / (after[:, 0] + after[:, 1])
    assert np.abs(shares - before).max() < 1e-5
    texts = [text for text, _ in rows]
    # As frequent as among the 164 to 184 rows of both tables, not as among the 60 new ones.
    assert 0.05 < probabilities(run, texts)[:, 2].mean() < 0.25


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("task", "cells", "names"),
    [
        ("multiclass", ["snow"], ["heat", "rain", "wind", "snow"]),
        ("multilabel", ["z|a", "z"], ["a", "b", "c", "z"]),
    ],
)
def test_labels_without_new_rows_stay_and_new_ones_follow(
    task: str, cells: list[str], names: list[str], runs: dict[str, Run], invoke: Invoke
) -> None:
    columns = ["title", "body"] if task == "multiclass" else ["text"]
    label = "topic" if task == "multiclass" else "label"
    rows = [[*(f"z {name} {n}" for name in columns), cells[n % len(cells)]] for n in range(24)]
    write_csv(Path("new.csv"), [*columns, label], rows)
    # Without new tokens, which would change the texts that have them.
    run = continue_from(runs[task], "new.csv", invoke, *TINY, "-s", "text.min_count=1000")
    before, after = runs[task].classifier().labels, run.classifier().labels
    assert list(after.names) == names
    assert after.counts[: len(before.names)] >= before.counts
    assert sum(after.counts) > sum(before.counts)
    if task == "multilabel":
        assert np.abs(probabilities(run)[:, :3] - probabilities(runs[task])).max() < 1e-6


@pytest.mark.usefixtures("workplace")
def test_the_output_of_a_label_without_new_rows_stays_as_it_is(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    rows = [(f"about {n}", f"{n} words", ("heat", "wind")[n % 2]) for n in range(40)]
    write_csv(Path("new.csv"), ["title", "body", "topic"], rows)
    flags = ("-s", "training.epochs=3", "-q", "--no-baseline")
    run = continue_from(runs["multiclass"], "new.csv", invoke, *flags)
    assert run.record["labels"] == ["heat", "rain", "wind"]
    before, after = (each.classifier().weights.dense[-1] for each in (runs["multiclass"], run))
    for old, new in zip(before, after, strict=True):  # kernel, then bias
        assert (old[..., 1] == new[..., 1]).all()
        assert (old[..., [0, 2]] != new[..., [0, 2]]).any()


@pytest.mark.usefixtures("workplace")
def test_a_table_of_one_label_can_be_added_but_not_trained_alone(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    rows = [(f"splendid {n % 7} and {n}", "pos") for n in range(30)]
    write_csv(Path("one.csv"), ["text", "label"], rows)
    run = continue_from(runs["binary"], "one.csv", invoke)
    assert run.record["labels"] == ["neg", "pos"]
    # The validation rows are found again, although the table alone has one label.
    assert json.loads(invoke("evaluate", "--run", "next", "--json").stdout)["rows"] == 6
    invoke("train", "one.csv", "--text", "text", "--label", "label", status=1)


@pytest.mark.usefixtures("workplace")
def test_a_run_records_what_it_continued_from_and_a_chain_all_tables(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    write_csv(Path("new.csv"), ["text", "label"], [*reviews(40), ("brand new", "pos")] * 2)
    first = continue_from(runs["binary"], "new.csv", invoke)
    start = first.record["from"]
    assert start["run"] == str(runs["binary"].path)
    tokens = [set(each.classifier().tokenizer.tokens) for each in (runs["binary"], first)]
    assert {"brand", "new"} <= tokens[1] - tokens[0]
    assert start["new_tokens"] == len(tokens[1]) - len(tokens[0])
    sha256s = [runs["binary"].record["data"]["train"]["sha256"]]
    assert [table["sha256"] for table in start["tables"]] == sha256s
    assert start["tables"][0]["rows"] == 160
    invoke("train", "new.csv", "--from", "next", "-o", "second", *TINY)
    sha256s.append(first.record["data"]["train"]["sha256"])
    second = Run.open(Path("second"))
    assert [table["sha256"] for table in second.record["from"]["tables"]] == sha256s
    assert second.record["from"]["sha256"] != start["sha256"]
    line = f"{start['new_tokens']} new tokens"
    assert line in unwrapped(invoke("summary", "next").stdout)
    # The counts of both tables are added up.
    statistics, earlier = first.row_statistics(), runs["binary"].row_statistics()
    assert statistics is not None
    assert earlier is not None
    assert (statistics.counts[: len(earlier.counts)] >= earlier.counts).all()
    assert statistics.counts.sum() > earlier.counts.sum()


@pytest.mark.usefixtures("workplace")
def test_scores_on_rows_that_an_earlier_run_saw_are_called_optimistic(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    same = continue_from(runs["binary"], "binary.csv", invoke)
    assert same.record["from"]["seen"] == {"validation": "yes"}
    assert "saw their table" in caution_of(same, invoke, "--no-baseline")
    rows = [*reviews(), *((f"{text} again", label) for text, label in reviews(40))]
    write_csv(Path("grown.csv"), ["text", "label"], rows)
    shown = invoke("train", "grown.csv", "--from", runs["binary"].path, "-o", "grown", *TINY)
    assert "optimistic if the table contains rows" in unwrapped(shown.stdout)
    # A table of an earlier run, although the last one was trained on another.
    earlier = caution_of(Run.open(Path("grown")), invoke, "--data", "binary.csv", "--no-baseline")
    assert "the model saw them in training" in earlier


def test_new_rows_get_no_caution_beyond_the_usual(
    workplace: Path, runs: dict[str, Run], invoke: Invoke
) -> None:
    write_csv(workplace / "few.csv", ["text", "label"], reviews(60))
    run = continue_from(runs["binary"], "few.csv", invoke)
    assert run.record["from"]["seen"] == {}
    # The regression knows the new rows only, which makes a comparison with it unfair.
    shown = unwrapped(invoke("evaluate", "--run", run.path).stdout)
    assert "48 training rows, but none of earlier runs" in shown


def test_a_checkpoint_belongs_to_the_run_that_a_training_continues_from(
    runs: dict[str, Run],
) -> None:
    config = runs["binary"].config()
    start = read_start(runs["binary"])
    hashes = prepare_dataset(config, start=start).hashes()
    assert hashes.pop("from") == start.sha256
    assert hashes == prepare_dataset(config).hashes()


@pytest.mark.usefixtures("workplace")
def test_movement_is_measured_from_the_vectors_of_the_run(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    start = runs["multiclass"]
    run = continue_from(start, "multiclass.csv", invoke, *TINY, "-s", "text.min_count=1000")
    assert measure_movement(run, 3).moved[0].distance < 1e-6
    record = run.record | {"from": run.record["from"] | {"run": "gone"}}
    with pytest.raises(RequestError, match="gone: no such run"):
        measure_movement(replace(run, record=record), 3)
    changed = run.record | {"from": run.record["from"] | {"sha256": "0"}}
    with pytest.raises(RequestError, match="not the run"):
        measure_movement(replace(run, record=changed), 3)


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    "path", ["1/binary-flatten", "3/binary-sqrt-phrases", "5/multiclass-average-hidden"]
)
def test_runs_of_older_formats_can_be_continued(path: str, invoke: Invoke) -> None:
    start = Run.open(ROOT / "tests" / "formats" / path)
    data: Any = start.config().data
    labels = start.record["labels"]
    header = [*data.text_columns, *data.label_columns]
    rows = [[*(f"great b {n}" for _ in data.text_columns), labels[n % 2]] for n in range(40)]
    write_csv(Path("new.csv"), header, rows)
    run = continue_from(start, "new.csv", invoke, *TINY, "-s", "text.min_count=1000")
    assert np.abs(probabilities(run) - probabilities(start)).max() < 1e-6


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("task", "flags", "message"),
    [
        ("binary", ["-s", "model.pooling=average"], "model.pooling: flatten"),
        ("binary", ["-s", "text.sequence_length=9"], "text.sequence_length: 6"),
        ("binary", ["-s", "text.lowercase=false"], "text.lowercase: true"),
        ("binary", ["-s", "data.label_separator=|"], "one label per row"),
        ("multilabel", ["-s", "data.label_separator=null"], "several labels per row"),
        ("binary", ["--text", "other"], "no column 'other'"),
        ("multiclass", [], "no column 'title'"),
        ("binary", ["--cross-validate", "3"], "leave out --from"),
    ],
)
def test_what_contradicts_the_run_is_one_error(
    task: str, flags: list[str], message: str, runs: dict[str, Run], invoke: Invoke
) -> None:
    status = 1 if "no column" in message else 2
    shown = invoke(
        "train", "binary.csv", "--from", runs[task].path, *flags, "-o", "next", status=status
    )
    assert message in unwrapped(shown.stderr)
    assert not Path("next").exists()


@pytest.mark.usefixtures("workplace")
def test_a_missing_run_is_reported_as_one(invoke: Invoke) -> None:
    shown = invoke("train", "binary.csv", "--from", "nothing-1", status=1)
    assert "nothing-1: no such run" in shown.stderr
