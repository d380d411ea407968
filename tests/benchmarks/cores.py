"""Measure a training step in one thread and in two, and predict it for more cores.

TensorFlow's profiler gives the time of each operation of a step in one thread. In the prediction,
an operation starts as soon as its inputs and a core are free, those before the longest rest of the
work first. What a step takes beside its operations counts as serial (the upper time), or as a part
of each operation (the lower time). The longest chain of operations bounds a step, whatever the
cores.

The sets are those of `accuracy`; EMBEDCLF_DATASETS names their folder. Missing sets are skipped by
name. The config is the one that `init` writes. The table is Markdown.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.cores [--sets FOLDER ...]
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.accuracy import SETS
from tests.benchmarks.processes import embedclf

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = ("imdb", "debian_long", "nsmc_korean_binary")
CORES = (2, 4, 8, 16)
_STEPS = 64
"""Of the block that is measured."""
_ROUNDS = 9
_BODY = "while/body/_1/"
"""How the profiler's names of the operations of a step begin."""
_FUNCTIONS = "library"
"""The field of a graph that holds its functions."""
_FREE = {"Const", "Identity", "IdentityN", "NoOp", "Shape", "VariableShape"}
"""Operations that take no time."""


@dataclass(frozen=True)
class Measured:
    """A step in a number of threads, in milliseconds."""

    step: float
    parts: dict[str, float]
    """By operation, if there is a single thread."""
    inputs: dict[str, list[str]]
    """Of each operation: the operations that it waits for."""


def main() -> None:
    """Print a row for each set that exists; or measure in this process, if asked for threads."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cores", description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--measure", nargs=2, metavar=("CONFIG", "THREADS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(Path(asked.measure[0]), int(asked.measure[1])).__dict__))
        return
    predicted = (f"{cores} cores, predicted" for cores in CORES)
    head = ("set", "one thread", "two threads", *predicted, "longest chain")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name, public in SETS.items():
        if public.folder in asked.sets and public.train.is_file():
            print(f"| {name} | {' | '.join(_row(public.train))} |", flush=True)
        elif public.folder in asked.sets:
            print(f"skipped: {name}: no {public.train}", file=sys.stderr)


def measure(file: Path, threads: int) -> Measured:
    """Measure the steps of a config in this process."""
    from embedclf.config.loading import load_config
    from embedclf.data.dataset import prepare_dataset
    from embedclf.model import backend
    from embedclf.model.step_function import StepFunctions
    from embedclf.training.fitting import build_network
    from embedclf.training.initialization import initialize
    from embedclf.training.steps.train_step import TrainSteps
    from embedclf.training.warm_start import row_learning_rates

    backend.start("cpu", parallel=threads > 1)
    with tempfile.TemporaryDirectory() as folder, backend.small_steps():
        dataset = prepare_dataset(load_config(file), Path(folder))
        initial = initialize(dataset)
        rates = row_learning_rates(initial, dataset)
        network = build_network(dataset, initial)
        steps = TrainSteps.of(network, dataset, rates, StepFunctions())
        block = _block(steps, dataset)
        steps(block)  # compiles
        seconds = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            steps(block)
            seconds.append(time.perf_counter() - began)
        step = 1e3 * statistics.median(seconds) / _STEPS
        if threads > 1:
            return Measured(step, {}, {})
        with backend.tf.profiler.experimental.Profile(folder):
            steps(block)
        # The only way to the graph that runs; nothing else needs it
        compiled = steps._function._compiled.get_concrete_function()
        return Measured(step, _profile(Path(folder)), _inputs(compiled.graph.as_graph_def()))


def schedule(
    cost: dict[str, float], inputs: dict[str, list[str]], cores: int
) -> tuple[float, float]:
    """Return how long operations take on a number of cores, and their longest chain."""
    users = defaultdict(list)
    for name, sources in inputs.items():
        for source in sources:
            users[source].append(name)
    chain: dict[str, float] = {}
    for name in _last_first(inputs, users):
        chain[name] = cost[name] + max((chain[user] for user in users[name]), default=0.0)
    waits = {name: len(sources) for name, sources in inputs.items()}
    ready = [(-chain[name], name) for name, count in waits.items() if not count]
    heapq.heapify(ready)
    now = 0.0
    running: list[tuple[float, str]] = []
    while ready or running:
        while ready and len(running) < cores:
            name = heapq.heappop(ready)[1]
            heapq.heappush(running, (now + cost[name], name))
        now, name = heapq.heappop(running)
        for user in users[name]:
            waits[user] -= 1
            if not waits[user]:
                heapq.heappush(ready, (-chain[user], user))
    return now, max(chain.values())


def _row(table: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        embedclf("init", table, "-o", config, "-q")
        one, two = (_measured_apart(config, threads) for threads in (1, 2))
    yield f"{one.step:.2f} ms"
    yield f"{two.step:.2f} ms ({one.step / two.step:.2f} x)"
    parts = {name: one.parts.get(name, 0.0) for name in one.inputs}
    beside = max(0.0, one.step - sum(parts.values()))
    spread = {name: part + beside / len(parts) for name, part in parts.items()}
    for cores in CORES:
        upper = schedule(parts, one.inputs, cores)[0] + beside
        lower = schedule(spread, one.inputs, cores)[0]
        yield f"{lower:.2f} to {upper:.2f} ms ({one.step / upper:.1f} to {one.step / lower:.1f} x)"
    yield f"{schedule(parts, one.inputs, 1)[1]:.2f} ms"


def _measured_apart(config: Path, threads: int) -> Measured:
    """Measure in a process of its own, since TensorFlow's threads are set once."""
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.cores",
        "--measure",
        str(config),
        str(threads),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def _block(steps: Any, dataset: Any) -> Any:
    """Prepare the first rows of an epoch."""
    from embedclf.training.steps.training_rows import TrainingRows

    train, config = TrainingRows.of(dataset), dataset.config.training
    order = np.random.default_rng(0).permutation(len(train))
    rows = np.resize(order, _STEPS * config.batch_size)
    targets = train.targets(rows)
    rates = np.full(_STEPS, config.learning_rate, np.float32)
    return steps.block(train.ids(rows), targets, train.weights(rows, targets), rates)


def _profile(folder: Path) -> dict[str, float]:
    """Read the milliseconds of each operation of a step."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    [file] = folder.rglob("*.xplane.pb")
    space = xplane_pb2.XSpace()
    space.ParseFromString(file.read_bytes())
    parts: dict[str, float] = defaultdict(float)
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name.split(":")[0]
                if name.startswith(_BODY):
                    parts[name.removeprefix(_BODY)] += event.duration_ps / 1e9 / _STEPS
    return parts


def _inputs(graph: Any) -> dict[str, list[str]]:
    """Return the operations of a step that take time, and those that each one waits for."""
    loop = next(node for node in graph.node if node.op in {"While", "StatelessWhile"})
    name = loop.attr["body"].func.name
    body = next(each for each in getattr(graph, _FUNCTIONS).function if each.signature.name == name)
    nodes = {node.name: node for node in body.node_def}

    def sources(name: str, seen: set[str]) -> Iterator[str]:
        for text in nodes[name].input:
            source = text.removeprefix("^").split(":")[0]
            if source in nodes and source not in seen:
                seen.add(source)
                if nodes[source].op in _FREE:
                    yield from sources(source, seen)
                else:
                    yield source

    return {
        name: sorted(sources(name, set())) for name, node in nodes.items() if node.op not in _FREE
    }


def _last_first(inputs: dict[str, list[str]], users: dict[str, list[str]]) -> Iterator[str]:
    """Yield each operation after all that use it."""
    waits = {name: len(users[name]) for name in inputs}
    ready = [name for name, count in waits.items() if not count]
    while ready:
        name = ready.pop()
        yield name
        for source in inputs[name]:
            waits[source] -= 1
            if not waits[source]:
                ready.append(source)


if __name__ == "__main__":
    main()
