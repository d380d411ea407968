"""Two runs compared on the same rows."""

from __future__ import annotations

import contextlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from scipy.stats import binom

from embedclf.evaluation.compare import mcnemar
from tests.conftest import masked, reviews, unwrapped, write_csv, write_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Iterator[Path]:
    """A project with a trained run and a nearly untrained one; the working directory."""
    folder = tmp_path_factory.mktemp("pair")
    write_project(folder)
    flags = ("-s", "training.epochs=1", "-s", "training.learning_rate=0.00001")
    with contextlib.chdir(folder):
        invoke("train", "binary.yaml", "-q", "-o", "runs/good")
        invoke("train", "binary.yaml", "-q", "-o", "runs/bad", *flags)
        yield folder


def compare(invoke: Invoke, *args: object) -> Any:
    return json.loads(invoke("compare", *args, "--json").stdout)


def test_a_better_run_is_significantly_better(
    pair: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    del pair
    comparison = compare(invoke, "runs/bad", "runs/good")
    accuracy = comparison["differences"]["accuracy"]
    first, second = (scores["accuracy"] for scores in comparison["scores"])
    assert accuracy["difference"] == pytest.approx(second - first)
    assert 0 < accuracy["interval"][0] < accuracy["difference"] < accuracy["interval"][1]
    gained = comparison["fixed"] - comparison["broken"]
    assert gained == pytest.approx(comparison["rows"] * (second - first))
    assert comparison["p_value"] < 0.05
    shown = invoke("compare", "runs/bad", "runs/good").stdout
    assert "the second is right significantly more often" in unwrapped(shown)
    swapped = invoke("compare", "runs/good", "runs/bad").stdout
    assert "the first is right significantly more often" in unwrapped(swapped)
    golden("compare.txt", masked("\n".join(shown.splitlines()[:17])))


def test_changed_rows_are_shown_with_their_locations(pair: Path, invoke: Invoke) -> None:
    comparison = compare(invoke, "runs/bad", "runs/good")
    lines = (pair / "binary-test.csv").read_text().splitlines()
    for row in comparison["changed"]:
        number = int(row["place"].rpartition(":")[2])
        assert lines[number - 1].strip('"').startswith(row["text"][:5])
        assert row["predicted"][0] != row["predicted"][1]


def test_a_run_does_not_differ_from_itself(runs: dict[str, Run], invoke: Invoke) -> None:
    for run in runs.values():
        comparison = compare(invoke, run.path, run.path)
        assert comparison["fixed"] == comparison["broken"] == 0
        assert comparison["p_value"] == 1.0
        for difference in comparison["differences"].values():
            assert difference == {"difference": 0.0, "interval": [0.0, 0.0]}
        assert "no clear difference" in unwrapped(invoke("compare", run.path, run.path).stdout)


def test_runs_are_compared_on_a_table_that_is_named(pair: Path, invoke: Invoke) -> None:
    write_csv(pair / "own.csv", ["text", "label"], reviews(10))
    assert compare(invoke, "runs/bad", "runs/good", "--data", "own.csv")["rows"] == 10


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (["-s", "data.test=null"], "do not have the same test rows"),
        (["-s", "data.train=other.csv"], "cannot compare runs with different labels"),
    ],
)
def test_runs_of_other_rows_or_labels_are_refused(
    pair: Path, tmp_path: Path, invoke: Invoke, overrides: list[str], fault: str
) -> None:
    rows = [(text, label.upper()) for text, label in reviews()]
    write_csv(pair / "other.csv", ["text", "label"], rows)
    run = tmp_path / "run"
    invoke("train", "binary.yaml", "-q", "-o", run, "-s", "training.epochs=1", *overrides)
    message = invoke("compare", "runs/good", run, status=2).stderr
    assert fault in message
    assert message.count("\n") == 1


def test_runs_that_read_other_labels_in_a_table_are_refused(pair: Path, invoke: Invoke) -> None:
    rows = [(text, label, "neg" if label == "pos" else "pos") for text, label in reviews(40)]
    write_csv(pair / "two.csv", ["text", "label", "other"], rows)
    flags = ("-s", "data.train=two.csv", "-s", "data.test=null", "-s", "data.label=other")
    invoke("train", "binary.yaml", "-q", "-o", "runs/o", "-s", "training.epochs=1", *flags)
    message = invoke("compare", "runs/good", "runs/o", "--data", "two.csv", status=2).stderr
    assert "read different rows or labels from two.csv" in message


def test_runs_with_other_validation_rows_are_refused(pair: Path, invoke: Invoke) -> None:
    flags = ("-s", "data.test=null", "-s", "training.epochs=1")
    for name, seed in (("one", 1), ("same", 1), ("two", 2)):
        invoke("train", "binary.yaml", "-q", "-o", f"runs/{name}", *flags, "-s", f"seed={seed}")
    assert compare(invoke, "runs/one", "runs/same")["rows"] == 16
    message = invoke("compare", "runs/one", "runs/two", status=2).stderr
    assert "do not have the same test rows" in message
    shutil.rmtree(pair / "runs" / "two")
    assert "two: no such run" in invoke("compare", "runs/one", "runs/two", status=1).stderr


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (3, 3), (9, 1), (0, 7), (40, 20)])
def test_mcnemar_s_test_is_exact(fixed: int, broken: int) -> None:
    tail = binom.cdf(min(fixed, broken), fixed + broken, 0.5)
    assert mcnemar(fixed, broken) == pytest.approx(min(1.0, 2.0 * tail))


def test_rows_are_weighted_if_one_of_the_runs_weights_them(workplace: Path, invoke: Invoke) -> None:
    rows = [(*row, str(1 + n % 3), str(1 + n % 2)) for n, row in enumerate(reviews(60))]
    write_csv(workplace / "weighted.csv", ["text", "label", "one", "two"], rows)
    table = ("--data", "weighted.csv", "--json")
    for run, flags in {
        "plain": (),
        "ones": ("-s", "data.weight=one"),
        "twos": ("-s", "data.weight=two"),
    }.items():
        settings = ("-s", "data.train=weighted.csv", "-s", "data.test=null", *flags)
        invoke("train", "binary.yaml", "-q", "-o", run, "-s", "training.epochs=1", *settings)
    for pair, weight in ((("plain", "ones"), "one"), (("twos", "plain"), "two")):
        assert json.loads(invoke("compare", *pair, *table).stdout)["weight"] == weight
    both = [
        json.loads(invoke("compare", *pair, *table).stdout)["scores"][0]["log_loss"]
        for pair in (("plain", "plain"), ("plain", "ones"))
    ]
    assert both[0] != both[1]
    refused = invoke("compare", "ones", "twos", *table, status=2).stderr
    assert "weight rows by different columns ('one' and 'two'); compare runs with the same" in (
        unwrapped(refused)
    )
