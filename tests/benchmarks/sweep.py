"""How the time of a step grows with each size; print a table.

A network of average size is trained on random texts of 10,000 words. Their frequencies follow
Zipf's law, and their rows are spread over the whole embedding. One size at a time is multiplied by
4 and by 16, the vocabulary finally by 40. Times are medians over blocks of steps, taken in turn,
without compilation.

    python -m tests.benchmarks.sweep
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = {
    "rows": 8_192,
    "sequence_length": 25,
    "embedding_dim": 32,
    "vocabulary_size": 10_000,
    "classes": 4,
}
POOLINGS = ("flatten", "average")
BATCH_SIZE = 32
WORDS = 10_000
REPEATS = 30


def main() -> None:
    """A row for each size, a column for each factor and pooling."""
    columns = [f"{pooling}, {mark}" for pooling in POOLINGS for mark in ("× 1", "× 4", "× 16")]
    print(f"| microseconds a step | {' | '.join(columns)} |")
    print(f"|---|{'---|' * len(columns)}")
    for name, size in BASE.items():
        factors = (1, 4, 40) if name == "vocabulary_size" else (1, 4, 16)
        cells = []
        for pooling in POOLINGS:
            times = step_times(pooling, [{**BASE, name: size * factor} for factor in factors])
            cells += [f"{1e6 * one:,.0f} ({one / times[0]:.2f})" for one in times]
        last = "" if factors[-1] == 16 else f" to {size * factors[-1]:,}"
        print(f"| {name}, from {size:,}{last} | {' | '.join(cells)} |", flush=True)


def step_times(pooling: str, variants: list[dict[str, int]]) -> list[float]:
    """Seconds of a step of each variant."""
    takers = [taker(pooling, sizes) for sizes in variants]
    rounds = [[take() for take in takers] for _ in range(REPEATS)]
    return [statistics.median(column) for column in zip(*rounds[1:], strict=True)]


def taker(pooling: str, sizes: dict[str, int]) -> Callable[[], float]:
    """Take a block of steps; return the seconds of one."""
    from embedclf.config.schema import Config
    from embedclf.data.labels import Labels
    from embedclf.model import backend, network
    from embedclf.text.encodings import TokenIds
    from embedclf.training.steps.train_step import TrainSteps

    backend.start("cpu")
    config = Config.model_validate(
        {
            "data": {"train": "none.csv"},
            "text": {"sequence_length": sizes["sequence_length"], "ngrams": 1},
            "model": {"pooling": pooling, "embedding_dim": sizes["embedding_dim"]},
            "training": {"batch_size": BATCH_SIZE},
        }
    )
    names = tuple(map(str, range(sizes["classes"])))
    labels = Labels("multiclass", names, (1,) * len(names))
    net: Any = network.build(
        config.model,
        labels,
        vocabulary_rows=sizes["vocabulary_size"],
        input_length=sizes["sequence_length"],
    )
    steps = TrainSteps(net, config)
    rng = np.random.default_rng(0)
    rows, block = sizes["rows"], 1024
    length = sizes["sequence_length"]
    words = ids_of_words(rng, sizes["vocabulary_size"], rows * length)
    ids = TokenIds(words, length * np.arange(1, rows + 1))
    goals = rng.integers(0, sizes["classes"], rows).astype(np.int32)
    weights, rates = np.ones((block, 1), np.float32), np.full(block // BATCH_SIZE, 1e-3, np.float32)

    def taken() -> float:
        of = rng.integers(0, rows, block)
        laid = steps.block(ids[of], goals[of], weights, rates)
        began = time.perf_counter()
        steps(laid)
        return (time.perf_counter() - began) / len(rates)

    return taken


def ids_of_words(rng: np.random.Generator, size: int, number: int) -> Any:
    """Ids of words whose frequency falls with their rank, as Zipf found it (1935)."""
    shares = np.cumsum(1 / np.arange(1, WORDS))
    drawn = np.searchsorted(shares, rng.random(number) * shares[-1])
    return (2 + drawn * ((size - 2) / WORDS)).astype(np.int32)


if __name__ == "__main__":
    main()
