"""evaluate, compare, report, threshold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Invoke, masked, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.runs.run import Run


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_evaluate_shows_the_scores_that_training_measured(
    task: str,
    runs: dict[str, Run],
    project: Path,
    invoke: Invoke,
    golden: Callable[[str, str], None],
) -> None:
    run = runs[task].path
    shown = invoke("evaluate", "--run", run).stdout
    golden(f"evaluate-{task}.txt", masked(shown.replace(str(project), "DATA")))
    values = json.loads(invoke("evaluate", "--run", run, "--json").stdout)
    split = "test" if task == "binary" else "validation"
    assert values["rows"] == runs[task].record["data"][split]["rows"]
    assert values["scores"].items() >= runs[task].metrics()[split]["scores"].items()


def test_evaluate_names_labels_that_training_never_saw(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = write_csv(tmp_path / "odd.csv", ["text", "label"], [*reviews(8), ("x", "odd")])
    shown = invoke("evaluate", "--run", runs["binary"].path, "--data", path).stdout
    assert "1 times a label that training never saw, which is always wrong: 'odd' 1" in shown


def test_a_confusion_matrix_that_does_not_fit_is_left_out(workplace: Path, invoke: Invoke) -> None:
    rows = [(f"word{n % 12} text {n}", f"customer_service_{n % 12}") for n in range(240)]
    write_csv(workplace / "wide.csv", ["text", "label"], rows)
    flags = ("-s", "data.train=wide.csv", "-s", "data.test=null", "-s", "training.epochs=1")
    invoke("train", "binary.yaml", "-q", *flags)
    shown = invoke("evaluate").stdout
    assert "true \\ given" not in shown
    assert "customer_service_11" in shown
