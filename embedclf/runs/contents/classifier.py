"""The JSON files of a classifier."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from embedclf.runs.contents.record import Task
from embedclf.runs.contents.values import Count, Positive

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class LabelsFile(TypedDict):
    """`labels.json`."""

    task: Task
    names: Annotated[list[str], msgspec.Meta(min_length=1)]
    counts: list[Count]
    weights: NotRequired[list[float]]
    merge_label_forms: NotRequired[bool]


class NgramsFacts(TypedDict):
    """N-grams in `text.json`: their longest length, and before format 8, all of them."""

    longest: Annotated[int, msgspec.Meta(ge=1, le=255)]
    heads: NotRequired[list[Id]]
    tails: NotRequired[list[Id]]


class TextFile(TypedDict):
    """`text.json`."""

    unit: Literal["word", "character"]
    lowercase: bool
    token_pattern: NotRequired[str]
    html: NotRequired[bool]
    fields: NotRequired[list[str]]
    sequence_length: Positive
    numeric_fields: NotRequired[dict[str, list[float]]]
    vector_words: NotRequired[Count]
    tokens: NotRequired[list[str]]
    ngrams: NotRequired[NgramsFacts]


class Place(TypedDict):
    """Where an array lies in `model.keras`."""

    offset: Count
    """In bytes."""
    shape: Annotated[list[Positive], msgspec.Meta(min_length=1, max_length=2)]


class DensePlaces(TypedDict):
    """Where the arrays of a dense layer lie."""

    kernel: Place
    bias: Place


class WeightsFile(TypedDict):
    """`weights.json`."""

    embedding: Place
    vectors: NotRequired[Place]
    dense: Annotated[list[DensePlaces], msgspec.Meta(min_length=1)]


class CompactDense(TypedDict):
    """A dense layer of a compact run; its kernel is in `kernels.arrow`."""

    inputs: Positive
    bias: Annotated[
        list[Annotated[float, msgspec.Meta(ge=-1e38, le=1e38)]], msgspec.Meta(min_length=1)
    ]


class CompactWeightsFile(TypedDict):
    """`weights.json` of a compact run."""

    step: Annotated[float, msgspec.Meta(gt=0, le=1e28)]
    """Whatever it multiplies is finite."""
    columns: Positive
    dense: Annotated[list[CompactDense], msgspec.Meta(min_length=1)]


class Curve(TypedDict):
    """The calibration of an output in `calibration.json`."""

    said: Annotated[list[float], msgspec.Meta(min_length=1)]
    true: Annotated[list[float], msgspec.Meta(min_length=1)]
