"""--cross-validate: folds of the training table, their scores, and what becomes of them."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.loading import load_config
from embedclf.data.split_units import SplitUnits
from embedclf.runs.history import RefitStarted
from embedclf.runs.known_files import CROSS_VALIDATION_FILE
from embedclf.runs.run import Run
from embedclf.training.folds.cross_fitting import Fold
from embedclf.training.folds.cross_validation import cross_validate, open_folds
from tests.conftest import BAD, CONFIGS, GOOD, reviews, unwrapped, write_csv, write_project

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from embedclf.config.schema import Config
    from embedclf.training.folds.cross_validation import CrossValidationEvent
    from tests.conftest import Invoke

QUICK = ("-q", "-s", "training.epochs=2")


def visits(users: int = 8, rows: int = 5) -> list[tuple[str, str, str, str]]:
    """Reviews by some users, each a day after the last; every second user is content."""
    return [
        (
            f"{(GOOD, BAD)[user % 2][visit]} place {user} {visit}",
            ("pos", "neg")[user % 2],
            f"u{user}",
            f"2024-{visit + 1:02d}-{user + 1:02d}",
        )
        for visit in range(rows)
        for user in range(users)
    ]


def config_for(workplace: Path, *overrides: str) -> Config:
    write_csv(workplace / "visits.csv", ["text", "label", "user", "date"], visits())
    table = ("data.train=visits.csv", "data.test=null", "training.epochs=1")
    return load_config(workplace / "binary.yaml", [*table, *overrides])


def trainings(config: Config, count: int) -> list[Fold]:
    """Train once per fold; return the folds."""
    events: list[CrossValidationEvent] = []
    with open_folds(config, count) as folds:
        cross_validate(folds, baseline=False, on_event=events.append)
    return [event for event in events if isinstance(event, Fold)]


def cross_validated(invoke: Invoke, *args: object) -> dict[str, Any]:
    values = json.loads(invoke("train", *args, *QUICK, "--json").stdout)
    validation: dict[str, Any] = values["cross_validation"]
    return validation


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, invoke: Invoke
) -> dict[str, tuple[Run, Result]]:
    """A run of each task, cross-validated, and what its training printed; for reading only."""
    folder = tmp_path_factory.mktemp("cross-validated")
    write_project(folder)
    flags = ("--cross-validate", 2, "--progress", "plain", *QUICK[1:])
    with contextlib.chdir(folder):
        printed = {task: invoke("train", f"{task}.yaml", *flags) for task in CONFIGS}
    return {task: (Run.open(folder / "runs" / f"{task}-1"), printed[task]) for task in CONFIGS}


@pytest.mark.parametrize("task", CONFIGS)
def test_every_row_is_scored_once_and_the_mean_is_that_of_the_folds(
    task: str, trained: dict[str, tuple[Run, Result]]
) -> None:
    run, _ = trained[task]
    validation = run.read_addition(CROSS_VALIDATION_FILE)
    assert validation is not None
    train = run.record["data"]["train"]["rows"] + run.record["data"]["validation"]["rows"]
    assert sum(fold["rows"] for fold in validation["folds"]) == validation["rows"] == train
    assert all(fold["rows"] + fold["training_rows"] == train for fold in validation["folds"])
    sizes = [fold["rows"] for fold in validation["folds"]]
    assert max(sizes) - min(sizes) <= len(run.record["labels"])
    for name, spread in validation["scores"].items():
        values = [fold["scores"][name] for fold in validation["folds"]]
        assert spread["mean"] == pytest.approx(np.mean(values))
        assert spread["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    tfidf = [fold["baselines"]["tf-idf"] for fold in validation["folds"]]
    assert all(set(scores) == set(validation["scores"]) for scores in tfidf)


def test_a_cross_validation_is_printed_kept_and_shown_again(
    trained: dict[str, tuple[Run, Result]], invoke: Invoke
) -> None:
    run, printed = trained["binary"]
    assert "run: runs/binary-1\ncross-validation, 2 folds: accuracy " in printed.stdout
    assert ", majority 0.500\n" in printed.stdout  # both labels have 80 rows
    assert "It is not a confidence interval" in printed.stdout
    assert "cross-validation: 2 more trainings, about " in printed.stderr
    assert "\nfold 2/2  " in printed.stderr
    stored = run.read_addition(CROSS_VALIDATION_FILE)
    with contextlib.chdir(run.path.parent.parent):
        shown = json.loads(invoke("summary", run.path, "--json").stdout)
        listed = json.loads(invoke("runs", "--json").stdout)["runs"]
        text = invoke("summary", run.path).stdout
        page = invoke("report", run.path, "-o", "-", "--no-baseline").stdout
    assert shown["cross_validation"] == stored
    assert stored in [each["cross_validation"] for each in listed]
    assert "cross-validation  2 folds: accuracy " in text
    assert "Accuracy by fold" in page
    assert ">Cross-validation</h2>" in page


def test_a_run_without_cross_validation_mentions_none(runs: dict[str, Run], invoke: Invoke) -> None:
    run = runs["binary"]
    assert run.read_addition(CROSS_VALIDATION_FILE) is None
    assert "cross" not in invoke("summary", run.path).stdout
    assert "cross_validation" not in json.loads(invoke("summary", run.path, "--json").stdout)


def test_scores_of_another_threshold_rule_are_marked(
    workplace: Path, trained: dict[str, tuple[Run, Result]], invoke: Invoke
) -> None:
    run, _ = trained["binary"]
    shutil.copytree(run.path, workplace / "runs" / "binary-1")
    assert "measured with" not in invoke("summary").stdout
    invoke("threshold", "--metric", "0.3", "-q")
    assert "measured with the threshold rule of the training, 0.5" in " ".join(
        invoke("summary").stdout.split()
    )
    file = workplace / "runs" / "binary-1" / "cross-validation.json"
    file.write_text(file.read_text().replace('"mean": ', '"mean": 1'))
    assert "cross-validation.json: damaged" in invoke("summary", status=1).stderr


def test_a_group_is_in_one_fold(workplace: Path) -> None:
    folds = trainings(config_for(workplace, "data.group=user"), 4)
    # Rows are in the order of visits, and each visit has all 8 users
    owners = [{row % 8 for row in fold.rows.tolist()} for fold in folds]
    assert [len(fold.rows) for fold in folds] == [5 * len(owner) for owner in owners]
    assert sorted(user for owner in owners for user in owner) == list(range(8))
    for fold, owner in zip(folds, owners, strict=True):
        seen = np.flatnonzero(fold.split_ids < 2) % 8
        assert not owner & set(seen.tolist())


def test_a_training_learns_only_from_earlier_blocks(workplace: Path) -> None:
    folds = trainings(config_for(workplace, "data.time=date"), 4)
    # Rows are in the order of time
    for fold in folds:
        seen = np.flatnonzero(fold.split_ids < 2)
        assert seen.tolist() == list(range(int(fold.rows.min())))
        validation = np.flatnonzero(fold.split_ids == 1)
        assert validation.min() == len(seen) - len(validation)
    assert np.concatenate([fold.rows for fold in folds]).tolist() == list(range(8, 40))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 8))
def test_blocks_follow_time_and_equal_times_share_one(times: list[int], count: int) -> None:
    moments = np.array(times)
    units = SplitUnits(
        np.arange(len(times), dtype=np.uint64), np.zeros(len(times), np.int64), None, moments
    )
    blocks = units.blocks(count)
    assert blocks.min() >= 0
    assert blocks.max() < count
    order = np.argsort(moments, kind="stable")
    assert (np.diff(blocks[order]) >= 0).all()
    assert all(len(set(blocks[moments == moment].tolist())) == 1 for moment in set(times))


def test_each_network_is_refit_if_that_of_the_run_is(workplace: Path) -> None:
    events: list[CrossValidationEvent] = []
    config = config_for(workplace, "training.refit=true")
    with open_folds(config, 2) as folds:
        validation = cross_validate(folds, baseline=True, on_event=events.append)
    refits = [event.rows for event in events if isinstance(event, RefitStarted)]
    assert refits == [fold.training_rows for fold in validation.folds]
    assert validation.refit


@pytest.mark.usefixtures("workplace")
def test_a_validation_table_chooses_the_epoch_of_each_fold(invoke: Invoke) -> None:
    table = ("-s", "data.validation=binary-test.csv", "-s", "data.test=null")
    rule = ("-s", "training.threshold=f1")
    validation = cross_validated(invoke, "binary.yaml", "--cross-validate", 2, *table, *rule)
    assert validation["rows"] == 160
    assert validation["rule"] == "f1"


def test_rows_count_by_their_weight(workplace: Path, invoke: Invoke) -> None:
    rows = [(text, label, "9" if label == "neg" else "1") for text, label in reviews(40)]
    write_csv(workplace / "weighted.csv", ["text", "label", "weight"], rows)
    table = ("data.train=weighted.csv", "data.weight=weight", "data.test=null")
    validation = cross_validated(
        invoke, "binary.yaml", *(f"-s{each}" for each in table), "--cross-validate", 2
    )
    assert validation["rows"] == 40
    # Always predicting neg is right for 9 of 10 units of weight
    assert validation["baselines"]["majority"]["accuracy"]["mean"] == pytest.approx(0.9)


def test_a_label_that_only_one_fold_has_is_an_error_of_that_fold(
    workplace: Path, invoke: Invoke
) -> None:
    rows = [*reviews(40), ("a text of its own", "rare")]
    write_csv(workplace / "rare.csv", ["text", "label"], rows)
    validation = cross_validated(
        invoke, "binary.yaml", "-s", "data.train=rare.csv", "-s", "data.test=null",
        "--cross-validate", 2,
    )  # fmt: skip
    assert validation["rows"] == 41


@pytest.mark.parametrize(
    ("overrides", "count", "fault"),
    [
        ((), 1, "1 is not in the range"),
        ((), 40, "40 different texts for folds of at least 2; use --cross-validate 20"),
        (("data.group=user",), 9, "visits.csv has 8 groups of 'user'; use --cross-validate 8"),
        (("data.group=user",), 5, "4 groups with label 'neg'; use --cross-validate 4"),
        (("data.time=date",), 40, "40 different times in 'date', too few for 41 blocks"),
        (("data.time=date",), 39, "training 1 has too few rows to hold out some for validation"),
    ],
)  # fmt: skip
def test_a_wrong_number_of_folds_is_reported_before_the_training(
    overrides: tuple[str, ...], count: int, fault: str, workplace: Path, invoke: Invoke
) -> None:
    config_for(workplace)
    flags = [f"-s{each}" for each in ("data.train=visits.csv", "data.test=null", *overrides)]
    done = invoke("train", "binary.yaml", *flags, "--cross-validate", count, status=2)
    assert fault in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workplace / "runs").exists()


def test_two_blocks_by_time_cannot_be_fewer(workplace: Path, invoke: Invoke) -> None:
    rows = [(*row[:3], f"200{number % 3}") for number, row in enumerate(visits())]
    write_csv(workplace / "years.csv", ["text", "label", "user", "date"], rows)
    flags = ["-sdata.train=years.csv", "-sdata.test=null", "-sdata.time=date"]
    done = invoke("train", "binary.yaml", *flags, "--cross-validate", 2, status=2)
    assert "for validation; add rows, or set data.validation to a table" in unwrapped(done.stderr)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_during_the_folds_keeps_the_run(workplace: Path) -> None:
    command = [sys.executable, "-m", "embedclf", "train", "binary.yaml", "--progress", "plain"]
    command += ["--cross-validate", "80", "--no-baseline", "-s", "training.epochs=1", "--json"]
    with subprocess.Popen(
        command, cwd=workplace, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        while "fold 1/80" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "runs/binary-1 is complete, but not cross-validated" in stderr
    assert "cross_validation" not in json.loads(stdout)
    assert Run.open(workplace / "runs" / "binary-1").read_addition(CROSS_VALIDATION_FILE) is None
