"""A training that was killed goes on to what it would have become."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from embedclf.config.loading import load_config
from embedclf.errors import RunError, TrainingError
from embedclf.runs.history import Epoch
from embedclf.runs.run import Run
from embedclf.training import train
from embedclf.training.checkpoints import Checkpoint, identity
from tests.conftest import reviews, write_csv
from tests.training.test_train import weights_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

EPOCHS = 400
FLAGS = [
    "data.train=many.csv",
    "model.dropout=0.3",
    "model.pooling=max",
    "training.batch_size=8",
    "training.early_stopping=null",
    f"training.epochs={EPOCHS}",
]


def command(*args: str) -> list[str]:
    flags = [part for flag in FLAGS for part in ("-s", flag)]
    return [sys.executable, "-m", "embedclf", "train", "binary.yaml", *flags, *args]


def checkpoints(folder: Path, kind: str = "*") -> list[Path]:
    return list((folder / "runs").glob(f".unfinished-{kind}"))


def kill_after_a_checkpoint(folder: Path, *args: str, seconds: float, kind: str = "*") -> None:
    """Start a training, wait for a checkpoint newer than those there and a while more, kill it."""
    before = [file.stat().st_mtime_ns for file in checkpoints(folder, kind)]
    process = subprocess.Popen(command("-q", *args), cwd=folder)
    give_up = time.monotonic() + 60
    while [file.stat().st_mtime_ns for file in checkpoints(folder, kind)] in ([], before):
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_training_killed_at_any_moment_goes_on_to_the_same_weights(workplace: Path) -> None:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(200))
    subprocess.run(command("-o", "unbroken", "-q"), cwd=workplace, check=True)
    chance = random.Random(4)  # noqa: S311 - only to draw moments
    kill_after_a_checkpoint(workplace, seconds=chance.uniform(0, 0.3))
    kill_after_a_checkpoint(workplace, "--resume", seconds=chance.uniform(0, 0.3))
    done = subprocess.run(
        command("-o", "runs/resumed", "--resume"),
        cwd=workplace,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "goes on         after epoch" in done.stderr
    unbroken, resumed = (Run.open(workplace / name) for name in ("unbroken", "runs/resumed"))
    assert weights_of(resumed) == weights_of(unbroken)
    assert resumed.record["epochs"] == unbroken.record["epochs"] == EPOCHS
    assert resumed.record["best_epoch"] == unbroken.record["best_epoch"]
    assert resumed.metrics() == unbroken.metrics()
    assert not checkpoints(workplace)


def test_without_a_checkpoint_the_training_begins_anew(workplace: Path, invoke: Invoke) -> None:
    told = invoke("train", "binary.yaml", "--resume", "-s", "training.epochs=1").stderr
    assert "nothing to resume: from the beginning" in told
    assert (workplace / "runs" / "binary-1").is_dir()


EPOCH = Epoch(1, 0.5, 100.0, 0.7, 0.5, 0.6, 0.5)


class Variable:
    """As TensorFlow has them."""

    shape = (1000,)

    def numpy(self) -> object:
        import numpy as np

        return np.arange(1000, dtype=np.float32)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "runs", lambda: "x", resumes=True)
    assert checkpoint.load() is None
    time.sleep(0.01)
    checkpoint.save([EPOCH], [Variable()], [])
    loaded = checkpoint.load()
    assert loaded is not None
    epochs, variables, best = loaded
    assert epochs == [EPOCH]
    assert [one.tolist() for one in variables] == [list(range(1000))]
    assert best == []
    whole = checkpoint.path.read_bytes()
    for damaged in (b"", whole[:50], whole[:-5], b"x" * 500):
        checkpoint.path.write_bytes(damaged)
        with pytest.raises(RunError, match="damaged; delete it and train anew"):
            checkpoint.load()
    checkpoint.remove()
    assert checkpoint.load() is None


def test_epochs_too_short_to_pay_for_it_are_not_saved(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, lambda: "x", resumes=False)
    large = Variable()
    large.shape = (10**9,)  # eight seconds, at the speed that is taken for granted
    checkpoint.save([EPOCH], [large], [])
    assert not checkpoint.path.exists()
    assert checkpoint.seconds == 0.0


def test_another_config_or_table_is_another_training(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml")
    other = load_config(workplace / "binary.yaml", ["training.learning_rate=0.01"])
    names = {
        identity(config, {"train": "a"}),
        identity(config, {"train": "b"}),
        identity(other, {"train": "a"}),
    }
    assert len(names) == 3
    assert identity(config, {"train": "a"}) in names


def test_a_training_that_fails_leaves_no_checkpoint(workplace: Path) -> None:
    flags = ["training.learning_rate=1e30", "training.optimizer=sgd"]
    with pytest.raises(TrainingError, match="no longer a number"):
        train.train(load_config(workplace / "multiclass.yaml", flags), name="x")
    assert not (workplace / "runs").exists()
