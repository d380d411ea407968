"""What training is about to read and how it goes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.runs.history import epochs
from embedclf.system.terminal import listing, near, percent, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from embedclf.config.schema import Config
    from embedclf.model.backend import Device
    from embedclf.runs.history import Epoch, RefitStarted, Resumed, Step


def dataset(facts: dict[str, Any], config: Config) -> str:
    """What training is about to read: rows, labels, vocabulary, what is lost."""
    parts = facts["data"]
    train = parts["train"]
    labels = ", ".join(f"{name} {count:,}" for name, count in train["labels"].items())
    rows = [f"{part['rows']:,} {name}" for name, part in parts.items()]
    skipped = sum(part["rows_skipped"] for part in parts.values())
    cut = [f"{name} {percent(part['share_of_texts_cut'])}" for name, part in parts.items()]
    unknown = [f"{name} {percent(part['share_of_tokens_unknown'])}" for name, part in parts.items()]
    pairs = [
        ("data", str(near(Path(train["path"])))),
        ("read as", train["form"]),
        (
            "rows",
            " · ".join(rows) + (f" · {skipped:,} skipped: no valid label" if skipped else ""),
        ),
        ("labels", shortened(f"{len(train['labels'])} ({facts['task']}): {labels}")),
        (
            "vocabulary",
            f"{facts['vocabulary']:,} of at most {config.text.vocabulary_size:,} rows, padding "
            f"and unknown included; unit: {config.text.unit}",
        ),
        *_phrases(facts, config),
        (
            "texts cut",
            f"{' · '.join(cut)} have more than {config.text.sequence_length} tokens",
        ),
        ("tokens unknown", " · ".join(unknown)),
    ]
    return listing(pairs)


def _phrases(facts: dict[str, Any], config: Config) -> Iterator[tuple[str, str]]:
    """How many phrases there are, if any were looked for."""
    text = config.text
    if text.ngrams > 1:
        most = f"{facts['phrases']:,} of at most {text.ngram_vocabulary_size:,}"
        yield "phrases", f"{most}, of 2 to {text.ngrams} tokens" if text.ngrams > 2 else most


def device(told: Device) -> str:
    """What the training runs on."""
    return listing([("device", f"{told.kind} {told.name}, {told.cores} cores")])


def resumed(told: Resumed) -> str:
    """Where a training goes on."""
    what = f"after epoch {told.epochs}" if told.epochs else "nothing to resume: from the beginning"
    return listing([("goes on", what)])


def refitting(told: RefitStarted) -> str:
    """What is trained anew, and on what."""
    return listing([("refit", f"{epochs(told.epochs)} anew on all {told.rows:,} rows")])


def loss(told: Step) -> str:
    """The loss within an epoch, as soon as it is known."""
    return "" if math.isnan(told.loss) else f"  loss {told.loss:.4f}"


def epoch(told: Epoch, most: int, score_name: str) -> str:
    """One line an epoch."""
    line = (
        f"epoch {told.epoch}/{most}  {told.seconds:.1f} s  {told.rows_per_second:,.0f} rows/s  "
        f"loss {told.loss:.4f}"
    )
    if math.isnan(told.val_loss):
        return line
    return f"{line}  val_loss {told.val_loss:.4f}  val_{score_name} {told.val_score:.4f}"


def covered(facts: Mapping[str, Any]) -> str:
    """The coverage of a run to be, as a listing; `facts` are those of `Coverage`."""
    return listing(entries({"vectors": facts}))


def entries(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run started from, as entries of a listing; none where that was chance."""
    facts = record.get("vectors")
    if facts is None:
        return []
    told = (
        f"{facts['source']}: {facts['tokens_covered']:,} of {facts['tokens']:,} tokens "
        f"({percent(facts['share_of_tokens'])}), {percent(facts['share_of_texts_tokens'])} of all "
        "that is read of training texts"
    )
    if facts["unreadable"]:
        told += f"; words of it passed over, as they are not UTF-8: {facts['unreadable']:,}"
    return [("vectors", told)]
