"""A training that was killed resumes and ends as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.errors import TrainingError
from embedclf.model import backend
from embedclf.runs.history import Epoch
from embedclf.runs.run import Run
from embedclf.training import train
from embedclf.training.checkpoints import Checkpoint, training_id
from tests.conftest import reviews, write_csv
from tests.training.test_train import weights_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

EPOCHS = 24
LONG = [
    *("-s", "model.dropout=0.3"),
    *("-s", "model.pooling=max"),
    *("-s", "training.batch_size=8"),
    *("-s", "training.early_stopping=null"),
    *("-s", f"training.epochs={EPOCHS}"),
]
FLAGS = ["-s", "data.train=many.csv", *LONG]


def checkpoints(folder: Path, kind: str = "*") -> list[Path]:
    return list((folder / "runs").glob(f".unfinished-{kind}"))


TRAIN_AND_PRINT_EPOCHS = """
import sys
from pathlib import Path

from embedclf.autoconfig.resolve import Source
from embedclf.cli.process import tensorflow_ahead
from embedclf.runs.history import Epoch
from embedclf.training.train import train


def print_epoch(event):
    if isinstance(event, Epoch):
        print("epoch", flush=True)
        sys.stdin.readline()


overrides = tuple(arg for arg in sys.argv[2:] if "=" in arg)
proposal, resume = Source(Path(sys.argv[1]), overrides).resolve(), "--resume" in sys.argv
with tensorflow_ahead(show_logs=False):
    train(proposal.config, name=proposal.name, on_event=print_epoch, resume=resume)
"""
"""The command without its terminal, which waits for a line after each epoch."""


def kill_after_a_checkpoint(
    folder: Path, *args: str, epochs: int, kind: str = "*", source: str = "binary.yaml"
) -> None:
    """Start a training and kill it some epochs after it has written a new checkpoint.

    The kill finds it somewhere in the next epoch.
    """

    def written() -> list[int]:
        return [file.stat().st_mtime_ns for file in checkpoints(folder, kind)]

    before = written()
    command = [sys.executable, "-c", TRAIN_AND_PRINT_EPOCHS, source, *args]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while written() in ([], before):
            next(process.stdout)
            print(file=process.stdin, flush=True)
        for _ in range(epochs):
            next(process.stdout)
            print(file=process.stdin, flush=True)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_training_resumes_to_the_same_weights(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(200))
    invoke("train", "binary.yaml", *FLAGS, "-o", "unbroken", "-q")
    kill_after_a_checkpoint(workplace, *FLAGS, epochs=2)
    assert [path for path in (workplace / "runs").iterdir() if path.name[0] != "."] == []
    listed = invoke("runs")
    assert "no runs yet" in listed.stdout
    assert listed.stderr == ""
    kill_after_a_checkpoint(workplace, *FLAGS, "--resume", epochs=5)
    done = invoke("train", "binary.yaml", *FLAGS, "-o", "runs/resumed", "--resume")
    assert "resume          after epoch" in done.stderr
    unbroken, resumed = (Run.open(workplace / name) for name in ("unbroken", "runs/resumed"))
    assert weights_of(resumed) == weights_of(unbroken)
    assert resumed.record["epochs"] == unbroken.record["epochs"] == EPOCHS
    assert resumed.record["best_epoch"] == unbroken.record["best_epoch"]
    assert resumed.metrics() == unbroken.metrics()
    assert not checkpoints(workplace)


def test_a_killed_training_of_a_table_resumes_to_the_same_weights(
    workplace: Path, invoke: Invoke
) -> None:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(200))
    # Choosing the epochs five times over is another test's
    flags = (*LONG, "-s", "training.refit=false", "-s", "training.epochs_by=validation")
    invoke("train", "many.csv", *flags, "-o", "unbroken", "-q", "--no-baseline")
    kill_after_a_checkpoint(workplace, *flags, source="many.csv", epochs=3)
    assert not (workplace / "runs" / "many-1.yaml").exists()
    done = invoke("train", "many.csv", *flags, "--resume", "--no-baseline")
    assert "resume          after epoch" in done.stderr
    unbroken, resumed = (Run.open(workplace / name) for name in ("unbroken", "runs/many-1"))
    assert weights_of(resumed) == weights_of(unbroken)
    assert resumed.config() == unbroken.config() == load_config(workplace / "runs" / "many-1.yaml")
    assert resumed.metrics() == unbroken.metrics()
    assert not checkpoints(workplace)


def test_without_a_checkpoint_a_training_starts_from_the_beginning(
    workplace: Path, invoke: Invoke
) -> None:
    done = invoke("train", "binary.yaml", "--resume", "-s", "training.epochs=1")
    assert "no checkpoint found; starting from epoch 1" in done.stderr
    assert (workplace / "runs" / "binary-1").is_dir()


def test_a_damaged_checkpoint_is_reported_and_the_training_starts_again(
    workplace: Path, invoke: Invoke
) -> None:
    config = load_config(workplace / "binary.yaml", ["training.epochs=1"])
    name = training_id(config, prepare_dataset(config).hashes())
    (workplace / "runs").mkdir()
    (workplace / "runs" / f".unfinished-{name}").write_bytes(b"damaged")
    flags = ("-s", "training.epochs=1", "--no-baseline")
    done = invoke("train", "binary.yaml", *flags, "--resume")
    assert "the checkpoint is damaged; starting from epoch 1" in done.stderr
    assert not checkpoints(workplace)


EPOCH = Epoch(1, 0.5, 100.0, 0.7, 0.5, 0.6, 0.5)


def test_a_saved_checkpoint_is_loaded_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "runs", lambda: "x", resumes=True)
    assert checkpoint.load() is None
    checkpoint.save([EPOCH], [backend.tf.Variable(np.arange(10))], [])
    loaded = checkpoint.load()
    assert loaded is not None
    epochs, variables, best = loaded
    assert epochs == [EPOCH]
    assert [one.tolist() for one in variables] == [list(range(10))]
    assert best == []
    whole = checkpoint.path.read_bytes()
    flips = [bytearray(whole) for _ in range(0, len(whole), 7)]
    for place, flipped in enumerate(flips):
        flipped[7 * place] ^= 1 << place % 8
    for damaged in (b"", whole[:50], whole[:-5], b"x" * 500, whole + b"x", *flips):
        checkpoint.path.write_bytes(bytes(damaged))
        assert checkpoint.load() is None
        assert checkpoint.damaged
    checkpoint.remove()
    assert checkpoint.load() is None


def test_a_checkpoint_that_would_take_longer_than_its_epoch_is_skipped(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, lambda: "x", resumes=False)
    large = np.broadcast_to(np.float32(0.0), 10**9)  # 8 s at the assumed speed
    checkpoint.save([EPOCH], [], [large])
    assert not checkpoint.path.exists()
    assert checkpoint.seconds == 0.0


def test_another_config_or_table_has_another_checkpoint(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml")
    other = load_config(workplace / "binary.yaml", ["training.learning_rate=0.01"])
    names = {
        training_id(config, {"train": "a"}),
        training_id(config, {"train": "b"}),
        training_id(other, {"train": "a"}),
    }
    assert len(names) == 3
    assert training_id(config, {"train": "a"}) in names


def test_a_failed_training_leaves_no_checkpoint(workplace: Path) -> None:
    flags = ["training.learning_rate=1e30", "training.optimizer=sgd"]
    with pytest.raises(TrainingError, match="not finite"):
        train.train(load_config(workplace / "multiclass.yaml", flags), name="x")
    assert not (workplace / "runs").exists()
