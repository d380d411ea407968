"""Kill workers and clients of a training on a cluster at random; compare the run with another.

python -m tests.benchmarks.cluster_kills [--workers 20] [--clients 5]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from embedclf.runs.run import Run
from tests.conftest import ROOT

COMMAND = (
    *(sys.executable, "-m", "embedclf", "train", ROOT / "data" / "reviews.csv"),
    *("--cluster", "local:2", "-q", "-s", "training.refit=false"),
    *("-s", "training.epochs_by=validation", "-s", "model.vectors=none", "-s", "training.epochs=2"),
)
FILES = ("metrics.json", "tokens.arrow", "labels.json", "rows.arrow")


def main() -> None:
    """Train once in peace, and once with kills."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--clients", type=int, default=5)
    options = parser.parse_args()
    rng = random.Random(0)  # noqa: S311 - the same kills again
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        began = time.perf_counter()
        subprocess.run([*COMMAND, "-o", folder / "whole"], check=True)
        seconds = time.perf_counter() - began
        print(f"unbroken: {seconds:.0f} s", flush=True)
        killed = train_with_kills(folder / "killed", options.workers, options.clients, rng)
        same = {name: is_same(folder, name) for name in FILES}
        same["weights"] = read_weights(folder / "whole") == read_weights(folder / "killed")
        print(f"{killed[0]} workers and {killed[1]} clients killed; equal: {same}")


def is_same(folder: Path, name: str) -> bool:
    """Whether a file is the same in both runs."""
    whole, killed = (folder / run / name for run in ("whole", "killed"))
    return whole.read_bytes() == killed.read_bytes()


def read_weights(run: Path) -> list[bytes]:
    """Return the weights of a run; the file of the network also has the time it was written."""
    weights = Run.open(run).classifier().weights
    arrays = [weights.trained, *(array for layer in weights.dense for array in layer)]
    return [array.tobytes() for array in arrays]


def train_with_kills(
    output: Path, workers: int, clients: int, rng: random.Random
) -> tuple[int, int]:
    """Train until the run exists; return how many workers and clients were killed."""
    killed_workers = killed_clients = 0
    while not output.exists():
        resume = ("--resume",) if killed_clients else ()
        with subprocess.Popen([*COMMAND, *resume, "-o", output]) as client:
            while client.poll() is None:
                time.sleep(rng.uniform(3, 12))
                left = (workers - killed_workers, clients - killed_clients)
                if not any(left) or client.poll() is not None:
                    client.wait()
                elif rng.random() < left[1] / sum(left):
                    client.kill()
                    killed_clients += 1
                elif found := worker_processes(client.pid):
                    rng.choice(found).kill()
                    killed_workers += 1
                print(f"killed: {killed_workers} workers, {killed_clients} clients", flush=True)
    return killed_workers, killed_clients


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
