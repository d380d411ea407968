"""`run.json`."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from embedclf.runs.contents.values import Count, Paths, Positive, Sha256

Task = Literal["binary", "multiclass", "multilabel"]


class TableFacts(TypedDict):
    """A table that a run was trained or scored on."""

    path: Paths
    form: str
    rows: Count
    rows_skipped: Count
    labels: dict[str, float]
    """Rows of each label."""
    unknown_labels: dict[str, Count]
    tokens: Count
    share_of_texts_cut: float
    share_of_tokens_unknown: float
    sha256: Sha256


class SplitFacts(TypedDict):
    """The tables of a run, by split."""

    train: TableFacts
    validation: TableFacts
    test: NotRequired[TableFacts]


class DeviceFacts(TypedDict):
    """What a training ran on."""

    requested: str
    kind: str
    name: str
    cores: NotRequired[Count]


class RefitFacts(TypedDict):
    """A training on all rows after the one that was validated."""

    rows: Count | None
    missing: NotRequired[str]
    """Why there was none."""


class EpochChoiceFacts(TypedDict):
    """How cross-validation chose the number of epochs."""

    epochs: Count
    folds: Count
    losses: list[float]


class TrainedTable(TypedDict):
    """A table that an earlier run was trained on."""

    path: Paths
    sha256: Sha256
    rows: Count


class StartFacts(TypedDict):
    """The run that a training continued from."""

    run: str
    sha256: Sha256
    tables: list[TrainedTable]
    new_tokens: Count
    new_ngrams: NotRequired[Count]
    new_labels: list[str]
    seen: dict[Literal["validation", "test"], Literal["yes", "maybe"]]


class CoverageFacts(TypedDict):
    """How many tokens have a vector in a source of word vectors."""

    source: str
    tokens: Count
    tokens_covered: Count
    unreadable: Count
    share_of_tokens: float
    share_of_texts_tokens: float
    sha256: NotRequired[Sha256]


class TeacherFacts(TypedDict):
    """The teacher that labeled unlabeled texts."""

    name: str
    metric: str
    score: float
    scored_rows: Count


class UnlabeledFacts(TypedDict):
    """Unlabeled texts that a run was trained on."""

    path: Paths
    rows: Count
    rows_left_out: Count
    sha256: Sha256
    teacher: NotRequired[TeacherFacts]


class CompactFacts(TypedDict):
    """What a compact run was made from, and what that cost."""

    run: str
    """Name of the folder of the run."""
    sha256: Sha256
    """Of the names and SHA-256 of its files."""
    bytes: Count
    """Of all its files."""
    tokens_left_out: Count
    ngrams_left_out: Count
    rows: Count
    """Validation rows that both were scored on."""
    metric: str
    score_before: float
    score_after: float
    changed: Count
    """Decisions about these rows that differ."""


RunRecord = TypedDict(
    "RunRecord",
    {
        "format": Positive,
        "created": Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-9.+:]+$")],
        "ended": Literal["all_epochs", "early_stopping", "interrupted", "cross_validation"],
        "epochs": Count,
        "best_epoch": Count,
        "pooling": Literal["average", "sqrt", "max", "flatten"],
        "seed": int,
        "device": DeviceFacts,
        "packages": dict[str, str],
        "task": Task,
        "labels": Annotated[list[str], msgspec.Meta(min_length=1)],
        "vocabulary": Count,
        "vector_words": NotRequired[Count],
        "phrases": NotRequired[Count],
        "data": SplitFacts,
        "held_out": NotRequired[str | None],
        "parameters": Positive,
        "trainable_parameters": NotRequired[Count],
        "parity": float,
        "seconds": dict[str, float],
        "refit": NotRequired[RefitFacts],
        "epoch_choice": NotRequired[EpochChoiceFacts],
        "from": NotRequired[StartFacts],
        "vectors": NotRequired[CoverageFacts],
        "kept_vectors": NotRequired[CoverageFacts],
        "unlabelled": NotRequired[UnlabeledFacts],
        "compact": NotRequired[CompactFacts],
        "files": dict[str, Sha256],
    },
)
"""`run.json`, without its checksum. Keys that earlier formats lack are not required."""
