"""Kill workers and clients of a cluster at random; compare what they wrote with an unbroken run.

A folder of predictions must hold each row once, in the bytes of an unbroken prediction, and a
trained run must have the same weights. Killed commands are given again.

    python -m tests.benchmarks.cluster_kills [--workers 20] [--clients 5]
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import psutil
from pyarrow import parquet

from embedclf.runs.run import Run
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

EMBEDCLF = (sys.executable, "-m", "embedclf")
TRAIN = (
    *(*EMBEDCLF, "train", ROOT / "data" / "reviews.csv"),
    *("--cluster", "local:2", "-q", "-s", "training.refit=false"),
    *(
        "-s",
        "training.epochs_by=validation",
        "-s",
        "model.vectors=none",
        "-s",
        "training.epochs=12",
    ),
)
FILES = ("metrics.json", "tokens.arrow", "labels.json", "rows.arrow")

PART_ROWS, SUFFIXES = 20_000, (".csv", ".jsonl", ".parquet", ".csv.gz")
PARTS = 24

COMMAND, WORKER, WRITER, ALL = (
    "the command",
    "a worker",
    "a worker that is writing",
    "all workers at once",
)
WAYS = (WORKER, WORKER, WRITER, ALL)
"""What is killed in turn."""

SECONDS_TO_END = 20.0
"""Until the workers of a killed command must have ended."""


class Outcome(NamedTuple):
    """What became of some kills."""

    command: str
    killed: str
    kills: int
    faults: list[str]


def main() -> None:
    """Predict and train, once in peace and then with kills."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--clients", type=int, default=5)
    options = parser.parse_args()
    rng = random.Random(0)  # noqa: S311 - the same kills again
    with tempfile.TemporaryDirectory() as made:
        outcomes = [
            *predict_with_kills(Path(made), options.workers, options.clients, rng),
            *train_with_kills(Path(made), options.workers, options.clients, rng),
        ]
    print("\n| command | killed | kills | faults |\n|---|---|---|---|")
    for each in outcomes:
        print(f"| `{each.command}` | {each.killed} | {each.kills} | {len(each.faults)} |")
    faults = [fault for each in outcomes for fault in each.faults]
    sys.exit("\n".join(faults) or 0)


def predict_with_kills(
    folder: Path, workers: int, clients: int, rng: random.Random
) -> Iterator[Outcome]:
    """Predict a folder of tables again and again, with a kill in each."""
    run, table = folder / "predicting", write_parts(folder / "in")
    subprocess.run([*TRAIN, "-o", run], check=True)
    command = (*EMBEDCLF, "predict", table, "--run", run, "--cluster", "local:2", "-q", "-o")
    began = time.perf_counter()
    subprocess.run([*command, folder / "whole"], check=True)
    seconds = time.perf_counter() - began
    ids = sorted(
        each for file in table.iterdir() for each in read_ids(folder / "whole" / file.name)
    )
    if ids != list(range(PARTS * PART_ROWS)):
        sys.exit("the unbroken prediction lacks rows")
    kills: Counter[str] = Counter()
    faults: dict[str, list[str]] = {way: [] for way in (*WAYS, COMMAND)}
    planned = [WAYS[number % len(WAYS)] for number in range(workers)] + [COMMAND] * clients
    while planned:
        way, output = planned[0], folder / "out"
        found = attack(way, (*command, output), folder, rng.uniform(0, seconds))
        shutil.rmtree(output, ignore_errors=True)
        if found is None:
            continue  # it was faster
        planned.pop(0)
        kills[way] += 1
        faults[way] += found
        print(f"predict: killed {way} ({kills[way]}): {found or 'complete'}", flush=True)
    yield from (Outcome("predict", way, kills[way], faults[way]) for way in faults)


def attack(way: str, command: tuple[Any, ...], folder: Path, delay: float) -> list[str] | None:
    """Predict, kill something on the way, and predict again; None if nothing was killed.

    Args:
        way: What is killed.
        command: Whose last argument is the folder of outputs.
        folder: Has the unbroken outputs in `whole`.
        delay: Seconds before the kill, from the start of the first worker.
    """
    output: Path = command[-1]
    faults = []
    with subprocess.Popen(command) as client:
        while not worker_processes(client.pid) and client.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        children = worker_processes(client.pid)
        targets = choose(way, client, output)
        for each in targets:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        status = client.wait()
    if not targets:
        return None
    if way == COMMAND:
        _, left = psutil.wait_procs(children, timeout=SECONDS_TO_END)
        faults += [f"{way}: {len(left)} workers did not end"] if left else []
    elif status:
        faults.append(f"{way}: the command ended with {status}")
    again = subprocess.run(command, check=False).returncode
    faults += [f"{way}: the second command ended with {again}"] if again else []
    if contents(output) != contents(folder / "whole"):
        faults.append(f"{way}: other outputs")
    return faults


def choose(way: str, client: subprocess.Popen[bytes], output: Path) -> list[psutil.Process]:
    """Return the processes to kill; none if the command has ended."""
    if client.poll() is not None:
        return []
    workers = worker_processes(client.pid)
    if way == COMMAND:
        return [psutil.Process(client.pid)]
    if way == ALL:
        return workers
    if way == WRITER:
        files = {str(draft) for draft in drafts(output) if draft.stat().st_size}
        workers = [each for each in workers if files & opened_by(each)]
    return workers[:1]


def opened_by(process: psutil.Process) -> set[str]:
    """Return the files that a process has opened."""
    try:
        return {file.path for file in process.open_files()}
    except psutil.Error:
        return set()


def drafts(output: Path) -> list[Path]:
    """Return the outputs that are being written."""
    return [file for file in output.glob(".*") if file.name != ".embedclf.json"]


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files, hidden ones as well."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def write_parts(folder: Path) -> Path:
    """Write parts of several formats, whose rows have the numbers of the whole table."""
    folder.mkdir()
    texts = pd.read_csv(ROOT / "data" / "reviews.csv")["text"].tolist()
    repeated = (texts * (PART_ROWS // len(texts) + 1))[:PART_ROWS]
    for number in range(PARTS):
        ids = range(number * PART_ROWS, (number + 1) * PART_ROWS)
        rows = pd.DataFrame({"id": ids, "text": repeated})
        file = folder / f"{number:02}{SUFFIXES[number % len(SUFFIXES)]}"
        if file.suffix == ".parquet":
            rows.to_parquet(file, index=False)
        elif file.suffix == ".jsonl":
            rows.to_json(file, orient="records", lines=True)
        else:
            rows.to_csv(file, index=False)
    return folder


def read_ids(file: Path) -> list[int]:
    """Return the numbers of the rows of an output."""
    if file.suffix == ".parquet":
        ids: list[int] = parquet.read_table(file)["id"].to_pylist()
        return ids
    if file.suffix == ".jsonl":
        return [int(each) for each in pd.read_json(file, lines=True)["id"]]
    return [int(each) for each in pd.read_csv(file)["id"]]


def train_with_kills(
    folder: Path, workers: int, clients: int, rng: random.Random
) -> Iterator[Outcome]:
    """Train once in peace, then again and again with kills, until all were made."""
    subprocess.run([*TRAIN, "-o", folder / "whole-run"], check=True)
    left, faults = Counter({WORKER: workers, COMMAND: clients}), []
    for number in itertools.count(1):
        finish_training(folder / f"killed-run-{number}", left, rng)
        runs = [folder / name for name in ("whole-run", f"killed-run-{number}")]
        faults += [
            f"train: other {name}" for name in FILES if not equal(*((run / name) for run in runs))
        ]
        faults += [] if read_weights(runs[0]) == read_weights(runs[1]) else ["train: other weights"]
        if not left.total():
            break
    print(f"train: {number} trainings: {faults or 'equal'}", flush=True)
    yield Outcome("train", f"{workers} workers, {clients} commands", workers + clients, faults)


def equal(one: Path, other: Path) -> bool:
    """Whether two files have the same bytes."""
    return one.read_bytes() == other.read_bytes()


def read_weights(run: Path) -> list[bytes]:
    """Return the weights of a run; the file of the network also has the time it was written."""
    weights = Run.open(run).classifier().weights
    arrays = [weights.trained, *(array for layer in weights.dense for array in layer)]
    return [array.tobytes() for array in arrays]


def finish_training(output: Path, left: Counter[str], rng: random.Random) -> None:
    """Train until the run exists; make some of the kills that are left."""
    resume: tuple[str, ...] = ()
    while not output.exists():
        with subprocess.Popen([*TRAIN, *resume, "-o", output]) as client:
            while client.poll() is None:
                time.sleep(rng.uniform(2, 8))
                if not left.total() or client.poll() is not None:
                    client.wait()
                elif rng.random() < left[COMMAND] / left.total():
                    client.kill()
                    left[COMMAND] -= 1
                    resume = ("--resume",)
                elif found := worker_processes(client.pid):
                    rng.choice(found).kill()
                    left[WORKER] -= 1
                print(f"train: {left[WORKER]} workers, {left[COMMAND]} commands left", flush=True)


def worker_processes(client: int) -> list[psutil.Process]:
    """Return the processes that work for a client."""
    try:
        children = psutil.Process(client).children()
        return [
            child for child in children if any("spawn_main" in each for each in child.cmdline())
        ]
    except psutil.Error:  # it has just ended
        return []


if __name__ == "__main__":
    main()
