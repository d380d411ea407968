"""Two runs on the same rows."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from scipy.stats import binom

from embedclf.evaluation.compare import mcnemar
from tests.conftest import masked, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


@pytest.fixture
def pair(workplace: Path, invoke: Invoke) -> Path:
    """A run that has learned and one that has not, on the same rows."""
    invoke("train", "binary.yaml", "-q", "-o", "runs/good")
    flags = ("-s", "training.epochs=1", "-s", "training.learning_rate=0.00001")
    invoke("train", "binary.yaml", "-q", "-o", "runs/bad", *flags)
    return workplace


def compared(invoke: Invoke, *args: object) -> Any:
    return json.loads(invoke("compare", *args, "--json").stdout)


def test_a_better_run_is_clearly_better(
    pair: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    del pair
    told = compared(invoke, "runs/bad", "runs/good")
    gain = told["differences"]["accuracy"]
    one, other = (scores["accuracy"] for scores in told["scores"])
    assert gain["difference"] == pytest.approx(other - one)
    assert 0 < gain["interval"][0] < gain["difference"] < gain["interval"][1]
    assert told["mended"] - told["broken"] == pytest.approx(told["rows"] * (other - one))
    assert told["p_value"] < 0.05
    shown = invoke("compare", "runs/bad", "runs/good").stdout
    assert "the second is right more often" in shown
    assert "the first is right more often" in invoke("compare", "runs/good", "runs/bad").stdout
    golden("compare.txt", masked("\n".join(shown.splitlines()[:12])))


def test_changed_rows_are_named_with_their_places(pair: Path, invoke: Invoke) -> None:
    told = compared(invoke, "runs/bad", "runs/good")
    lines = (pair / "binary-test.csv").read_text().splitlines()
    for row in told["changed"]:
        number = int(row["place"].rpartition(":")[2])
        assert lines[number - 1].strip('"').startswith(row["text"][:5])
        assert row["given"][0] != row["given"][1]


def test_a_run_beside_itself_shows_no_difference(runs: dict[str, Run], invoke: Invoke) -> None:
    for run in runs.values():
        told = compared(invoke, run.path, run.path)
        assert (told["mended"], told["broken"], told["p_value"]) == (0, 0, 1.0)
        for gain in told["differences"].values():
            assert gain == {"difference": 0.0, "interval": [0.0, 0.0]}
        assert "no clear difference" in invoke("compare", run.path, run.path).stdout


def test_rows_are_those_of_a_table_that_is_named(pair: Path, invoke: Invoke) -> None:
    write_csv(pair / "own.csv", ["text", "label"], reviews(10))
    assert compared(invoke, "runs/bad", "runs/good", "--data", "own.csv")["rows"] == 10


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (["-s", "data.test=null"], "were not tested on the same rows"),
        (["-s", "data.train=other.csv"], "only runs of the same labels can be compared"),
    ],
)
def test_runs_that_cannot_be_compared(
    pair: Path, invoke: Invoke, overrides: list[str], fault: str
) -> None:
    rows = [(text, label.upper()) for text, label in reviews()]
    write_csv(pair / "other.csv", ["text", "label"], rows)
    invoke("train", "binary.yaml", "-q", "-o", "runs/c", "-s", "training.epochs=1", *overrides)
    told = invoke("compare", "runs/good", "runs/c", status=2).stderr
    assert fault in told
    assert told.count("\n") == 1


def test_runs_that_read_other_labels_in_one_table_cannot_be_compared(
    pair: Path, invoke: Invoke
) -> None:
    rows = [(text, label, "neg" if label == "pos" else "pos") for text, label in reviews(40)]
    write_csv(pair / "two.csv", ["text", "label", "other"], rows)
    flags = ("-s", "data.train=two.csv", "-s", "data.test=null", "-s", "data.label=other")
    invoke("train", "binary.yaml", "-q", "-o", "runs/o", "-s", "training.epochs=1", *flags)
    told = invoke("compare", "runs/good", "runs/o", "--data", "two.csv", status=2).stderr
    assert "read other rows or labels in two.csv" in told


def test_validation_rows_of_another_split_are_other_rows(pair: Path, invoke: Invoke) -> None:
    flags = ("-s", "data.test=null", "-s", "training.epochs=1")
    for name, seed in (("one", 1), ("same", 1), ("two", 2)):
        invoke("train", "binary.yaml", "-q", "-o", f"runs/{name}", *flags, "-s", f"seed={seed}")
    assert compared(invoke, "runs/one", "runs/same")["rows"] == 16
    assert (
        "not tested on the same rows" in invoke("compare", "runs/one", "runs/two", status=2).stderr
    )
    shutil.rmtree(pair / "runs" / "two")
    assert "two: no such run" in invoke("compare", "runs/one", "runs/two", status=1).stderr


@pytest.mark.parametrize(("mended", "broken"), [(0, 0), (3, 3), (9, 1), (0, 7), (40, 20)])
def test_mcnemar_s_test_is_exact(mended: int, broken: int) -> None:
    both = mended + broken
    tail = binom.cdf(min(mended, broken), both, 0.5)
    assert mcnemar(mended, broken) == pytest.approx(min(1.0, 2.0 * tail))
