"""Kinds of values that the config's keys hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError


def instead(expected: str) -> WrapValidator:
    """One sentence in place of pydantic's error for each member of a union."""

    def validate(given: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(given)
        except ValidationError as error:
            raise PydanticCustomError(
                "expected", "must be {expected}", {"expected": expected}
            ) from error

    return WrapValidator(validate)


Count = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Column = Annotated[str, Field(min_length=1)]
Columns = Annotated[
    Column | Annotated[list[Column], Field(min_length=1)],
    instead("a column's name (in quotes where it is a number) or a list of names"),
]
LabelColumns = Annotated[
    Column | Annotated[list[Column], Field(min_length=2)],
    instead("a column's name (in quotes where it is a number) or a list of two names or more"),
]
Initialization = Annotated[
    Literal["random", "naive_bayes", "glove"] | Path,
    instead("random, naive_bayes, glove, or a file of word vectors"),
]
Fraction = Annotated[float, Field(gt=0, lt=1, strict=True)]
ClassWeight = Annotated[
    Literal["none", "balanced"] | dict[str, Annotated[Number, Field(gt=0)]],
    instead("none, balanced, or a mapping of labels to weights above 0"),
]


class Section(BaseModel):
    """What all sections share: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PrecisionRule(Section):
    """The threshold of highest recall with a precision of at least so much."""

    precision: Fraction


class RecallRule(Section):
    """The threshold of highest precision with a recall of at least so much."""

    recall: Fraction


class Costs(Section):
    """What a mistake costs, in any unit."""

    false_positive: Annotated[Number, Field(gt=0)]
    false_negative: Annotated[Number, Field(gt=0)]


class CostRule(Section):
    """The threshold of lowest cost."""

    cost: Costs


Goal = Literal["f1", "micro_f1", "youden"]
"""What the threshold is to make as high as can be."""
Threshold = Annotated[
    Fraction | Goal | PrecisionRule | RecallRule | CostRule,
    instead(
        "a number between 0 and 1, f1, micro_f1, youden, {precision: 0.9}, {recall: 0.95} or "
        "{cost: {false_positive: 1, false_negative: 10}}"
    ),
]
