"""What training is about to read and how it goes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.runs.history import format_epochs
from embedclf.system.terminal import display_path, format_definitions, format_percent, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from embedclf.config.schema import Config
    from embedclf.model.backend import Device
    from embedclf.runs.history import Epoch, RefitStarted, Resumed, Step


def dataset_text(facts: dict[str, Any], config: Config) -> str:
    """Describe the rows, labels and vocabulary, and how much of the texts is lost.

    Args:
        facts: Those of `Dataset.facts`.
        config: What is trained.
    """
    splits = facts["data"]
    train = splits["train"]
    labels = ", ".join(f"{name} {count:,}" for name, count in train["labels"].items())
    # Keys of `facts` are stored in runs, so they don't follow the names in the code.
    truncated = _percentages(splits, "share_of_texts_cut")
    return format_definitions(
        [
            ("data", str(display_path(Path(train["path"])))),
            ("read as", train["form"]),
            ("rows", _row_counts(splits)),
            ("labels", shorten(f"{len(train['labels'])} ({facts['task']}): {labels}")),
            (
                "vocabulary",
                f"{facts['vocabulary']:,} of at most {config.text.vocabulary_size:,} rows, padding "
                f"and unknown included; unit: {config.text.unit}",
            ),
            *_ngram_entries(facts, config),
            ("texts cut", f"{truncated} have more than {config.text.sequence_length} tokens"),
            ("tokens unknown", _percentages(splits, "share_of_tokens_unknown")),
        ]
    )


def device_text(device: Device) -> str:
    """Describe what the training runs on."""
    return format_definitions([("device", f"{device.kind} {device.name}, {device.cores} cores")])


def resumed_text(event: Resumed) -> str:
    """Say after which epoch a training resumes."""
    nothing = "nothing to resume: from the beginning"
    after = f"after epoch {event.epochs}" if event.epochs else nothing
    return format_definitions([("goes on", after)])


def refit_text(event: RefitStarted) -> str:
    """Say for how many epochs and on how many rows the network is refit."""
    refit = f"{format_epochs(event.epochs)} anew on all {event.rows:,} rows"
    return format_definitions([("refit", refit)])


def loss_text(step: Step) -> str:
    """The loss within an epoch, or nothing while it is unknown."""
    return "" if math.isnan(step.loss) else f"  loss {step.loss:.4f}"


def epoch_text(epoch: Epoch, max_epochs: int, score_name: str) -> str:
    """The line of a finished epoch; a refit has no validation scores."""
    line = (
        f"epoch {epoch.epoch}/{max_epochs}  {epoch.seconds:.1f} s  "
        f"{epoch.rows_per_second:,.0f} rows/s  loss {epoch.loss:.4f}"
    )
    if math.isnan(epoch.val_loss):
        return line
    return f"{line}  val_loss {epoch.val_loss:.4f}  val_{score_name} {epoch.val_score:.4f}"


def coverage_text(facts: Mapping[str, Any]) -> str:
    """Describe how much of the vocabulary starts from word vectors.

    Args:
        facts: Those of `Coverage.facts`.
    """
    return format_definitions(coverage_entries({"vectors": facts}))


def coverage_entries(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The word vectors that a run started from, for a listing; empty if it started at random.

    Args:
        record: That of a run, or the facts of its dataset.
    """
    facts = record.get("vectors")
    if facts is None:
        return []
    coverage = (
        f"{facts['source']}: {facts['tokens_covered']:,} of {facts['tokens']:,} tokens "
        f"({format_percent(facts['share_of_tokens'])}), "
        f"{format_percent(facts['share_of_texts_tokens'])} of all that is read of training texts"
    )
    if facts["unreadable"]:
        coverage += f"; words of it passed over, as they are not UTF-8: {facts['unreadable']:,}"
    return [("vectors", coverage)]


def _row_counts(splits: Mapping[str, Any]) -> str:
    counts = " · ".join(f"{split['rows']:,} {name}" for name, split in splits.items())
    skipped = sum(split["rows_skipped"] for split in splits.values())
    return counts + (f" · {skipped:,} skipped: no valid label" if skipped else "")


def _percentages(splits: Mapping[str, Any], key: str) -> str:
    return " · ".join(f"{name} {format_percent(split[key])}" for name, split in splits.items())


def _ngram_entries(facts: dict[str, Any], config: Config) -> Iterator[tuple[str, str]]:
    """How many n-grams the vocabulary has, if the config asks for any."""
    text = config.text
    if text.ngrams > 1:
        count = f"{facts['phrases']:,} of at most {text.ngram_vocabulary_size:,}"
        yield "phrases", f"{count}, of 2 to {text.ngrams} tokens" if text.ngrams > 2 else count
