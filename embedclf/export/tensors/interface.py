"""What exports take and give: names, token ids as input, and texts for examples."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from embedclf.export.tensors.scores import ScoreGraph
from embedclf.system.fields import field_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.export.exporter import ExportSource
    from embedclf.model.classifier import Classifier
    from embedclf.system.arrays import Int64s

TEXTS, TOKEN_IDS, PROBABILITIES = "texts", "token_ids", "probabilities"

TOKENS_FILE = "tokens.json"


def label_output(classifier: Classifier) -> str:
    """Return the name of the output with the predicted labels."""
    return "labels" if classifier.labels.task == "multilabel" else "label"


def pad_ids(source: ExportSource, texts: Sequence[str]) -> Int64s:
    """Return the ids of texts (n, width) as an export takes them, with padding at the end."""
    classifier = source.classifier
    ids = classifier.tokenizer.encode(texts).ids
    width = ScoreGraph(classifier).width or max(1, int(ids.lengths.max(initial=0)))
    return ids.pad(width).astype(np.int64)


def write_tokens(source: ExportSource, folder: Path) -> None:
    """Write the tokens and n-grams in the order of their ids."""
    tokenizer = source.classifier.tokenizer
    names = tokenizer.decode(np.arange(tokenizer.vocabulary_rows, dtype=np.int32))
    text = json.dumps(names, ensure_ascii=False, indent=0)
    (folder / TOKENS_FILE).write_text(f"{text}\n", encoding="utf-8", newline="\n")


def example_text(source: ExportSource) -> str:
    """Return a text for a program in a README, with all fields."""
    fields = [f"{field_name(column)}=value" for column in source.columns.fields]
    return " ".join([*fields, "a first text"])
