"""Settings -> validation score; each table is read and encoded once."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import replace
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, TypeVar

import numpy as np

from embedclf.data.config_files import check_validation_labels
from embedclf.data.dataset import encode_splits, read_training, with_config
from embedclf.data.unlabeled.texts import with_unlabeled
from embedclf.model.classifier import Classifier
from embedclf.training.finishing import calibrate, score_validation
from embedclf.training.fitting import fit_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset, TrainingTable
    from embedclf.evaluation.scores import Scores
    from embedclf.runs.history import Epoch, History, Resumed, Step

Value = TypeVar("Value")

_VECTOR_KEYS = {"vectors", "vector_words"}

_TOKENIZATION_KEYS = {"unit", "lowercase"}
"""Keys of `text` that matter for tokenization; the others matter only for encoding."""

_MAX_TABLES, _MAX_DATASETS = 2, 6  # both are on disk


def score_trial(
    dataset: Dataset,
    metrics: Sequence[str],
    on_event: Callable[[Resumed | Step | Epoch], None],
) -> tuple[Scores, History]:
    """Fit a network from the config's seed, and score it on the validation rows.

    Args:
        dataset: The rows, and the config.
        metrics: What to compute.
        on_event: Called every few steps and at the end of each epoch; an exception that it raises
            ends the fitting.

    Returns:
        The scores that `train` reports for the same config, and the epochs.

    Raises:
        TrainingError: The loss is not finite.
        MemoryError: The network does not fit into memory.
        KeyboardInterrupt: Ctrl-C, even after a finished epoch: an unfinished trial has no score.
    """
    from embedclf.model.network import extract_weights

    fitted = fit_network(dataset, on_event=on_event)
    if fitted.history.interrupted:
        raise KeyboardInterrupt
    calibration = calibrate(fitted.network, dataset)
    weights = extract_weights(fitted.network, dataset.config.model.pooling)
    classifier = Classifier(dataset.tokenizer, dataset.labels, weights, calibration)
    # By the exported weights, not by Keras, as in training: scores agree to the last digit.
    probabilities = classifier.probabilities(weights.lazy_logits(dataset.validation.ids))
    return score_validation(dataset, classifier, probabilities, metrics)[1], fitted.history


class DatasetCache:
    """Training and validation rows of a config, for each way to tokenize and encode its texts.

    Each dataset equals what `prepare_dataset` would make without a test table, so a trial is the
    training that its config would be. The test table is never read.
    """

    def __init__(self, stack: ExitStack) -> None:
        """Make an empty cache.

        Args:
            stack: Closes the temporary files.
        """
        self._stack = stack
        self._tables: OrderedDict[str, TrainingTable] = OrderedDict()
        self._datasets: OrderedDict[str, Dataset] = OrderedDict()

    def dataset(self, config: Config) -> Dataset:
        """Return what a training by the config reads, except for its test table.

        Raises:
            DataError: A table cannot be used.
            ConfigError: The config names labels that do not exist.
        """
        full = config
        config = config.model_copy(update={"data": config.data.model_copy(update={"test": None})})
        # Of the searched sections, only `text` and these affect what is read and encoded.
        key = config.text.model_dump_json() + config.model.model_dump_json(include=_VECTOR_KEYS)
        dataset = _cached(self._datasets, key, lambda: self._encode(config, full), _MAX_DATASETS)
        return with_config(dataset, config)  # the cached one may hold another trial's config

    def _encode(self, config: Config, full: Config) -> Dataset:
        # `full` has the test table: unlabeled texts that are in it, too, are not learned from
        key = config.text.model_dump_json(include=_TOKENIZATION_KEYS)
        table = _cached(self._tables, key, lambda: self._read(full), _MAX_TABLES)
        # The ids are memory-mapped, and a mapping outlives its closed file.
        with ExitStack() as stack:
            dataset, _ = encode_splits(
                config,
                table.labels,
                table.tokenized,
                table.held_out.astype(np.int8),
                lambda: stack.enter_context(TemporaryFile()),
                vectors=None,  # `with_config` opens those of each trial
            )
        check_validation_labels(dataset)
        return dataset

    def _read(self, config: Config) -> TrainingTable:
        training = read_training(config, self._new_file())
        tokenized = with_unlabeled(training.tokenized, config, self._new_file())
        return replace(training, tokenized=tokenized)

    def _new_file(self) -> IO[bytes]:
        # It stays open: each encoding of the table maps its tokens again.
        return self._stack.enter_context(TemporaryFile())


def _cached(
    cache: OrderedDict[str, Value], key: str, make: Callable[[], Value], max_entries: int
) -> Value:
    """Return the value of a key, made if missing; the least recently used one is dropped."""
    if key not in cache:
        cache[key] = make()
    cache.move_to_end(key)
    while len(cache) > max_entries:
        cache.popitem(last=False)
    return cache[key]
