"""embedclf as a library: the process that uses it stays as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT, write_project

if TYPE_CHECKING:
    from collections.abc import Callable

    States = dict[str, Any]

PROGRAM = """
import atexit, csv, gc, hashlib, json, logging, os, random, signal, sys, threading, warnings
import numpy

def digest(state):
    return hashlib.sha256(repr(state).encode()).hexdigest()

def state():
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE") if hasattr(signal, name)]
    return {
        "switch interval": sys.getswitchinterval(),
        "frozen objects": gc.get_freeze_count(),
        "garbage collection": [gc.isenabled(), gc.get_threshold()],
        "signal handlers": {n: repr(signal.getsignal(getattr(signal, n))) for n in names},
        "import hooks": [getattr(f, "__name__", type(f).__name__) for f in sys.meta_path],
        "environment": dict(os.environ),
        "warning filters": sorted({str(one) for one in warnings.filters}),
        "logging": [logging.root.level, [repr(one) for one in logging.root.handlers]],
        "CSV field size": csv.field_size_limit(),
        "recursion limit": sys.getrecursionlimit(),
        "working directory": os.getcwd(),
        "streams": [id(one) for one in (sys.stdin, sys.stdout, sys.stderr)],
        "exception hooks": [repr(one) for one in (sys.excepthook, threading.excepthook)],
        "random numbers": digest(random.getstate()),
        "random numbers of NumPy": digest(numpy.random.get_state()),
        "floating-point errors": numpy.geterr(),
    }

atexit.register(lambda: print(json.dumps({"exit handlers ran": True}), flush=True))
before = state()
exec(sys.argv[1])
after = state()
exec(sys.argv[1])
print(json.dumps({"before": before, "after": after, "after twice": state()}), flush=True)
"""
"""Prints the state of the process before and after a use, and that its exit handlers ran."""

KEPT = ROOT / "tests" / "formats" / "5" / "binary-average"
USES = {
    "import": "import embedclf",
    "predict": f"import embedclf; embedclf.load({str(KEPT)!r}).predict_proba(['great hotel'])",
    "train": (
        "from pathlib import Path\n"
        "from embedclf.config.loading import load_config\n"
        "from embedclf.training.train import train\n"
        "train(load_config(Path('binary.yaml'), ['training.epochs=2']), name='x')\n"
    ),
    "fit": (
        "import embedclf\n"
        "texts = [f'{word} hotel {number}' for number in range(20) for word in ('great', 'bad')]\n"
        "labels = ['good', 'bad'] * 20\n"
        "fitted = embedclf.TextClassifier(epochs=2, epochs_by='validation').fit(texts, labels)\n"
        "fitted.predict(texts)\n"
    ),
}
TRAINING = ("train", "fit")
OTHERS = "import keras, tensorflow, h5py, pandas, pyarrow.parquet, ruamel.yaml, sklearn.metrics"
"""Packages that training imports, and that change the process themselves."""
STATES = (
    "switch interval",
    "frozen objects",
    "garbage collection",
    "signal handlers",
    "import hooks",
    "environment",
    "warning filters",
    "logging",
    "CSV field size",
    "recursion limit",
    "working directory",
    "streams",
    "exception hooks",
    "random numbers",
    "random numbers of NumPy",
    "floating-point errors",
)
CHANGED_BY_OTHERS = {"import hooks", "environment", "warning filters", "logging"}


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], States]:
    """The states of a process before and after a use; each use has one process."""
    folder = tmp_path_factory.mktemp("host")
    write_project(folder)
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTEST_")}
    seen: dict[str, States] = {}

    def use(code: str) -> States:
        if code not in seen:
            command = [sys.executable, "-c", PROGRAM, code]
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
            seen[code] = {name: state for line in lines for name, state in json.loads(line).items()}
        return seen[code]

    return use


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("use", USES)
def test_using_the_library_leaves_the_process_as_it_was(
    used: Callable[[str], States], use: str, state: str
) -> None:
    states = used(USES[use])
    expected = states["before"][state]
    if use in TRAINING and state in CHANGED_BY_OTHERS:
        expected = used(OTHERS)["after"][state]
    if use in TRAINING and state == "random numbers":  # some are drawn when TensorFlow is imported
        expected = states["after"][state]
    assert states["after twice"][state] == expected


@pytest.mark.parametrize("use", USES)
def test_exit_handlers_run_after_the_library_was_used(
    used: Callable[[str], States], use: str
) -> None:
    assert used(USES[use])["exit handlers ran"]


def test_every_state_is_compared(used: Callable[[str], States]) -> None:
    assert set(used(USES["import"])["before"]) == set(STATES)
