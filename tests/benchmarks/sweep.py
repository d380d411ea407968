"""How the time of a step grows with each size; print a table.

A network of average size is trained on random texts of 10,000 words, frequent ones oftener, which
lie spread over the whole embedding. One size at a time is multiplied by 4 and by 16. The time is
the median over blocks of steps, without compilation.

    python -m tests.benchmarks.sweep
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

BASE = {
    "rows": 8_192,
    "sequence_length": 25,
    "embedding_dim": 32,
    "vocabulary_size": 25_000,
    "classes": 4,
}
POOLINGS = ("flatten", "average")
BATCH_SIZE = 32
WORDS = 10_000
REPEATS = 7


def main() -> None:
    """A row for each size, a column for each factor and pooling."""
    columns = [f"{pooling}, {factor}" for pooling in POOLINGS for factor in ("× 1", "× 4", "× 16")]
    print(f"| microseconds a step | {' | '.join(columns)} |")
    print(f"|---|{'---|' * len(columns)}")
    for name, size in BASE.items():
        cells = []
        for pooling in POOLINGS:
            times = [step_time(pooling, {**BASE, name: size * factor}) for factor in (1, 4, 16)]
            ratios = [f"{1e6 * one:,.0f} ({one / times[0]:.2f})" for one in times]
            cells += ratios
        print(f"| {name}, from {size:,} | {' | '.join(cells)} |", flush=True)
    cells = [
        f"{1e6 * step_time(pooling, {**BASE, 'vocabulary_size': size}):,.0f}"
        for pooling in POOLINGS
        for size in (10_000, 40_000, 400_000)
    ]
    print(f"| vocabulary_size 10,000; 40,000; 400,000 | {' | '.join(cells)} |")


def step_time(pooling: str, sizes: dict[str, int]) -> float:
    """Seconds of a step."""
    from embedclf import backend, network
    from embedclf.config import Config
    from embedclf.labels import Labels
    from embedclf.steps import Steps

    backend.start("cpu", 0)
    config = Config.model_validate(
        {
            "data": {"train": "none.csv"},
            "model": {"pooling": pooling, "embedding_dim": sizes["embedding_dim"]},
            "training": {"batch_size": BATCH_SIZE},
        }
    )
    names = tuple(map(str, range(sizes["classes"])))
    labels = Labels("multiclass", names, (1,) * len(names))
    net: Any = network.build(
        config.model,
        labels,
        rows=sizes["vocabulary_size"],
        sequence_length=sizes["sequence_length"],
    )
    steps = Steps(net, config)
    chance = np.random.default_rng(0)
    rows, block = sizes["rows"], 1024
    ids = ids_of_words(chance, sizes["vocabulary_size"], (rows, sizes["sequence_length"]))
    goals = chance.integers(0, sizes["classes"], rows).astype(np.int32)
    weights, rates = np.ones((block, 1), np.float32), np.full(block // BATCH_SIZE, 1e-3, np.float32)

    def taken() -> float:
        of = chance.integers(0, rows, block)
        laid = steps.block(ids[of], goals[of], weights, rates)
        began = time.perf_counter()
        steps(laid)
        return (time.perf_counter() - began) / len(rates)

    taken()
    return statistics.median(taken() for _ in range(REPEATS))


def ids_of_words(chance: np.random.Generator, size: int, shape: tuple[int, int]) -> Any:
    """Ids of words whose frequency falls with their rank, as Zipf found it (1935)."""
    shares = np.cumsum(1 / np.arange(1, WORDS))
    drawn = np.searchsorted(shares, chance.random(shape) * shares[-1])
    return (2 + drawn * (size / WORDS)).astype(np.int32)


if __name__ == "__main__":
    main()
