"""Progress: the line at a terminal, and plain lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from embedclf.cli.display import Status, activity_status
from embedclf.system.progress import Activity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

EPOCH = Status(
    "epoch 3/20", ("loss 0.4321", "val_accuracy 0.8765"), 0.5, "120,000 rows/s", "12s left"
)


def run_at_terminal(
    *args: object,
    cwd: Path,
    on_output: Callable[[subprocess.Popen[bytes], str], None] = lambda _process, _shown: None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run embedclf with all its streams at a terminal; return its exit status and the output."""
    pty = pytest.importorskip("pty")
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "embedclf", *map(str, args)]
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    output = b""
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdin=writer,
        stdout=writer,
        stderr=writer,
        env={**inherited, "TERM": "xterm", **(environment or {})},
    ) as process:
        os.close(writer)
        while True:
            try:
                chunk = os.read(reader, 1 << 16)
            except OSError:  # the terminal closes with the process
                break
            if not chunk:
                break
            output += chunk
            on_output(process, output.decode(errors="replace"))
    os.close(reader)
    return process.returncode, output.decode()


def drawn(output: str) -> list[str]:
    """What was written between returns and line ends."""
    return output.replace("\n", "\r").split("\r")


def screen(output: str) -> list[str]:
    """The lines that stay on a terminal, which overwrites a line after a return."""
    lines = []
    for line in output.split("\n"):
        shown = ""
        for text in line.split("\r"):
            shown = text + shown[len(text) :]
        lines.append(shown.rstrip())
    return lines


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            120,
            "epoch 3/20  ██████████░░░░░░░░░░  50%  loss 0.4321  val_accuracy 0.8765  "
            "120,000 rows/s  12s left",
        ),
        (
            80,
            "epoch 3/20  50%  loss 0.4321  val_accuracy 0.8765  120,000 rows/s  12s left",
        ),
        (60, "epoch 3/20  50%  loss 0.4321  val_accuracy 0.8765  12s left"),
        (50, "epoch 3/20  50%  loss 0.4321  val_accuracy 0.8765"),
        (30, "epoch 3/20  50%  loss 0.4321"),
        (20, "epoch 3/20  50%"),
        (10, "epoch 3/20"),
        (9, "epoch …"),
    ],
)
def test_a_narrow_line_drops_the_bar_then_the_rate_then_the_time(width: int, line: str) -> None:
    assert EPOCH.fit(width) == line


def test_a_long_name_loses_its_last_words() -> None:
    status = Status("reading a-table-with-a-very-long-name-of-many-words.csv again", (), 0.5)
    assert status.fit(58) == "reading a-table-with-a-very-long-name-of-many-words.csv …"
    assert status.fit(20) == "reading …"


@given(
    st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=30), min_size=2, max_size=4),
    st.none() | st.floats(0, 1),
    st.integers(2, 100),
)
def test_no_line_is_wider_than_it_may_be(
    texts: list[str], fraction: float | None, width: int
) -> None:
    name, rate, *details = texts
    assert cell_len(Status(name, tuple(details), fraction, rate, "1s left").fit(width)) <= width


@pytest.mark.parametrize(
    ("activity", "done", "line"),
    [
        (Activity("importing TensorFlow"), 0, "importing TensorFlow"),
        (Activity("reading a.csv", 40e6, "bytes"), 0, "reading a.csv"),
        (Activity("reading a.csv", 40e6, "bytes"), 10e6, "25%  10.0 MB  5.0 MB/s  6.0s left"),
        (Activity("fitting", 8, "labels"), 2, "25%  2 labels  1.0 labels/s  6.0s left"),
        (Activity("predicting", None, "rows"), 9_000, "9,000 rows  4,500 rows/s"),
    ],
)
def test_a_counted_activity_shows_amount_rate_and_time_left(
    activity: Activity, done: float, line: str
) -> None:
    activity.advance(done)
    status = activity_status(activity, done, seconds=2.0)
    assert status.fit(100).endswith(line)


def test_an_activity_that_was_resumed_is_judged_by_what_was_done_since() -> None:
    activity = Activity("bootstrapping", 100, "draws")
    activity.advance(50)
    assert activity_status(activity, 10, seconds=1.0).remaining == "5.0s left"


def test_the_line_fits_the_terminal_and_leaves_nothing_behind(workplace: Path) -> None:
    width = 60
    args = ("train", "binary.yaml", "-s", "training.epochs=2")
    status, output = run_at_terminal(*args, cwd=workplace, environment={"COLUMNS": str(width)})
    frames = [text.rstrip() for text in drawn(output) if text[:1] in FRAMES and text]
    assert status == 0
    assert frames
    assert max(map(cell_len, frames)) < width
    assert not [line for line in screen(output) if line[:1] in FRAMES and line]
    assert "\x1b" not in output
    assert "run: runs/binary-1" in screen(output)


def test_results_at_the_terminal_are_whole(workplace: Path) -> None:
    status, output = run_at_terminal("init", "binary.csv", "-o", "-", cwd=workplace)
    text = "\n".join(screen(output))
    assert status == 0
    assert "data:\n" in text
    assert "training:\n" in text


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        ("train binary.yaml", {"TERM": "dumb"}),
        ("evaluate RUN --progress none", {}),
        ("evaluate RUN -q", {}),
    ],
)
def test_no_line_where_none_is_wanted(
    workplace: Path, runs: dict[str, Run], command: str, environment: dict[str, str]
) -> None:
    args = [str(runs["binary"].path) if arg == "RUN" else arg for arg in command.split()]
    status, output = run_at_terminal(*args, "--no-baseline", cwd=workplace, environment=environment)
    assert status == 0
    assert not set(output) & {*FRAMES, "\x1b"}
    assert "\r" not in output.replace("\r\n", "")


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_removes_the_line(workplace: Path) -> None:
    interrupted: list[object] = []

    def interrupt(process: subprocess.Popen[bytes], shown: str) -> None:
        if not interrupted and set(shown) & set(FRAMES):
            interrupted.append(process)
            process.send_signal(signal.SIGINT)

    args = ("train", "binary.yaml", "-s", "training.epochs=100000")
    status, output = run_at_terminal(*args, cwd=workplace, on_output=interrupt)
    assert status == 130
    assert screen(output)[-2].startswith("embedclf: interrupted")
    assert not [line for line in screen(output) if line[:1] in FRAMES and line]


TRAINING = ["reading binary.csv", "choosing validation rows", "building the vocabulary"]
FITTING = ["initializing the embedding", "importing TensorFlow", "building the network", "training"]
SCORING = ["loading the classifier", "scoring rows", "reading binary-test.csv"]

PHASES = {
    "train binary.yaml": [*TRAINING, *FITTING, "writing the network", "scoring validation rows"],
    "check binary.yaml": [*TRAINING, "checking labels", "looking for duplicates"],
    "init binary.csv -o -": ["reading binary.csv"],
    "suspects binary.yaml --folds 2": [*TRAINING, *FITTING, "ranking rows"],
    "evaluate RUN": [*SCORING, "fitting the TF-IDF baseline", "bootstrapping intervals"],
    "report RUN -o report.html": [
        *SCORING,
        "bootstrapping intervals",
        "comparing thresholds",
        "drawing the report",
    ],
    "compare RUN RUN": [*SCORING, "bootstrapping intervals"],
    "threshold RUN": ["comparing thresholds", "reading binary.csv"],
    "predict binary.csv --run RUN -o o.csv": ["loading the classifier", "predicting"],
    "embeddings map --run RUN -o map.svg --method tsne -n 20": [
        "loading the classifier",
        "projecting vectors with t-SNE",
        "drawing the map",
    ],
}


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("command", PHASES)
def test_plain_progress_names_each_phase_once_in_order(
    runs: dict[str, Run], invoke: Invoke, command: str
) -> None:
    args = [str(runs["binary"].path) if arg == "RUN" else arg for arg in command.split()]
    lines = invoke(*args, "--progress", "plain").stderr.splitlines()
    assert [line for line in lines if line in PHASES[command]] == PHASES[command]


@pytest.mark.usefixtures("workplace")
def test_a_log_has_few_lines_for_many_epochs(invoke: Invoke) -> None:
    args = ("train", "binary.yaml", "--progress", "plain", "-s", "training.early_stopping=null")
    done = invoke(*args, "-s", "training.epochs=100")
    numbers = [
        int(line.split()[1].partition("/")[0])
        for line in done.stderr.splitlines()
        if line.startswith("epoch ")
    ]
    assert set(numbers) >= {1, 2, 5, 10, 20, 50, 100}
    assert len(numbers) <= 8  # and the best one
