"""evaluate --learning-curve: what is trained, scored, expected, shown and kept."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.data.labels import Labels
from embedclf.evaluation.predictions import Predictions
from embedclf.reports.learning_curve import learning_curve_text
from embedclf.runs.known_files import LEARNING_CURVE_FILE
from embedclf.runs.run import Run
from embedclf.training.folds.curve_fitting import ScoredSubsets, fit_learning_curve
from embedclf.training.folds.curve_scores import CurveBasis, LearningCurve
from embedclf.training.folds.learning_curve import open_learning_curve
from tests.conftest import reviews, unwrapped, write_csv, write_project
from tests.training.folds.test_cross_validation import visits

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.conftest import Invoke

QUICK = ("-q", "-s", "training.epochs=1", "--no-baseline")

BASIS = CurveBasis("accuracy", "test rows of t.csv", 0, False, "rows", 0, None, 0.5, "")


def predicted(rates: list[float], *, repeats: int = 3, rows: int = 2000) -> ScoredSubsets:
    """Predictions of which a fraction is correct, by size; other rows in each repetition."""
    labels = Labels("binary", ("neg", "pos"), (10, 10))
    order = np.random.default_rng(0)
    predictions = []
    for _ in range(repeats):
        y_true = np.zeros(rows, np.int32)
        place = order.permutation(rows)
        sizes = [(place >= rate * rows).astype(np.int32) for rate in rates]
        blank = np.zeros((rows, 1), np.float32)
        predictions.append([Predictions(labels, y_true, blank, y_pred) for y_pred in sizes])
    training_rows = np.tile(100 * 2.0 ** np.arange(len(rates)), (repeats, 1))
    return ScoredSubsets("accuracy", training_rows, predictions, False, 0)


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory, invoke: Invoke
) -> tuple[Run, dict[str, Any], Result]:
    """A run with test rows, its learning curve as JSON, and the command; for reading only."""
    folder = tmp_path_factory.mktemp("learning-curve")
    write_project(folder)
    write_csv(folder / "binary.csv", ["text", "label"], reviews(80))
    with contextlib.chdir(folder):
        invoke("train", "binary.yaml", *QUICK)
        done = invoke("evaluate", "--learning-curve", "--json", "--progress", "plain")
        return Run.open(folder / "runs" / "binary-1"), json.loads(done.stdout), done


def curve_of(invoke: Invoke, *overrides: str) -> dict[str, Any]:
    flags = [flag for each in overrides for flag in ("-s", each)]
    invoke("train", "binary.yaml", *QUICK, *flags)
    values: dict[str, Any] = json.loads(
        invoke("evaluate", "--learning-curve", "--json", "-q").stdout
    )
    return values


def test_each_size_is_trained_on_five_subsets_and_scored_on_the_test_rows(
    measured: tuple[Run, dict[str, Any], Result],
) -> None:
    _, values, done = measured
    assert [point["rows"] for point in values["points"]] == [20, 40, 80]
    assert [point["fraction"] for point in values["points"]] == [0.25, 0.5, 1.0]
    assert values["scored"] == "test rows of binary-test.csv"
    assert values["scored_rows"] == 40
    for point in values["points"]:
        assert len(point["scores"]) == values["subsets"] == 5
        assert point["score"] == pytest.approx(np.mean(point["scores"]))
        low, high = point["interval"]
        assert low <= point["score"] <= high
    twice = values["twice_the_rows"]
    assert twice["rows"] == 160
    assert twice["interval"][0] <= twice["score"] <= min(twice["interval"][1], 1.0)
    assert "learning curve: 15 trainings on parts of 80 rows, about " in done.stderr
    assert "training 15/15  " in done.stderr


def test_a_learning_curve_is_kept_and_shown_again(
    measured: tuple[Run, dict[str, Any], Result], invoke: Invoke
) -> None:
    run, values, _ = measured
    stored = run.read_addition(LEARNING_CURVE_FILE)
    assert stored is not None
    assert {"run": str(run.path), **stored} == values | {"run": str(run.path)}
    assert LearningCurve.from_json(stored).to_json() == stored
    with contextlib.chdir(run.path.parent.parent):
        assert json.loads(invoke("summary", run.path, "--json").stdout)["learning_curve"] == stored
        assert "learning curve  accuracy " in invoke("summary", run.path).stdout
        page = invoke("report", run.path, "-o", "-", "--no-baseline").stdout
    assert ">Learning curve</h2>" in page
    assert "Accuracy by training rows" in page


def test_a_run_without_learning_curve_mentions_none(runs: dict[str, Run], invoke: Invoke) -> None:
    run = runs["binary"]
    assert "learning curve" not in invoke("summary", run.path).stdout
    assert "Learning curve" not in invoke("report", run.path, "-o", "-", "--no-baseline").stdout


def test_groups_are_whole_and_left_out_rows_are_scored_once(
    workplace: Path, invoke: Invoke
) -> None:
    write_csv(workplace / "visits.csv", ["text", "label", "user", "date"], visits(16, 5))
    table = ("data.train=visits.csv", "data.test=null")
    values = curve_of(invoke, *table, "data.group=user")
    assert values["scored"] == "rows held out of visits.csv"
    assert values["scored_rows"] == 80
    assert values["held_out"]
    assert values["resampled"] == "16 groups of 'user'"
    with open_learning_curve(Run.open(workplace / "runs" / "binary-1")) as plan:
        groups = plan.folds.units.groups
        assert groups is not None
        for source, masks in zip(plan.sources, plan.subsets, strict=True):
            assert source.only is not None
            for mask in masks:
                assert not set(groups[mask]) & set(groups[source.only])
                assert not set(groups[mask]) & set(groups[~mask & ~source.only])
        left_out = [source.only for source in plan.sources if source.only is not None]
        scored = np.sum(left_out, axis=0)
    assert (scored == 1).all()


def test_with_times_the_latest_rows_are_scored(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "visits.csv", ["text", "label", "user", "date"], visits(16, 4))
    table = ("data.train=visits.csv", "data.test=null", "data.time=date")
    values = curve_of(invoke, *table)
    assert values["scored"] == "latest rows held out of visits.csv"
    with open_learning_curve(Run.open(workplace / "runs" / "binary-1")) as plan:
        times = plan.folds.units.times
        assert times is not None
        for source, masks in zip(plan.sources, plan.subsets, strict=True):
            assert source.only is not None
            assert times[masks[-1]].max() < times[source.only].min()
        assert values["scored_rows"] == plan.sources[0].only.sum()  # type: ignore[union-attr]


def test_another_table_can_be_scored_and_is_shown_even_if_the_run_cannot_be_written_to(
    workplace: Path, invoke: Invoke
) -> None:
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(40))
    write_csv(workplace / "new.csv", ["review", "stars"], reviews(20))
    invoke("train", "binary.yaml", *QUICK)
    run = Run.open(workplace / "runs" / "binary-1")
    (run.path / LEARNING_CURVE_FILE).mkdir()
    columns = ("--text-column", "review", "--label-column", "stars")
    done = invoke("evaluate", "--learning-curve", "--data", "new.csv", *columns, status=1)
    assert "accuracy on 20 rows of new.csv" in unwrapped(done.stdout)
    assert "too few rows to train on 1/4 and 1/8 of them" in unwrapped(done.stdout)
    assert "runs/binary-1: cannot be written" in done.stderr
    with open_learning_curve(run, str(workplace / "binary.csv")) as plan:
        assert "the model saw them in training" in plan.sources[0].caution


def test_scores_of_another_threshold_rule_are_marked(
    measured: tuple[Run, dict[str, Any], Result], tmp_path: Path, invoke: Invoke
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(measured[0].path.parent.parent, folder)
    with contextlib.chdir(folder):
        invoke("threshold", "--metric", "0.3", "-q")
        page = invoke("report", "-o", "-", "--no-baseline").stdout
    assert "measured with the threshold rule of the training, 0.5" in unwrapped(page)


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        ([0.6, 0.7, 0.78, 0.84], "gain"),
        ([0.8, 0.8, 0.8, 0.8], "unclear"),
        ([0.6, 0.75, 0.8, 0.8], "unclear"),  # steep at first, and flat where it matters
        ([0.8, 0.79, 0.78, 0.77], "unclear"),
        ([0.7, 0.8], "gain"),
    ],
)
def test_more_rows_help_only_where_the_last_doubling_did(rates: list[float], verdict: str) -> None:
    curve = fit_learning_curve(predicted(rates), BASIS)
    assert curve.projection.verdict == verdict
    assert curve.projection.gain >= 0.0
    fitted = [point.fitted for point in curve.points] + [curve.projection.score]
    assert fitted == sorted(fitted)
    assert fitted[-1] <= 1.0
    assert (curve.asymptote is None) == (len(rates) < 4)


def test_few_scored_rows_make_wide_intervals() -> None:
    rates = [0.6, 0.7, 0.78, 0.84]
    widths = []
    for rows in (40, 4000):
        interval = fit_learning_curve(predicted(rates, rows=rows), BASIS).points[-1].interval
        assert interval is not None
        widths.append(interval[1] - interval[0])
    assert widths[0] > 4 * widths[1]


def test_subsets_that_disagree_make_wider_intervals() -> None:
    rates = [0.6, 0.7, 0.78, 0.84]
    agreeing = predicted(rates, repeats=2)
    worse = predicted([rate - 0.1 for rate in rates], repeats=1).predictions
    apart = replace(agreeing, predictions=[agreeing.predictions[0], *worse])
    narrow, wide = (
        fit_learning_curve(each, BASIS).points[0].interval for each in (agreeing, apart)
    )
    assert narrow is not None
    assert wide is not None
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_a_perfect_score_keeps_an_interval_below_1() -> None:
    interval = fit_learning_curve(predicted([0.9, 1.0], rows=40), BASIS).points[-1].interval
    assert interval is not None
    assert 0.8 < interval[0] < 1.0
    assert interval[1] == 1.0


def test_rows_of_a_single_group_have_no_intervals() -> None:
    scored = predicted([0.7, 0.8])
    groups = np.zeros(2000, np.int64)
    one = [[replace(each, groups=groups) for each in sizes] for sizes in scored.predictions]
    curve = fit_learning_curve(replace(scored, predictions=one), BASIS)
    assert curve.points[-1].interval is None
    assert curve.projection.verdict == "unclear"
    assert LearningCurve.from_json(curve.to_json()) == curve


@pytest.mark.parametrize("flag", ["--by=label", "--mistakes=3", "--no-baseline"])
def test_options_without_effect_are_refused(
    flag: str, runs: dict[str, Run], invoke: Invoke
) -> None:
    done = invoke("evaluate", runs["binary"].path, "--learning-curve", flag, status=2)
    assert "--learning-curve does not use --" in done.stderr


def test_a_changed_or_missing_training_table_is_reported(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", *QUICK)
    table = workplace / "binary.csv"
    with table.open("a") as file:
        file.write("more,neg\n")
    fault = "binary.csv: missing, or changed since runs/binary-1 was trained"
    assert fault in unwrapped(invoke("evaluate", "--learning-curve", status=2).stderr)
    table.unlink()
    assert fault in unwrapped(invoke("evaluate", "--learning-curve", status=2).stderr)
    assert not (workplace / "runs" / "binary-1" / LEARNING_CURVE_FILE).exists()


def test_changed_unlabeled_texts_are_reported(workplace: Path, invoke: Invoke) -> None:
    rest = workplace / "rest.csv"
    write_csv(rest, ["text"], [["lovely new shoe"], ["awful new bag"]])
    unlabeled = ("-s", "data.unlabelled=rest.csv", "-s", "training.teacher=none")
    invoke("train", "binary.yaml", *QUICK, *unlabeled)
    rest.write_text("text\nanother text\n")
    fault = "rest.csv: missing, or changed since runs/binary-1 was trained"
    assert fault in unwrapped(invoke("evaluate", "--learning-curve", status=2).stderr)


def test_the_text_names_the_latest_rows_and_the_groups_that_are_resampled(
    measured: tuple[Run, dict[str, Any], Result],
) -> None:
    basis = replace(BASIS, scored="latest rows held out of t.csv", resampled="12 groups of 'user'")
    curve = fit_learning_curve(predicted([0.7, 0.8], rows=40), basis)
    text = unwrapped(learning_curve_text(measured[0], curve))
    assert f"accuracy on the {curve.basis.scored_rows} latest rows held out of t.csv" in text
    assert "bootstrap draws over 12 groups of 'user' and over subsets" in text
    by_rows = unwrapped(learning_curve_text(measured[0], replace(curve, basis=BASIS)))
    assert "bootstrap draws over scored rows and over subsets" in by_rows


def test_too_few_rows_are_reported(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(38))
    invoke("train", "binary.yaml", *QUICK)
    done = invoke("evaluate", "--learning-curve", status=2)
    assert "binary.csv: too few rows for a learning curve (38 rows)" in unwrapped(done.stderr)


@pytest.mark.usefixtures("workplace")
def test_a_run_that_continued_from_another_is_refused(invoke: Invoke) -> None:
    invoke("train", "binary.yaml", *QUICK)
    invoke("train", "binary-test.csv", "--from", "runs/binary-1", *QUICK)
    done = invoke("evaluate", "runs/binary-test-1", "--learning-curve", status=2)
    assert "needs a run that was trained from scratch" in unwrapped(done.stderr)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_stores_nothing(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", *QUICK)
    command = [sys.executable, "-m", "embedclf", "evaluate", "--learning-curve"]
    with subprocess.Popen(
        [*command, "--progress", "plain"], cwd=workplace, text=True, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        while "training 1/20" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert not (workplace / "runs" / "binary-1" / LEARNING_CURVE_FILE).exists()
