"""The number of epochs, chosen by cross-validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydantic import ValidationError

from embedclf.config.loading import load_config
from embedclf.config.schema import Config
from embedclf.data.dataset import Dataset, prepare_dataset
from embedclf.data.row_columns import group_ids
from embedclf.runs.history import Epoch, Step
from embedclf.runs.run import Run
from embedclf.training.folds.epochs import choose_epochs
from embedclf.training.train import train
from tests.conftest import reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from embedclf.training.train import TrainEvent
    from tests.conftest import Invoke


def prepare(folder: Path, rows: list[tuple[str, ...]], **data: object) -> Dataset:
    table = write_csv(folder / "rows.csv", ["text", "label", "user", "day"], rows)
    sections = {"data": {"train": str(table), "validation": 0.2, **data}}
    return prepare_dataset(Config.model_validate(sections))


def numbered(rows: list[tuple[str, str]]) -> list[tuple[str, ...]]:
    return [
        (text, label, str(n % 7), f"2026-01-{n % 28 + 1:02}")
        for n, (text, label) in enumerate(rows)
    ]


def falling_then_rising(best: int) -> Callable[[Dataset], Generator[Epoch]]:
    """A training whose loss is lowest at an epoch."""

    def train(_fold: Dataset) -> Generator[Epoch]:
        for epoch in range(1, 101):
            yield Epoch(epoch, 0.0, 0.0, 0.0, 0.0, val_loss=abs(epoch - best), val_score=0.0)

    return train


def test_each_training_row_is_left_out_once(tmp_path: Path) -> None:
    dataset, folds = prepare(tmp_path, numbered(reviews(60))), list[Dataset]()

    def train(fold: Dataset) -> Generator[Epoch]:
        folds.append(fold)
        return falling_then_rising(3)(fold)

    choice = choose_epochs(dataset, train, 2)
    assert choice is not None
    assert (choice.epochs, choice.folds, len(choice.losses)) == (3, 5, 5)
    assert sum(len(fold.validation) for fold in folds) == len(dataset.train)
    for fold in folds:
        assert len(fold.train) + len(fold.validation) == len(dataset.train)
        taught = {row.tobytes() for row in np.asarray(fold.train.ids)}
        # Equal texts stay together
        assert not taught & {row.tobytes() for row in np.asarray(fold.validation.ids)}


def test_without_patience_all_epochs_are_compared(tmp_path: Path) -> None:
    choice = choose_epochs(prepare(tmp_path, numbered(reviews(40))), falling_then_rising(90), None)
    assert choice is not None
    assert choice.epochs == 90
    assert len(choice.losses) == 100


def test_rows_of_a_group_are_left_out_together(tmp_path: Path) -> None:
    dataset, users = prepare(tmp_path, numbered(reviews(70)), group="user"), list[set[int]]()

    def train(fold: Dataset) -> Generator[Epoch]:
        groups = group_ids(fold.validation.rows, fold.config.data)
        assert groups is not None
        users.append({*groups.tolist()})
        return falling_then_rising(1)(fold)

    choose_epochs(dataset, train, 1)
    assert sum(map(len, users)) == len(set.union(*users))


def test_rows_whose_label_no_other_fold_has_do_not_count(tmp_path: Path) -> None:
    rows = [*reviews(40), ("an odd one", "odd")]
    dataset, labels = prepare(tmp_path, numbered(rows), validation=0.05), set[int]()

    def train(fold: Dataset) -> Generator[Epoch]:
        labels.update(fold.validation.targets.tolist())
        return falling_then_rising(1)(fold)

    choose_epochs(dataset, train, 1)
    names = dataset.labels.names
    assert {names[number] for number in labels} == {*names} - {"odd"}


def test_one_text_cannot_be_divided_into_folds(tmp_path: Path) -> None:
    dataset = prepare(tmp_path, numbered(reviews(40)))
    one = dataset.train.filter(np.arange(len(dataset.train)) == 0)
    assert choose_epochs(replace(dataset, train=one), falling_then_rising(1), 1) is None


@pytest.mark.parametrize("labels", [["a", "b", "b"], ["a", "b", "c", "d", "e", "f", "f"]])
def test_where_no_label_has_two_training_rows_validation_rows_choose_the_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke, labels: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(f"a text of {label}{n}", label) for n, label in enumerate(labels)]
    write_csv(tmp_path / "few.csv", ["text", "label"], rows)
    flags = ("--no-baseline", "-s", "training.epochs_by=cross_validation")
    shown = unwrapped(invoke("train", "few.csv", "-o", "run", *flags).stdout)
    assert "cross-validation" not in shown
    assert "epoch_choice" not in Run.open(Path("run")).record


def test_later_rows_choose_no_epochs_for_earlier_ones(tmp_path: Path, invoke: Invoke) -> None:
    columns = ["text", "label", "user", "day"]
    table = write_csv(tmp_path / "rows.csv", columns, numbered(reviews(60)))
    flags = ("-s", "data.time=day", "-s", "training.epochs_by=cross_validation")
    stderr = invoke("train", table, "--text=text", "--label=label", *flags, status=2).stderr
    assert stderr.splitlines()[-1].endswith("write training.epochs_by: validation")


def test_rows_that_a_teacher_has_seen_choose_no_epochs() -> None:
    sections = {
        "data": {"train": "t.csv", "unlabelled": "rest.csv"},
        "training": {"teacher": "use", "epochs_by": "cross_validation"},
    }
    with pytest.raises(ValidationError, match="rows that the teacher has learned from"):
        Config.model_validate(sections)


def test_a_small_table_is_trained_for_the_epochs_that_folds_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "few.csv", ["text", "label"], reviews(60))
    flags = ("-s", "model.vectors=none", "-s", "training.epochs=12")
    invoke("train", "few.csv", "-o", "run", "-q", *flags)
    run = Run.open(Path("run"))
    chosen = run.record["epoch_choice"]
    assert run.record["epochs"] == run.record["best_epoch"] == chosen["epochs"]
    assert chosen["losses"][chosen["epochs"] - 1] == min(chosen["losses"])
    said = "as many as cross-validation of the training rows chose"
    assert said in unwrapped(invoke("summary", "run").stdout)
    epochs = run.epochs()
    assert all(np.isfinite(epoch.val_loss) for epoch in epochs)


def test_an_interrupt_keeps_the_epochs_so_far_of_a_number_that_folds_chose(tmp_path: Path) -> None:
    write_csv(tmp_path / "few.csv", ["text", "label"], reviews(60))
    config = tmp_path / "few.yaml"
    config.write_text(
        "data: {train: few.csv, text: text, label: label}\n"
        "training: {epochs: 4, early_stopping: null, epochs_by: cross_validation}\n",
        encoding="utf-8",
    )

    def on_event(event: TrainEvent) -> None:
        if isinstance(event, Step) and event.epoch == 2:
            raise KeyboardInterrupt

    record = train(
        load_config(config), name="few", output=tmp_path / "run", on_event=on_event
    ).record
    assert record["epoch_choice"]["epochs"] > 1
    assert (record["epochs"], record["ended"]) == (1, "interrupted")


def test_the_same_table_chooses_the_same_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "few.csv", ["text", "label"], reviews(40))
    flags = ("-q", "-s", "model.vectors=none", "-s", "training.epochs=4")
    for name in ("one", "two"):
        invoke("train", "few.csv", "-o", name, *flags)
    first, second = (Run.open(Path(name)).record["epoch_choice"] for name in ("one", "two"))
    assert first == second
