"""Ablations of the settings that `init` chooses: what each adds, and what others would add.

On each set in EMBEDCLF_DATASETS the config of `init` is trained three times, each time with another
tenth of the training rows held out. Then one setting is changed. A figure is the change of the
score in points, followed by its standard error over the three folds. Test rows are not used. Some
of the changes are not options of the program and are built here.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.ablations [--ablation A]... [NAME ...]
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
from embedclf.text.encodings import TokenIds
from embedclf.training.finishing import score_validation
from embedclf.training.initialization import initialize
from embedclf.training.steps.train_step import TrainSteps
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
    """A random fifth of the ids of the training texts is left out."""

    def block(self, ids: TokenIds, *others: Any) -> Any:
        """Lay out fewer ids."""
        rng = np.random.default_rng(int(ids.values.sum()))
        kept = rng.random(len(ids.values), np.float32) >= 0.2
        return super().block(TokenIds(ids.values[kept], np.cumsum(ids.count(kept))), *others)


class LabelSmoothing(TrainSteps):
    """Spread a tenth of each target over all labels; for softmax, redraw a tenth of the targets."""

    def block(self, ids: TokenIds, targets: Any, *others: Any) -> Any:
        """Lay out softer targets."""
        if targets.ndim == 2:
            return super().block(ids, (0.9 * targets + 0.05).astype(np.float32), *others)
        rng = np.random.default_rng(int(ids.values.sum()))
        drawn = rng.integers(0, self._outputs, len(targets), np.int32)
        return super().block(ids, np.where(rng.random(len(targets)) < 0.1, drawn, targets), *others)


class WeightDecay(TrainSteps):
    """Shrink all vectors by 0.3 of the learning rate (Loshchilov and Hutter, 2019)."""

    def __call__(self, block: Any) -> Any:
        """Take the steps of a block, then shrink once by the product of their factors."""
        logits = super().__call__(block)
        embedding = self._variables["embedding"][0]
        embedding.assign(embedding * float(np.prod(1.0 - 0.3 * block.rates)))
        return logits


class Averages:
    """Scores the mean of the weights of all epochs so far."""

    def __init__(self) -> None:
        """Start without an epoch."""
        self._sums: list[Any] = []
        self.found: list[Weights] = []
        """One per epoch."""

    def __call__(self, network: Any, pooling: str, _used: Any = None) -> Weights:
        """Add the weights of this epoch."""
        weights = network.get_weights()
        sums = zip(weights, self._sums, strict=True) if self._sums else ()
        self._sums = [one + sum_ for one, sum_ in sums] or weights
        embedding, *others = (sum_ / (len(self.found) + 1) for sum_ in self._sums)
        layers = tuple(zip(others[::2], others[1::2], strict=True))
        self.found.append(Weights.from_layers(pooling, embedding, layers))
        return self.found[-1]


def unbiased(dataset: Dataset) -> InitialWeights:
    """The initial weights, with all biases 0."""
    initial = initialize(dataset)
    return replace(initial, biases=np.zeros_like(initial.biases))


@dataclass(frozen=True)
class Ablation:
    """A change of the recipe: of the config, or of the program."""

    overrides: Callable[[Config], tuple[str, ...]] = lambda _: ()
    steps: type[TrainSteps] = TrainSteps
    begin: Callable[[Dataset], InitialWeights] = initialize
    averaged: bool = False


def changed(*overrides: str) -> Ablation:
    """The config with other settings."""
    return Ablation(lambda _: overrides)


def other(key: str, one: Any, two: Any) -> Ablation:
    """The config with the other one of two settings."""
    section, name = key.split(".")
    return Ablation(
        lambda config: (f"{key}={two if getattr(getattr(config, section), name) == one else one}",)
    )


def longer(config: Config) -> tuple[str, ...]:
    """N-grams of one more token."""
    return (f"text.ngrams={config.text.ngrams + 1}",)


def halved(config: Config) -> tuple[str, ...]:
    """Texts truncated to half the length."""
    return (f"text.sequence_length={max(1, config.text.sequence_length // 2)}",)


ABLATIONS = {
    "no n-grams": changed("text.ngrams=1"),
    "longer n-grams": Ablation(longer),
    "keep tokens that occur once": changed("text.min_count=1", "text.vocabulary_size=200002"),
    "half the length": Ablation(halved),
    "random initialization": changed("model.initialization=random"),
    "biases start at 0": Ablation(begin=unbiased),
    "pooling: average": changed("model.pooling=average"),
    "pooling: max": changed("model.pooling=max"),
    "pooling: flatten, random": changed(*FLATTEN, "model.initialization=random"),
    "pooling: flatten, naive Bayes": changed(*FLATTEN, "model.initialization=naive_bayes"),
    "the other schedule": other("training.schedule", "constant", "linear"),
    "hidden layer of 64": changed("model.hidden_units=[64]"),
    "the other dropout": other("model.dropout", 0.0, 0.5),
    "dropout of tokens, 0.2": Ablation(steps=TokenDropout),
    "label smoothing, 0.1": Ablation(steps=LabelSmoothing),
    "weight decay, 0.3": Ablation(steps=WeightDecay),
    "mean of the weights of all epochs": Ablation(averaged=True),
    "threshold: 0.5": changed("training.threshold=0.5"),
    "the other calibration": other("training.calibration", "none", "temperature"),
}


def main() -> None:
    """Measure the named sets, or all; one row per ablation, one column per set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="folders of sets")
    parser.add_argument("--ablation", action="append", choices=ABLATIONS, help="measure only these")
    arguments = parser.parse_args()
    ablations = arguments.ablation or [*ABLATIONS]
    names = [
        name for name in arguments.names or NAMES if (datasets() / name / "train.csv").is_file()
    ]
    columns = {name: measure(name, ablations) for name in names}
    print(f"| | {' | '.join(names)} | mean |\n|---|{'---|' * (len(names) + 1)}")
    base = [f"{statistics.mean(column['']):.4f}" for column in columns.values()]
    print(f"| score with all settings | {' | '.join(base)} | |")
    for ablation in ablations:
        changes = [
            [100 * (one - was) for one, was in zip(column[ablation], column[""], strict=True)]
            for column in columns.values()
        ]
        cells = [
            f"{statistics.mean(of):+.1f} ({statistics.stdev(of) / TIMES**0.5:.1f})"
            for of in changes
        ]
        mean = statistics.mean(map(statistics.mean, changes))
        print(f"| {ablation} | {' | '.join(cells)} | {mean:+.2f} |", flush=True)


def measure(name: str, ablations: list[str]) -> dict[str, list[float]]:
    """The scores of `init`'s config, under "", and of each ablation, one per fold."""
    scores: dict[str, list[float]] = {ablation: [] for ablation in ("", *ablations)}
    for fold in range(TIMES):
        with tempfile.TemporaryDirectory() as folder:
            config = init_config(name, fold, Path(folder))
            datasets_by_text: dict[str, Dataset] = {}
            for ablation, found in scores.items():
                found.append(score(config, ABLATIONS.get(ablation, Ablation()), datasets_by_text))
        print(name, fold, {ablation: one[-1] for ablation, one in scores.items()}, file=sys.stderr)
    return scores


def init_config(name: str, fold: int, folder: Path) -> Path:
    """Hold out a fold as validation table, and let `init` write a config for the rest."""
    hold_out(datasets() / name / "train.csv", fold, folder)
    config = folder / "config.yaml"
    embedclf("init", folder / "train.csv", "--validation", folder / HELD_OUT, "-o", config, "-q")
    return config


def score(path: Path, ablation: Ablation, datasets_by_text: dict[str, Dataset]) -> float:
    """Train an ablation; return the first score at the epoch of lowest validation loss."""
    from embedclf.model import backend, network
    from embedclf.training import fitting, loop
    from embedclf.training.steps.step_trainer import StepTrainer

    config = load_config(path, ablation.overrides(load_config(path)))
    text = config.text.model_dump_json()
    if text not in datasets_by_text:
        datasets_by_text[text] = prepare_dataset(config)
    dataset = replace(datasets_by_text[text], config=config)
    backend.start("cpu")
    initial, averages = ablation.begin(dataset), Averages()
    net = fitting.build_network(dataset, initial)
    with ExitStack() as stack:
        if ablation.averaged:
            stack.enter_context(patch.object(loop, "extract_weights", averages))
        steps = ablation.steps.of(net, dataset, initial.row_learning_rates)
        history = loop.fit(StepTrainer(steps, dataset), dataset, on_event=lambda _: None)
    weights = network.extract_weights(net, config.model.pooling)
    if ablation.averaged:
        weights = averages.found[history.best_epoch - 1]
    classifier = Classifier(dataset.tokenizer, dataset.labels, weights)
    probabilities = classifier.probabilities(weights.logits(dataset.validation.ids))
    _, judged = score_validation(dataset, classifier, probabilities)
    return next(value for value in judged.metrics.values() if value is not None)


if __name__ == "__main__":
    main()
