"""Compact runs beside their runs, and beside fastText's quantized models; print a table.

Each set is trained once with the settings that embedclf chooses, and exported with
`embedclf export --format compact`, which looks at validation rows only. Test rows are scored at the
end. A start is the time of a whole process that predicts one text: the median of some, of all
models in turn. fastText has 10 dimensions, 25 epochs, pairs of words and a
learning rate of 0.5, then `quantize -qnorm -retrain -cutoff 100000`, as its documentation does.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.compact [--runs FOLDER] [NAME ...]

`--runs` names a folder of trained runs, which are not trained again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.reports.compact import format_bytes
from tests.benchmarks.accuracy import SETS, PublicSet
from tests.benchmarks.processes import bytes_of, embedclf, median_seconds, peer, run

if TYPE_CHECKING:
    from collections.abc import Sequence

STARTS = 15
TEXT = "not as good as I had hoped"
SUPERVISED = ("-dim", 10, "-epoch", 25, "-wordNgrams", 2, "-lr", 0.5)
QUANTIZE = ("-qnorm", "-retrain", "-epoch", 1, "-cutoff", 100_000)
THREADS = ("-thread", 2)


class Model(NamedTuple):
    """A model that is measured."""

    size: int
    """In bytes."""
    score: float
    """Accuracy of the test rows, or micro F1 of several labels a row."""


def main() -> None:
    """Measure the sets that are named, or all sets."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SETS))
    chosen = parser.parse_args()
    print(
        "| set | run | score | compact | of the run | score | start, run | start, compact "
        "| fastText | score | quantized | score | start |"
    )
    print("|---" * 13 + "|")
    for name, public in SETS.items():
        if chosen.names and name not in chosen.names:
            continue
        if not public.train.is_file():
            print(f"skipped: {name}: no {public.train}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(measure(name, public, Path(folder), chosen.runs), flush=True)


def measure(name: str, public: PublicSet, folder: Path, kept: Path | None) -> str:
    """A row of the table."""
    trained = (kept or folder) / public.folder
    if not trained.exists():
        train(public, trained)
    compact = folder / "compact"
    embedclf("export", trained, "--format", "compact", "-o", compact, "-q")
    before, after = measured(trained, public), measured(compact, public)
    peers = fasttext(public, folder)
    text = folder / "text.txt"
    text.write_text(f"{TEXT}\n", encoding="utf-8")
    commands: list[tuple[Any, ...]] = [
        (sys.executable, "-m", "embedclf", "predict", "-t", TEXT, "-q", "--run", each)
        for each in (trained, compact)
    ]
    if peers:
        commands.append(("fasttext", "predict", folder / "model.ftz", text))
    seconds = starts(commands)
    cells = [
        name,
        format_bytes(before.size),
        f"{before.score:.4f}",
        format_bytes(after.size),
        f"1/{before.size / after.size:.0f}",
        f"{after.score:.4f} ({100 * (after.score - before.score):+.2f})",
        *(f"{each:.2f} s" for each in seconds[:2]),
    ]
    for model in peers or ():
        cells += [format_bytes(model.size), f"{model.score:.4f}"]
    cells += [f"{each:.2f} s" for each in seconds[2:]]
    return f"| {' | '.join(cells)} |"


def train(public: PublicSet, target: Path) -> None:
    """Train a run; where the test table is named as one for validation, some rows are held out."""
    settings = [f"data.test={public.tested}"]
    if public.test == "dev.csv":
        settings.append("data.validation=0.1")
    flags = [flag for setting in settings for flag in ("-s", setting)]
    embedclf("train", public.train, *flags, "--no-baseline", "-q", "-o", target)


def measured(folder: Path, public: PublicSet) -> Model:
    """The size of a run, and its score on the test rows."""
    done = embedclf(
        "evaluate", "--run", folder, "--data", public.tested, "-q", "--no-baseline", "--json"
    )
    scores = json.loads(done.stdout)["scores"]
    return Model(bytes_of(folder), next(iter(scores.values())))


def starts(commands: Sequence[tuple[Any, ...]]) -> list[float]:
    """Seconds of commands, in turn."""
    rounds = [[run(*command) for command in commands] for _ in range(STARTS)]
    return [median_seconds(finished) for finished in zip(*rounds, strict=True)]


def fasttext(public: PublicSet, folder: Path) -> list[Model] | None:
    """FastText's model and its quantized one, if it is installed."""
    if shutil.which("fasttext") is None:
        print("skipped: fastText is not installed", file=sys.stderr)
        return None
    lines, tested, model = folder / "train.txt", folder / "test.txt", folder / "model"
    for table, converted in ((public.train, lines), (public.tested, tested)):
        peer("fasttext-lines", table, converted, public.unit, public.separator)
    loss = ("-loss", "ova") if public.separator else ()
    files = ("-input", lines, "-output", model, "-verbose", 0)
    run("fasttext", "supervised", *files, *THREADS, *SUPERVISED, *loss)
    run("fasttext", "quantize", *files, *THREADS, *QUANTIZE)
    binaries = (model.with_suffix(".bin"), model.with_suffix(".ftz"))
    return [Model(bytes_of(file), fasttext_score(file, tested, public)) for file in binaries]


def fasttext_score(model: Path, tested: Path, public: PublicSet) -> float:
    """The score of a model of fastText."""
    if not public.separator:
        return float(run("fasttext", "test", model, tested).stdout.split()[3])
    answers = tested.with_suffix(".answers")
    predicted = run("fasttext", "predict", model, tested, -1, 0.5).stdout
    answers.write_text(predicted, encoding="utf-8")
    return float(json.loads(peer("fasttext-f1", tested, answers).stdout)["score"])


if __name__ == "__main__":
    main()
