"""Settings -> validation score, tables encoded once."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from embedclf.data.dataset import check_validation, encode_splits, read_training, with_config
from embedclf.data.labels import Labels
from embedclf.model.classifier import Classifier
from embedclf.training.finishing import calibrate, score_validation
from embedclf.training.initialization import initialize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.data.splits import TokenizedTable
    from embedclf.evaluation.scores import Scores
    from embedclf.runs.history import Epoch, History, Resumed, Step
    from embedclf.system.arrays import Mask

    Read = tuple[TokenizedTable, Mask]


def score_trial(
    dataset: Dataset,
    names: Sequence[str],
    on_event: Callable[[Resumed | Step | Epoch], None],
) -> tuple[Scores, History]:
    """Fit a network from the config's seed, and score it on the validation rows.

    Args:
        dataset: The rows, and the config.
        names: What to measure.
        on_event: Called every few steps and at each epoch's end; what it raises ends the fitting.

    Returns:
        The scores that `train` by the same config gives, and how the fitting went.

    Raises:
        TrainingError: The loss is no longer a number.
        MemoryError: The network does not fit.
        KeyboardInterrupt: Ctrl-C; what was learned until then is no use.
    """
    from embedclf.model import backend, network
    from embedclf.training import fitting

    config = dataset.config
    backend.start(config.training.device, config.seed)
    initial = initialize(dataset)
    net = fitting.begin(dataset, initial)
    history = fitting.fit(
        net, dataset, row_learning_rates=initial.row_learning_rates, on_event=on_event
    )
    if history.interrupted:
        raise KeyboardInterrupt
    calibration = calibrate(net, dataset)
    weights = network.weights_of(net, config.model.pooling)
    classifier = Classifier(dataset.tokenizer, dataset.labels, weights, calibration)
    probabilities = classifier.activate(weights.logits(dataset.validation.ids))
    return score_validation(dataset, classifier, probabilities, names)[1], history


Kept = TypeVar("Kept")

_OF_TOKENS = {"unit", "lowercase"}
"""Keys of `text` that tell how texts are cut; all others count when the tokens are known."""

_TABLES, _ENCODINGS = 2, 6
"""That are kept; they are on disk, and what was used last stays."""


class DatasetCache:
    """Training and validation rows of a config, for each way to read its texts.

    Each is what `preparation.prepare` would make, so that a trial is the training that the same
    config would be; the test table is never looked at.
    """

    def __init__(self, stack: ExitStack) -> None:
        """Begin with nothing read.

        Args:
            stack: Closes the scratch files.
        """
        self._stack = stack
        self._tokenized: OrderedDict[str, Read] = OrderedDict()
        self._encodings: OrderedDict[str, Dataset] = OrderedDict()

    def dataset(self, config: Config) -> Dataset:
        """What a training by the config reads, but for its test table.

        Raises:
            DataError: A table cannot be used.
            ConfigError: The config names labels that are not there.
        """
        config = config.model_copy(update={"data": config.data.model_copy(update={"test": None})})
        key = config.text.model_dump_json()
        found = _kept(self._encodings, key, lambda: self._encode(config), _ENCODINGS)
        return with_config(found, config)

    def _encode(self, config: Config) -> Dataset:
        key = config.text.model_dump_json(include=_OF_TOKENS)
        tokenized, held_out = _kept(self._tokenized, key, lambda: self._read(config), _TABLES)
        labels = Labels.fit(tokenized.rows.take(~held_out), config.data)
        with ExitStack() as stack:
            dataset, _ = encode_splits(
                config,
                labels,
                tokenized,
                held_out.astype(np.int8),
                lambda: stack.enter_context(TemporaryFile()),
            )
        check_validation(dataset)
        return dataset

    def _read(self, config: Config) -> Read:
        return read_training(config, self._stack.enter_context(TemporaryFile()))


def _kept(known: OrderedDict[str, Kept], key: str, make: Callable[[], Kept], most: int) -> Kept:
    """What is known under a key, or made; what was not used for longest is forgotten."""
    if key not in known:
        known[key] = make()
    known.move_to_end(key)
    while len(known) > most:
        known.popitem(last=False)
    return known[key]
