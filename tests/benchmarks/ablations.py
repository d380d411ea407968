"""What each part of the recipe of `init` brings, and what parts that were left out would bring.

On each set in EMBEDCLF_DATASETS the config of `init` is trained three times, each time with another
tenth of the training rows held out, and then with one part taken away or put in. A figure is the
change of the score in points; behind it, in brackets, the standard error over the three. No test
row is looked at. Some parts that were left out are no option of the program and are built here.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.ablations [--part PART]... [NAME ...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.model.classifier import Classifier
from embedclf.model.weights import Weights
from embedclf.text.vocabulary import PADDING
from embedclf.training.finishing import score_validation
from embedclf.training.initialization import initialize
from embedclf.training.train_step import TrainSteps
from tests.benchmarks.held_out import HELD_OUT, hold_out
from tests.benchmarks.processes import datasets, embedclf

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.training.initialization import InitialWeights

NAMES = (
    *("imdb", "ag_news", "trec", "sms_spam"),
    *("banking77", "waimai_10k_zh", "goemotions_multilabel"),
)
TIMES = 3
FLATTEN = ("model.pooling=flatten", "text.ngrams=1")


class TokenDropout(TrainSteps):
    """A fifth of the ids of a training text are padding, others in each epoch."""

    def block(self, ids: Any, *others: Any) -> Any:
        """Lay out fewer ids."""
        kept = np.random.default_rng(int(ids.sum())).random(ids.shape, np.float32) >= 0.2
        return super().block(np.where(kept, ids, PADDING), *others)


class LabelSmoothing(TrainSteps):
    """A tenth of a target is shared by all labels, of a softmax by drawing a tenth of them anew."""

    def block(self, ids: Any, targets: Any, *others: Any) -> Any:
        """Lay out softer targets."""
        if targets.ndim == 2:
            return super().block(ids, (0.9 * targets + 0.05).astype(np.float32), *others)
        chance = np.random.default_rng(int(ids.sum()))
        drawn = chance.integers(0, self._outputs, len(targets), np.int32)
        return super().block(
            ids, np.where(chance.random(len(targets)) < 0.1, drawn, targets), *others
        )


class WeightDecay(TrainSteps):
    """All vectors shrink by 0.3 of the rate in each step (Loshchilov and Hutter, 2019)."""

    def __call__(self, block: Any) -> Any:
        """Take the steps of a block, then shrink by as much as they would have."""
        logits = super().__call__(block)
        self._embedding.assign(self._embedding * float(np.prod(1.0 - 0.3 * block.rates)))
        return logits


class Averages:
    """Scores the mean of the weights of all epochs so far."""

    def __init__(self) -> None:
        """Nothing is added up yet."""
        self._sums: list[Any] = []
        self.found: list[Weights] = []
        """One an epoch."""

    def __call__(self, network: Any, pooling: str) -> Weights:
        """Add the weights of this epoch."""
        weights = network.get_weights()
        sums = zip(weights, self._sums, strict=True) if self._sums else ()
        self._sums = [one + sum_ for one, sum_ in sums] or weights
        embedding, *others = (sum_ / (len(self.found) + 1) for sum_ in self._sums)
        layers = tuple(zip(others[::2], others[1::2], strict=True))
        self.found.append(Weights.of(pooling, embedding, layers))
        return self.found[-1]


def unbiased(dataset: Dataset) -> InitialWeights:
    """What a network starts from, but for the biases."""
    initial = initialize(dataset)
    return replace(initial, biases=np.zeros_like(initial.biases))


@dataclass(frozen=True)
class Part:
    """A change of the recipe: of the config, or of the program."""

    overrides: Callable[[Config], tuple[str, ...]] = lambda _: ()
    steps: type[TrainSteps] = TrainSteps
    begin: Callable[[Dataset], InitialWeights] = initialize
    averaged: bool = False


def changed(*overrides: str) -> Part:
    """The config with other settings."""
    return Part(lambda _: overrides)


def other(key: str, one: Any, two: Any) -> Part:
    """The config with the other one of two settings."""
    section, name = key.split(".")
    return Part(
        lambda config: (f"{key}={two if getattr(getattr(config, section), name) == one else one}",)
    )


def longer(config: Config) -> tuple[str, ...]:
    """Phrases of one token more."""
    return (f"text.ngrams={config.text.ngrams + 1}",)


def halved(config: Config) -> tuple[str, ...]:
    """Texts cut in the middle of those that are nearly the longest."""
    return (f"text.sequence_length={max(1, config.text.sequence_length // 2)}",)


PARTS = {
    "no phrases": changed("text.ngrams=1"),
    "longer phrases": Part(longer),
    "what is there once, too": changed("text.min_count=1", "text.vocabulary_size=200002"),
    "half the length": Part(halved),
    "vectors begin by chance": changed("model.initialization=random"),
    "biases begin at 0": Part(begin=unbiased),
    "mean of vectors": changed("model.pooling=average"),
    "largest of vectors": changed("model.pooling=max"),
    "flatten, by chance": changed(*FLATTEN, "model.initialization=random"),
    "flatten, naive Bayes": changed(*FLATTEN, "model.initialization=naive_bayes"),
    "constant and linear changed over": other("training.schedule", "constant", "linear"),
    "hidden layer of 64": changed("model.hidden_units=[64]"),
    "dropout and none changed over": other("model.dropout", 0.0, 0.5),
    "dropout of tokens, 0.2": Part(steps=TokenDropout),
    "label smoothing, 0.1": Part(steps=LabelSmoothing),
    "weight decay, 0.3": Part(steps=WeightDecay),
    "mean of the weights of epochs": Part(averaged=True),
    "labels given from 0.5 on": changed("training.threshold=0.5"),
    "temperature and none changed over": other("training.calibration", "none", "temperature"),
}


def main() -> None:
    """Measure the sets that are named, or all that are there; a row a part, a column a set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="folders of sets")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure no others")
    asked = parser.parse_args()
    parts = asked.part or [*PARTS]
    names = [name for name in asked.names or NAMES if (datasets() / name / "train.csv").is_file()]
    columns = {name: measure(name, parts) for name in names}
    print(f"| | {' | '.join(names)} | mean |\n|---|{'---|' * (len(names) + 1)}")
    base = [f"{statistics.mean(column['']):.4f}" for column in columns.values()]
    print(f"| `init` | {' | '.join(base)} | |")
    for part in parts:
        changes = [
            [100 * (one - was) for one, was in zip(column[part], column[""], strict=True)]
            for column in columns.values()
        ]
        cells = [
            f"{statistics.mean(of):+.1f} ({statistics.stdev(of) / TIMES**0.5:.1f})"
            for of in changes
        ]
        mean = statistics.mean(map(statistics.mean, changes))
        print(f"| {part} | {' | '.join(cells)} | {mean:+.2f} |", flush=True)


def measure(name: str, parts: list[str]) -> dict[str, list[float]]:
    """The scores of `init`'s config, under "", and of each part, one a fold."""
    scores: dict[str, list[float]] = {part: [] for part in ("", *parts)}
    for fold in range(TIMES):
        with tempfile.TemporaryDirectory() as place:
            config = parted(name, fold, Path(place))
            known: dict[str, Dataset] = {}
            for part, found in scores.items():
                found.append(score(config, PARTS.get(part, Part()), known))
        print(name, fold, {part: one[-1] for part, one in scores.items()}, file=sys.stderr)
    return scores


def parted(name: str, fold: int, place: Path) -> Path:
    """Part a table, let `init` look at what is left, and name the rest as validation rows."""
    hold_out(datasets() / name / "train.csv", fold, place)
    config = place / "config.yaml"
    embedclf("init", place / "train.csv", "--validation", place / HELD_OUT, "-o", config, "-q")
    return config


def score(path: Path, part: Part, known: dict[str, Dataset]) -> float:
    """Train with a part changed; the first score at the epoch of lowest validation loss."""
    from embedclf.model import backend, network
    from embedclf.training import fitting

    config = load_config(path, part.overrides(load_config(path)))
    text = config.text.model_dump_json()
    if text not in known:
        known[text] = prepare_dataset(config)
    dataset = replace(known[text], config=config)
    backend.start("cpu", config.seed)
    initial, averages = part.begin(dataset), Averages()
    net = fitting.begin(dataset, initial)
    with ExitStack() as stack:
        stack.enter_context(patch.object(fitting, "Steps", part.steps))
        if part.averaged:
            stack.enter_context(patch.object(fitting, "weights_of", averages))
        history = fitting.fit(
            net, dataset, row_learning_rates=initial.row_learning_rates, on_event=lambda _: None
        )
    weights = network.weights_of(net, config.model.pooling)
    if part.averaged:
        weights = averages.found[history.best_epoch - 1]
    classifier = Classifier(dataset.tokenizer, dataset.labels, weights)
    probabilities = classifier.activate(weights.logits(dataset.validation.ids))
    _, judged = score_validation(dataset, classifier, probabilities)
    return next(value for value in judged.scores.values() if value is not None)


if __name__ == "__main__":
    main()
