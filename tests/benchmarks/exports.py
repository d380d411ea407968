"""Sizes and speed of exports beside their run, on its validation rows.

    python -m tests.benchmarks.exports RUN ... [--formats onnx,litert]

Of each program: CPU time per text alone and in batches of 256, on one thread; all programs score
the same texts in turn, and the median of five rounds counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.data.labeled import read_labeled
from embedclf.export.exporter import ExportOptions, ExportSource, Scores
from embedclf.export.formats import open_exporter
from embedclf.runs.labeled_sources import locate_validation_rows
from embedclf.runs.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 5
ALONE, BATCH = 200, 256


def measure(score: Callable[[Sequence[str]], Any], texts: Sequence[str], size: int) -> float:
    """Return the CPU time of a text, in microseconds."""
    start = time.process_time()
    for first in range(0, len(texts), size):
        score(texts[first : first + size])
    return (time.process_time() - start) / len(texts) * 1e6


def of_one_thread(folder: Path) -> Callable[[Sequence[str]], Scores]:
    """Load an ONNX model that uses one thread."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = str(folder / "model.onnx")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def score(texts: Sequence[str]) -> Scores:
        return Scores(session.run(["probabilities"], {"texts": np.array(texts, np.object_)})[0])

    return score


def report(path: Path, formats: Sequence[str]) -> None:
    run = Run.open(path)
    texts: list[str] = []
    rows = locate_validation_rows(run, run.config())
    read_labeled(rows.table, rows.config.data, pa.Array.to_pylist, texts.extend, only=rows.only)
    texts = texts[:2048]
    columns = run.config().data.input_columns
    source = ExportSource(run, run.classifier(), columns, ExportOptions())
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    scorers: dict[str, tuple[float, float, Callable[[Sequence[str]], Any]]] = {
        "run": (size / 1e6, 0.0, source.classifier.predict_proba)
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in formats:
            target = Path(folder) / name
            target.mkdir()
            exporter = open_exporter(name)
            exporter.write(exporter.prepare(source), target)
            size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
            start = time.perf_counter()
            score = of_one_thread(target) if name == "onnx" else exporter.load(target, source)
            scorers[name] = size / 1e6, (time.perf_counter() - start) * 1e3, score
        alone: dict[str, list[float]] = {name: [] for name in scorers}
        together: dict[str, list[float]] = {name: [] for name in scorers}
        for _ in range(ROUNDS):
            for name, (_, _, score) in scorers.items():
                alone[name].append(measure(score, texts[:ALONE], 1))
                together[name].append(measure(score, texts, BATCH))
    mean = sum(map(len, texts)) / len(texts)
    print(f"{path.name}: {len(texts)} texts of {mean:.0f} characters")
    for name, (megabytes, load_ms, _) in scorers.items():
        one, many = statistics.median(alone[name]), statistics.median(together[name])
        print(
            f"  {name:10} {megabytes:8.2f} MB, load {load_ms:6.0f} ms, "
            f"{one:7.0f} us a text alone, {many:7.1f} us in batches",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--formats", default="onnx,savedmodel,litert")
    chosen = parser.parse_args()
    for each in chosen.runs:
        report(each, chosen.formats.split(","))
    sys.exit()
