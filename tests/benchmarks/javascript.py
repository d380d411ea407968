"""Exports of the format `js`: their size, and how long Node.js takes for a text.

The texts are the validation rows of each run, scored one by one. A time is the CPU time of a whole
pass, divided by its texts: the median of several passes, in Node.js and in Python in turn.

    python -m tests.benchmarks.javascript RUN...
"""

from __future__ import annotations

import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from embedclf.data.labeled import read_labeled
from embedclf.export.export import export_run
from embedclf.export.javascript.node import find_node
from embedclf.runs.labeled_sources import locate_validation_rows
from embedclf.runs.run import Run

PASSES = 7
DATA = ("model.json", "model.bin")
SCRIPT = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const texts = JSON.parse(readFileSync(0, "utf8"));
const start = process.cpuUsage();
const { load } = await import(pathToFileURL(process.argv[1]));
const classifier = await load();
const microseconds = since => {
  const { user, system } = process.cpuUsage(since);
  return user + system;
};
const loading = microseconds(start);
const passes = [];
for (let pass = 0; pass < %d; pass++) {
  const before = process.cpuUsage();
  for (const text of texts) classifier.predict(text, { topK: 1 });
  passes.push(microseconds(before) / texts.length);
}
console.log(JSON.stringify({ loading, passes }));
"""


def validation_texts(run: Run) -> list[str]:
    """Return the texts of the validation rows."""
    texts: list[str] = []
    rows = locate_validation_rows(run, run.config())
    read_labeled(rows.table, rows.config.data, pa.Array.to_pylist, texts.extend, only=rows.only)
    return texts


def measure_node(folder: Path, texts: list[str]) -> dict[str, Any]:
    """Return the CPU microseconds of loading, and of a text in each pass."""
    script, module = SCRIPT % PASSES, str(folder / "classifier.mjs")
    command = [find_node(), "--input-type=module", "-e", script, module]
    done = subprocess.run(
        command, input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def measure_python(run: Run, texts: list[str]) -> float:
    """Return the CPU microseconds of a text, the median of the passes."""
    classifier = run.classifier()
    passes = []
    for _ in range(PASSES):
        before = time.process_time()
        for text in texts:
            classifier.predict_proba([text])
        passes.append((time.process_time() - before) / len(texts) * 1e6)
    return statistics.median(passes)


def main(names: list[str]) -> None:
    """Print a row of the table for each run."""
    print("| run | texts | json + bin | gzip | load | Node.js | Python |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in names:
        run = Run.open(Path(name))
        texts = validation_texts(run)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "export"
            export_run(run, "js", folder)
            contents = [(folder / file).read_bytes() for file in DATA]
            node = measure_node(folder, texts)
        size, packed = (
            sum(map(len, files)) / 1e6 for files in (contents, map(gzip.compress, contents))
        )
        print(
            f"| {run.path.name} | {len(texts):,} | {size:.2f} MB | {packed:.2f} MB "
            f"| {node['loading'] / 1e3:.0f} ms | {statistics.median(node['passes']):.0f} µs "
            f"| {measure_python(run, texts):.0f} µs |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
