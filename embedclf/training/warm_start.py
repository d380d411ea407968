"""Continue from a run: its network becomes the start of a larger one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.data.start import Start
from embedclf.model.weights import Weights
from embedclf.runs.sealed_json import compute_checksum
from embedclf.training.token_vectors import continue_kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.model.weights import DenseLayer
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles, Floats
    from embedclf.training.initialization import InitialWeights

_MAX_ROWS = 10_000
"""Rows on which the first bias of a new label is computed."""

_BISECTIONS = 40
"""Halvings of the interval of a bias: exact in float32."""


@dataclass(frozen=True)
class Continuation:
    """A config, and the run that its training continues from."""

    config: Config
    run: Run


def read_start(run: Run) -> Start:
    """Read what a training needs to continue from a run.

    Raises:
        RequestError: The run is compact.
        RunError: A file of the run is damaged.
    """
    run.require_vectors()
    classifier, statistics = run.classifier(), run.row_statistics()
    return Start(
        classifier.tokenizer,
        classifier.labels,
        classifier.weights.trained,
        classifier.weights.kept,
        classifier.weights.dense,
        None if statistics is None else statistics.counts,
        None if statistics is None else statistics.row_learning_rates,
        compute_checksum(run.record["files"]),
    )


def continue_weights(initial: InitialWeights, dataset: Dataset) -> InitialWeights:
    """Replace initial weights by those of the run that the training continues from.

    New tokens and n-grams keep their initial rows. Kept word vectors stay as they are. A new label
    starts with its frequency, the same in all texts. The odds between old labels do not change.

    Args:
        initial: As a training without a start would have them.
        dataset: Its start is set.
    """
    start = dataset.start
    assert start is not None  # noqa: S101 - the caller has checked
    old, new = start.trained_ids_in(dataset.tokenizer)
    rows, rates = initial.rows.copy(), initial.row_learning_rates
    rows[new] = start.embedding[old]
    if rates is not None or start.row_learning_rates is not None:
        rates = np.ones(len(rows), np.float32) if rates is None else rates.copy()
        rates[new] = 1.0 if start.row_learning_rates is None else start.row_learning_rates[old]
    initial = replace(
        initial, rows=rows, row_learning_rates=rates, kept=_continue_kept(initial, dataset, start)
    )
    dense = (*start.dense[:-1], _output_layer(initial, dataset, start))
    return replace(initial, biases=dense[-1][1], dense=dense)


def row_learning_rates(initial: InitialWeights, dataset: Dataset) -> Floats | None:
    """Return factors (vocabulary_rows,) for the steps of the embedding's rows; None is 1 for all.

    If the training continues from a run, the steps of an old row are smaller: by the fraction of
    its occurrences that are new. The texts that it was learned from are gone, and large steps would
    forget them. Networks that saw different rows are merged in such proportions, too (Matena and
    Raffel, Merging Models with Fisher-Weighted Averaging, 2022).
    """
    start, rates = dataset.start, initial.row_learning_rates
    if start is None:
        return rates
    fractions: Floats = _fraction_new(start.counts_in(dataset.tokenizer), dataset.counts)
    if start.counts is None:  # of an old format; labels are counted in all of them
        rows = sum(start.labels.counts), sum(dataset.labels.counts)
        fractions[start.tokenizer.ids_in(dataset.tokenizer)] = 1.0 - rows[0] / max(rows[1], 1)
    return fractions if rates is None else rates * fractions


def dense_learning_rates(dataset: Dataset) -> list[Floats] | None:
    """Return factors for the steps of all kernels and biases, in their order.

    As with `row_learning_rates`, the steps are smaller by a fraction: for an output, that of its
    label's rows that are new. For hidden layers, it is the fraction of all rows. An output without
    new rows stays as it is.

    Returns:
        None if the training continues from no run.
    """
    start = dataset.start
    if start is None:
        return None
    names = dataset.labels.names
    before = np.zeros(len(names))
    before[: len(start.labels.names)] = start.labels.totals
    new = np.array(dataset.labels.totals) - before
    of_labels, of_all = _fraction_new(before, new), _fraction_new(before.sum(), new.sum())
    output = of_labels if dataset.labels.outputs == len(names) else of_all
    return [*([of_all] * 2 * (len(start.dense) - 1)), output, output]


def correct_new_labels(network: Any, dataset: Dataset) -> None:
    """Lower the logits of new labels to their frequency among old and new rows together.

    New labels are much more frequent among the new rows than among all rows. Without a correction,
    they are predicted for texts of old labels, too (Menon et al., Long-tail Learning via Logit
    Adjustment, 2021).

    Args:
        network: Trained on the dataset.
        dataset: Nothing changes without a start, or if rows can have several labels: the rows
            without a new label say nothing of the earlier ones then.
    """
    start = dataset.start
    if start is None or dataset.labels.task != "multiclass":
        return
    kernel, bias = network.get_layer("output").get_weights()
    bias[len(start.labels.names) :] -= np.float32(_Frequencies.of(dataset, start).excess)
    network.get_layer("output").set_weights([kernel, bias])


def describe_start(run: Run, dataset: Dataset, hashes: dict[str, str]) -> dict[str, Any]:
    """Return plain values about the run that a training continued from.

    Args:
        run: The run.
        dataset: The rows of the training.
        hashes: SHA-256 of its tables.
    """
    start = dataset.start
    assert start is not None  # noqa: S101 - the caller has checked
    tables = [*run.trained_tables]
    return {
        "run": str(run.path.absolute()),
        "sha256": start.sha256,
        "tables": tables,
        "new_tokens": len(dataset.tokenizer.tokens) - len(start.tokenizer.tokens),
        "new_ngrams": len(dataset.tokenizer.ngrams) - len(start.tokenizer.ngrams),
        "new_labels": list(dataset.labels.names[len(start.labels.names) :]),
        "seen": _find_seen(tables, hashes, len(dataset.train) + len(dataset.validation)),
    }


class _Frequencies(NamedTuple):
    """How frequent new labels are."""

    new: Doubles
    """(added,) rows of each new label."""
    others: float
    """New rows of old labels."""
    others_before: float
    """Rows of old labels that the start was trained on. If the new table has more, it has
    frequencies of its own, and can include the old rows."""

    @classmethod
    def of(cls, dataset: Dataset, start: Start) -> _Frequencies:
        """Count the rows of a dataset; the totals of its labels include those of the start."""
        totals, known = dataset.labels.totals, len(start.labels.names)
        before = sum(start.labels.totals)
        others = sum(totals[:known]) - before
        return cls(np.array(totals[known:], np.float64), others, max(before, others))

    @property
    def excess(self) -> float:
        """Logarithm of how much higher the odds of new labels are among the new rows."""
        return math.log(self.others_before + 1.0) - math.log(self.others + 1.0)

    @property
    def fractions(self) -> Doubles:
        """(added,) of the new labels among all rows; not quite 0 and not quite 1."""
        fractions: Doubles = (self.new + 1.0) / (self.new.sum() + self.others_before + 2.0)
        return fractions


def _fraction_new(before: Any, new: Any) -> Any:
    """Return the fraction of occurrences that are new, 1 where there are none."""
    return np.where(before + new > 0, new / np.maximum(before + new, 1), 1.0).astype(np.float32)


def _find_seen(
    tables: Sequence[dict[str, Any]], hashes: dict[str, str], rows: int
) -> dict[str, str]:
    """Return which splits have rows that earlier runs were trained on: `yes` or `maybe`.

    Runs store neither texts nor their hashes, so only whole tables can be recognized.

    Args:
        tables: That earlier runs were trained on.
        hashes: SHA-256 of the table of each split.
        rows: Training and validation rows.
    """
    known = {table["sha256"] for table in tables}
    seen = {split: "yes" for split in ("validation", "test") if hashes.get(split) in known}
    is_held_out = hashes["validation"] == hashes["train"]
    if is_held_out and not seen and any(rows > table["rows"] for table in tables):
        seen["validation"] = "maybe"
    return seen


def _continue_kept(initial: InitialWeights, dataset: Dataset, start: Start) -> Floats | None:
    """Return the kept vectors of the start, and those that its source has for new tokens."""
    if start.kept is None:
        return None
    tokenizer = dataset.tokenizer
    kept = np.zeros((tokenizer.first_ngram_id, start.kept.shape[1]), np.float32)
    kept[start.tokenizer.ids_in(tokenizer)[: len(start.kept)]] = start.kept
    if initial.kept is None or initial.kept.shape != kept.shape:
        return kept
    return continue_kept(initial.kept, kept)


def _output_layer(initial: InitialWeights, dataset: Dataset, start: Start) -> DenseLayer:
    """Extend the output layer of the start by the new labels."""
    kernel, bias = start.dense[-1]
    labels = dataset.labels
    if start.labels.task == "binary" and labels.task == "multiclass":
        # A softmax of 0 and x is a sigmoid of x.
        kernel = np.concatenate([np.zeros_like(kernel), kernel], axis=1)
        bias = np.concatenate([np.zeros_like(bias), bias])
    added = labels.outputs - kernel.shape[1]
    if not added:
        return kernel, bias
    zeros = np.zeros((len(kernel), added), np.float32)
    biases = _new_biases(initial, dataset, start, (*start.dense[:-1], (kernel, bias)))
    return np.concatenate([kernel, zeros], axis=1), np.concatenate([bias, biases])


def _new_biases(
    initial: InitialWeights, dataset: Dataset, start: Start, dense: tuple[DenseLayer, ...]
) -> Floats:
    """Return biases (added,) that give the new labels their frequencies.

    With one label per row, these are the frequencies among old and new rows, after
    `correct_new_labels`.
    """
    train = dataset.train
    if dataset.labels.task == "multilabel":
        new = np.array(dataset.labels.totals[len(start.labels.names) :])
        rows = len(train) if train.weights is None else float(train.weights.sum())
        # A weight of 1 on either side keeps the bias of a label without rows finite
        odds: Floats = (np.log(new + 1.0) - np.log(rows - new + 1.0)).astype(np.float32)
        return odds
    frequencies = _Frequencies.of(dataset, start)
    pooling = dataset.config.model.pooling
    weights = Weights.from_layers(pooling, initial.rows, dense, kept=initial.kept)
    logits = weights.logits(train.ids[:_MAX_ROWS])  # (rows, old labels)
    largest = logits.max(axis=1)
    # A softmax compares new labels with the sum of the old ones
    sums = np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest  # (rows,)
    total = float(frequencies.fractions.sum())
    common = _common_logit(sums, total) + frequencies.excess
    biases: Floats = (np.log(frequencies.fractions / total) + common).astype(np.float32)
    return biases


def _common_logit(others: Floats, mean: float) -> float:
    """Return the logit whose probability, against other logits (n,), has this mean.

    It lies between the logits that would do for the smallest and the largest of the others.
    """
    odds = math.log(mean) - math.log1p(-mean)
    low, high = float(others.min()) + odds, float(others.max()) + odds
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        # tanh has no overflow: sigmoid(x) = (1 + tanh(x / 2)) / 2
        too_low = (1.0 + np.tanh((middle - others) / 2)).mean() / 2 < mean
        low, high = (middle, high) if too_low else (low, middle)
    return (low + high) / 2
