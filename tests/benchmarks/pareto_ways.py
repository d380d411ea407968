"""Ways from a training table to a saved classifier, measured as whole processes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.benchmarks.accuracy import CLASSIC, PublicSet
from tests.benchmarks.pareto_summary import AS_TYPED, FLOOR, OURS, PAIRS, Measured
from tests.benchmarks.processes import Finished, bytes_of, embedclf, peer, run, together

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEEDS = (42, 1, 2)
"""Of the rounds; the first is that of the config."""
FASTTEXT = {
    "fastText, 5 epochs": (),
    "fastText, 25 epochs, pairs": ("-epoch", 25, "-wordNgrams", 2, "-lr", 0.5),
}
TFIDF = {"TF-IDF + LR": 1, PAIRS: 2}
_CONFIG = "config.yaml"


@dataclass(frozen=True)
class Bench:
    """A set, and a folder with its config and the files of the round."""

    public: PublicSet
    folder: Path

    @classmethod
    def prepare(cls, public: PublicSet, folder: Path) -> Bench:
        """Write the config of `init` into a folder of the set; this is part of no way."""
        bench = cls(public, folder / public.folder)
        bench.folder.mkdir(exist_ok=True)
        config = bench.folder / _CONFIG
        if not config.is_file():
            embedclf("init", public.train, "--test", public.tested, "-o", config, "-q")
        return bench

    def measure(self, way: str, round_: int) -> Measured | None:
        """Train once and score the test rows; None if a peer is not installed."""
        try:
            measured = WAYS[way](self, SEEDS[round_ % len(SEEDS)])
        finally:
            self._clean()
        if measured is None:
            return None
        rows = [count_rows(table) for table in (self.public.train, self.public.tested)]
        return replace(
            measured,
            folder=self.public.folder,
            way=way,
            round=round_,
            rows=rows[0],
            tested_rows=rows[1],
        )

    def _clean(self) -> None:
        """Remove what ways write; also runs of a training that failed."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _CONFIG:
                path.unlink()


@cache
def count_rows(table: Path) -> int:
    """Count the rows of a CSV table with a header."""
    import pyarrow.csv

    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return int(pyarrow.csv.read_csv(table, parse_options=parse).num_rows)


def _train(bench: Bench, seed: int, *overrides: str) -> Measured:
    made = bench.folder / "run"
    keys = (f"seed={seed}", "data.test=null", *overrides)
    flags = [flag for key in keys for flag in ("-s", key)]
    config = bench.folder / _CONFIG
    done = embedclf("train", config, "--no-baseline", "-o", made, "-q", *flags)
    tested = ("--data", bench.public.tested, "--json", "-q", "--no-baseline")
    scored = embedclf("evaluate", "--run", made, *tested)
    score = next(iter(json.loads(scored.stdout)["scores"].values()))
    return _measured(done, scored.seconds, bytes_of(made), score)


def _train_classic(bench: Bench, seed: int) -> Measured:
    return _train(bench, seed, *CLASSIC)


def _train_as_typed(bench: Bench, seed: int) -> Measured:
    """Train on the table alone: settings are chosen, and TF-IDF is fitted for comparison."""
    made = bench.folder / "run"
    done = embedclf("train", bench.public.train, "-o", made, "-q", "-s", f"seed={seed}")
    return _measured(done, None, bytes_of(made), None)


def _import_keras(_: Bench, __: int) -> Measured:
    return _measured(run(sys.executable, "-c", "import keras"), None, 0, None)


def _fasttext(options: tuple[Any, ...]) -> Callable[[Bench, int], Measured | None]:
    def train(bench: Bench, seed: int) -> Measured | None:
        if shutil.which("fasttext") is None:
            return None
        public, model = bench.public, bench.folder / "model"
        lines, tested = bench.folder / "train.txt", bench.folder / "test.txt"
        marks = (public.unit, public.separator)
        converted = peer("fasttext-lines", public.train, lines, *marks)
        sizes = ("-dim", 10, "-thread", os.cpu_count(), "-seed", seed, "-verbose", 0)
        loss = ("-loss", "ova") if public.separator else ()
        files = ("-input", lines, "-output", model)
        done = run("fasttext", "supervised", *files, *sizes, *options, *loss)
        prepared = peer("fasttext-lines", public.tested, tested, *marks)
        scored, score = _score_fasttext(bench, tested)
        seconds = prepared.seconds + scored.seconds
        binary = model.with_suffix(".bin")
        return _measured(together([converted, done]), seconds, bytes_of(binary), score)

    return train


def _score_fasttext(bench: Bench, tested: Path) -> tuple[Finished, float]:
    model, answers = bench.folder / "model.bin", bench.folder / "answers.txt"
    if not bench.public.separator:
        scored = run("fasttext", "test", model, tested)
        return scored, float(scored.stdout.split()[3])
    scored = run("fasttext", "predict", model, tested, -1, 0.5)
    answers.write_text(scored.stdout, encoding="utf-8")
    return scored, float(json.loads(peer("fasttext-f1", tested, answers).stdout)["score"])


def _tfidf(ngrams: int) -> Callable[[Bench, int], Measured]:
    def train(bench: Bench, _: int) -> Measured:
        public, model = bench.public, bench.folder / "model.pickle"
        unit = "default" if public.unit == "word" else public.unit
        done = peer(
            "tfidf-score", public.train, public.tested, ngrams, unit, public.separator, model
        )
        scored = json.loads(done.stdout)  # in the same process
        fitted = replace(
            done,
            seconds=done.seconds - scored["seconds"],
            cpu_seconds=done.cpu_seconds - scored["cpu_seconds"],
        )
        return _measured(fitted, scored["seconds"], bytes_of(model), scored["score"])

    return train


def _measured(done: Finished, scoring: float | None, size: int, score: float | None) -> Measured:
    return Measured(
        seconds=round(done.seconds, 3),
        cpu_seconds=round(done.cpu_seconds, 3),
        scoring_seconds=None if scoring is None else round(scoring, 3),
        megabytes=round(done.megabytes, 1),
        bytes=size,
        score=score,
    )


WAYS: dict[str, Callable[[Bench, int], Measured | None]] = {
    FLOOR: _import_keras,
    OURS: _train,
    AS_TYPED: _train_as_typed,
    "embedclf, classic": _train_classic,
    **{name: _fasttext(options) for name, options in FASTTEXT.items()},
    **{name: _tfidf(ngrams) for name, ngrams in TFIDF.items()},
}
"""By name, in the order of a round."""
