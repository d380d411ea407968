"""Choose the default optimizer, learning rate and schedule by the validation loss.

Each candidate trains two networks (flatten and average) on each public set in EMBEDCLF_DATASETS.
Only validation rows are used. A candidate has two figures over all sets. The first is how far its
lowest validation loss is above the lowest of all candidates (mean). The second is how long it takes
to come within 5% of that, relative to the quickest candidate (median). A set where it never does
counts as infinitely long.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.optimizers
"""

from __future__ import annotations

import math
import statistics
import sys
from typing import TYPE_CHECKING, NamedTuple

from embedclf.config.schema import Config
from tests.benchmarks.processes import datasets

if TYPE_CHECKING:
    from embedclf.data.dataset import Dataset
    from embedclf.runs.history import Epoch

LENGTHS = {
    "sst2_glue": 20,
    "ag_news": 60,
    "trec": 20,
    "sms_spam": 40,
    "banking77": 20,
    "waimai_10k_zh": 80,
    "goemotions_multilabel": 30,
    "imdb": 400,
}
NETWORKS = {
    "flatten": {"pooling": "flatten", "embedding_dim": 32},
    "average": {"pooling": "average", "embedding_dim": 32},
}
NEAR = 1.05


class Candidate(NamedTuple):
    """What is compared."""

    optimizer: str
    learning_rate: float
    schedule: str


CANDIDATES = [
    *(Candidate("adam", rate, "constant") for rate in (0.001, 0.002, 0.003, 0.005, 0.01)),
    *(Candidate("adam", rate, "linear") for rate in (0.003, 0.01, 0.02)),
    Candidate("rmsprop", 0.001, "constant"),
    Candidate("adagrad", 0.5, "constant"),
    Candidate("sgd", 0.3, "constant"),
]


def main() -> None:
    """Train everything, print a row for each candidate."""
    curves = {
        (network, name, candidate): epochs
        for network in NETWORKS
        for name in LENGTHS
        if (datasets() / name / "train.csv").is_file()
        for candidate, epochs in measure(network, name).items()
    }
    print(f"| optimizer | rate | schedule | {' | '.join(heading(name) for name in NETWORKS)} |")
    print(f"|---|---|---|{'---|' * 2 * len(NETWORKS)}")
    for candidate in CANDIDATES:
        cells = [cell for network in NETWORKS for cell in figures(curves, network, candidate)]
        row = map(str, (*candidate, *cells))
        print(f"| {' | '.join(row)} |")


def heading(network: str) -> str:
    """The columns of a network."""
    return f"{network}: loss above the lowest | time to within 5%"


def measure(network: str, name: str) -> dict[Candidate, tuple[Epoch, ...]]:
    """The epochs of each candidate on a set."""
    from embedclf.data.dataset import prepare_dataset

    folder = datasets() / name
    ready = prepare_dataset(
        Config.model_validate(
            {
                "data": {
                    "train": folder / "train.csv",
                    "label_separator": "|" if "multilabel" in name else None,
                },
                "text": {
                    "vocabulary_size": 20_000,
                    "sequence_length": LENGTHS[name],
                    "unit": "character" if name.endswith("_zh") else "word",
                },
                "model": NETWORKS[network],
            }
        )
    )
    curves = {}
    for candidate in CANDIDATES:
        curves[candidate] = fit(ready, candidate)
        best = min((epoch.val_loss for epoch in curves[candidate]), default=math.inf)
        print(network, name, *candidate, f"{best:.4f}", file=sys.stderr, flush=True)
    return curves


def fit(ready: Dataset, candidate: Candidate) -> tuple[Epoch, ...]:
    """Train one network."""
    from dataclasses import replace

    from embedclf.errors import TrainingError
    from embedclf.model import backend, network
    from embedclf.training import loop
    from embedclf.training.steps.step_trainer import StepTrainer
    from embedclf.training.steps.train_step import TrainSteps

    training = ready.config.training.model_copy(update=candidate._asdict())
    ready = replace(ready, config=ready.config.model_copy(update={"training": training}))
    backend.start("cpu")
    net = network.build(
        ready.config.model,
        ready.labels,
        vocabulary_rows=ready.tokenizer.vocabulary_rows,
        input_length=ready.tokenizer.input_length,
    )
    try:
        trainer = StepTrainer(TrainSteps.of(net, ready), ready)
        return loop.fit(trainer, ready, on_event=lambda _: None).epochs
    except TrainingError:
        return ()


def figures(
    curves: dict[tuple[str, str, Candidate], tuple[Epoch, ...]], network: str, candidate: Candidate
) -> list[str]:
    """The two figures of a candidate and a network."""
    above, times = [], []
    for name in {name for of, name, _ in curves if of == network}:
        there = [curves[network, name, one] for one in CANDIDATES]
        lowest = min(epoch.val_loss for epochs in there for epoch in epochs)
        own = curves[network, name, candidate]
        above.append(min((epoch.val_loss for epoch in own), default=math.inf) / lowest - 1)
        quickest = min(until(epochs, NEAR * lowest) for epochs in there)
        times.append(until(own, NEAR * lowest) / quickest)
    middle = statistics.median(times)
    return [f"{statistics.mean(above):.1%}", f"{middle:.1f} ×" if middle < math.inf else "never"]


def until(epochs: tuple[Epoch, ...], loss: float) -> float:
    """Seconds until a validation loss is reached."""
    seconds = 0.0
    for epoch in epochs:
        seconds += epoch.seconds
        if epoch.val_loss <= loss:
            return seconds
    return math.inf


if __name__ == "__main__":
    main()
