"""The data and the epochs of a training -> text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from embedclf.system.terminal import (
    format_count,
    format_definitions,
    format_duration,
    format_percent,
    format_score,
    join_shortened,
    quote_number,
)
from embedclf.tables.files import display_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from embedclf.config.schema import Config
    from embedclf.model.backend import Device
    from embedclf.runs.history import Epoch, RefitStarted, Resumed, Step


def dataset_text(facts: dict[str, Any], config: Config) -> str:
    """Describe the rows, labels and vocabulary, and how much of the texts is not used.

    Args:
        facts: Those of `Dataset.facts`.
        config: What is trained.
    """
    splits, weight = facts["data"], config.data.weight
    train = splits["train"]
    counts = [f"{quote_number(name)} {count:,}" for name, count in train["labels"].items()]
    # Keys of `facts` are stored in runs, so they don't follow the names in the code.
    return format_definitions(
        [
            ("data", display_tables(train["path"])),
            ("format", train["form"]),
            ("rows", _row_counts(splits)),
            *([("held out", facts["held_out"])] if facts["held_out"] else []),
            *unlabeled_entries(facts),
            *([("weights", f"rows are weighted by {weight!r}")] if weight else []),
            ("labels", f"{len(counts)} ({facts['task']}): {join_shortened(counts)}"),
            (
                "vocabulary",
                f"{describe_vocabulary(facts, config.text.vocabulary_size)}; "
                f"unit: {config.text.unit}",
            ),
            *_ngram_entries(facts, config),
            (
                "truncated",
                f"{_percentages(splits, 'share_of_texts_cut')} "
                f"(over {format_count(config.text.sequence_length, 'token')})",
            ),
            ("OOV", f"{_percentages(splits, 'share_of_tokens_unknown')} of tokens"),
        ]
    )


def device_text(device: Device) -> str:
    """Describe what the training runs on."""
    cores = format_count(device.cores, "core")
    return format_definitions([("device", f"{device.kind} {device.name}, {cores}")])


def resumed_text(event: Resumed) -> str:
    """Describe where a training resumes."""
    if event.damaged:
        return format_definitions([("resume", "the checkpoint is damaged; starting from epoch 1")])
    if not event.epochs:
        return format_definitions([("resume", "no checkpoint found; starting from epoch 1")])
    return format_definitions([("resume", f"after epoch {event.epochs}")])


def refit_text(event: RefitStarted) -> str:
    """Describe for how many epochs and on how many rows the network is refit."""
    epochs = format_count(event.epochs, "epoch")
    return format_definitions([("refit", f"{epochs} on all {format_count(event.rows, 'row')}")])


def loss_text(step: Step) -> str:
    """Return the loss within an epoch, or nothing while it is unknown."""
    return "" if math.isnan(step.loss) else f"loss {step.loss:.4f}"


def epoch_text(epoch: Epoch, max_epochs: int, score_name: str) -> str:
    """Return the line of a finished epoch; a refit has no validation scores."""
    line = (
        f"epoch {epoch.epoch}/{max_epochs}  {format_duration(epoch.seconds)}  "
        f"{epoch.rows_per_second:,.0f} rows/s  loss {epoch.loss:.4f}"
    )
    if math.isnan(epoch.val_loss):
        return line
    return f"{line}  val_loss {epoch.val_loss:.4f}  val_{score_name} {epoch.val_score:.4f}"


def coverage_text(facts: Mapping[str, Any]) -> str:
    """Describe how many tokens start from word vectors.

    Args:
        facts: Those of `Coverage.facts`.
    """
    return format_definitions(coverage_entries({"vectors": facts}))


def describe_vocabulary(facts: Mapping[str, Any], limit: int | None = None) -> str:
    """Count the tokens of a vocabulary, and apart from these the words with kept vectors only.

    Args:
        facts: Those of `Dataset.facts`, or the record of a run.
        limit: Their maximum number.
    """
    vector_words = facts.get("vector_words", 0)  # runs before format 7 have none
    text = f"{facts['vocabulary'] - vector_words:,} entries"
    text += f" (limit {limit:,})" if limit else ""
    text += " with padding and OOV"
    more = f", and {format_count(vector_words, 'word')} known by their vectors only"
    return text + (more if vector_words else "")


def unlabeled_entries(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Describe the unlabeled texts of a training and their teacher; empty without any.

    Args:
        facts: Those of `Dataset.facts`, or the record of a run.
    """
    texts = facts.get("unlabelled")
    if texts is None:
        return []
    line = f"{format_count(texts['rows'], 'text')} of {display_tables(texts['path'])}"
    if left_out := texts["rows_left_out"]:
        line += f", without {format_count(left_out, 'text')} that are empty or in another table"
    if teacher := texts.get("teacher"):
        line += (
            f"; labeled by a teacher ({teacher['name']}), {teacher['metric']} "
            f"{format_score(teacher['score'])} cross-validated on "
            f"{format_count(teacher['scored_rows'], 'training row')}"
        )
    return [("unlabeled", line)]


def coverage_entries(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the word vectors that a run started from, or keeps; empty without any.

    Args:
        record: That of a run, or the facts of its dataset.
    """
    return [
        ("vectors", _describe_coverage(record[key]))
        for key in ("vectors", "kept_vectors")
        if key in record
    ]


def _describe_coverage(facts: Mapping[str, Any]) -> str:
    coverage = (
        f"{facts['source']}: {facts['tokens_covered']:,} of {facts['tokens']:,} tokens "
        f"({format_percent(facts['share_of_tokens'])}), "
        f"{format_percent(facts['share_of_texts_tokens'])} of the tokens in training texts"
    )
    if facts["unreadable"]:
        coverage += f"; ignored as not UTF-8: {format_count(facts['unreadable'], 'word')}"
    return coverage


def _row_counts(splits: Mapping[str, Any]) -> str:
    counts = " · ".join(f"{split['rows']:,} {name}" for name, split in splits.items())
    skipped = sum(split["rows_skipped"] for split in splits.values())
    return counts + (f" · {skipped:,} skipped without a valid label" if skipped else "")


def _percentages(splits: Mapping[str, Any], key: str) -> str:
    return " · ".join(f"{name} {format_percent(split[key])}" for name, split in splits.items())


def _ngram_entries(facts: dict[str, Any], config: Config) -> Iterator[tuple[str, str]]:
    """Yield the number of n-grams in the vocabulary, if the config asks for any."""
    text = config.text
    if text.ngrams > 1:
        count = f"{facts['phrases']:,} of at most {text.ngram_vocabulary_size:,}"
        name = "bigrams" if text.ngrams == 2 else f"2- to {text.ngrams}-grams"
        yield "n-grams", f"{count} {name}"
