"""evaluate, compare, report, threshold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Invoke, masked, reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.runs.run import Run


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_evaluate_shows_the_scores_that_training_measured(
    task: str,
    runs: dict[str, Run],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    invoke: Invoke,
    golden: Callable[[str, str], None],
) -> None:
    monkeypatch.chdir(project)  # lines break where they do because paths are relative
    run = runs[task].path
    shown = invoke("evaluate", "--run", run).stdout
    golden(f"evaluate-{task}.txt", masked(shown))
    values = json.loads(invoke("evaluate", "--run", run, "--json").stdout)
    split = "test" if task == "binary" else "validation"
    assert values["rows"] == runs[task].record["data"][split]["rows"]
    assert values["scores"].items() >= runs[task].metrics()[split]["scores"].items()


def test_evaluate_names_labels_that_training_never_saw(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = write_csv(tmp_path / "odd.csv", ["text", "label"], [*reviews(8), ("x", "odd")])
    shown = invoke("evaluate", "--run", runs["binary"].path, "--data", path).stdout
    assert "labels that do not occur in training count as errors: 'odd' (1 row)" in unwrapped(shown)


def test_rows_without_a_label_can_be_skipped(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    rows = [*reviews(8), ("x", ""), ("y", "nan")]
    path = write_csv(tmp_path / "odd.csv", ["text", "label"], rows)
    args = ("evaluate", "--run", runs["binary"].path, "--data", path, "--json")
    refused = invoke(*args, status=1).stderr
    assert "empty label; fix these rows, or skip them with data.skip_invalid: true" in refused
    flags = ("-s", "data.skip_invalid=true", "-s", "data.missing_labels=[nan]")
    evaluation = json.loads(invoke(*args, *flags).stdout)
    assert (evaluation["rows"], evaluation["unknown_labels"]) == (8, {})


def test_many_labels_are_listed_from_the_lowest_f1_on(workplace: Path, invoke: Invoke) -> None:
    rows = [(f"word{n % 24} text {n}", f"customer_service_{n % 24}") for n in range(240)]
    write_csv(workplace / "wide.csv", ["text", "label"], rows)
    flags = ("-s", "data.train=wide.csv", "-s", "data.test=null", "-s", "training.epochs=1")
    invoke("train", "binary.yaml", "-q", *flags)
    evaluation = json.loads(invoke("evaluate", "--json").stdout)
    shown = invoke("evaluate").stdout
    assert "actual \\ predicted" not in shown
    labels = sorted(evaluation["labels"], key=lambda label: float(label["f1"]))
    lines = lines_below(shown, "20 of 24 labels, lowest f1 first", 20)
    assert [line.split()[0] for line in lines] == [label["label"] for label in labels[:20]]
    pairs = [
        count
        for actual, counts in enumerate(evaluation["confusion"])
        for predicted, count in enumerate(counts)
        if count and predicted != actual
    ]
    listed = min(len(pairs), 10)
    title = f"most frequent confusions (first {listed} of {len(pairs)})"
    lines = lines_below(shown, title, listed)
    assert [int(line.split()[-1]) for line in lines] == sorted(pairs, reverse=True)[:listed]


def lines_below(text: str, title: str, count: int) -> list[str]:
    """The first rows of the table below a title: its head has two lines."""
    return text.partition(f"\n{title}\n")[2].splitlines()[2 : 2 + count]


def test_lines_that_were_ignored_are_reported(
    runs: dict[str, Run], workplace: Path, invoke: Invoke
) -> None:
    with (workplace / "binary.csv").open("a", encoding="utf-8") as file:
        file.write("Total: 160 rows\n")
    name = runs["binary"].path
    for command in (
        ("evaluate", name, "--no-baseline"),
        ("compare", name, name),
        ("report", name, "--no-baseline", "-o", "-"),
    ):
        stderr = invoke(*command, "--data", "binary.csv").stderr
        assert "ignored below the last row: 'Total: 160 rows'" in stderr
