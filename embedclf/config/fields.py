"""Types of config values, and the ranges a search may try."""

from __future__ import annotations

from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic.fields import FieldInfo


def expecting(expected: str) -> WrapValidator:
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
    expecting("a column's name (in quotes where it is a number) or a list of names"),
]

LabelColumns = Annotated[
    Column | Annotated[list[Column], Field(min_length=2)],
    expecting("a column's name (in quotes where it is a number) or a list of two names or more"),
]

Initialization = Annotated[
    Literal["random", "naive_bayes", "glove"] | Path,
    expecting("random, naive_bayes, glove, or a file of word vectors"),
]

Fraction = Annotated[float, Field(gt=0, lt=1, strict=True)]

ClassWeight = Annotated[
    Literal["none", "balanced"] | dict[str, Annotated[Number, Field(gt=0)]],
    expecting("none, balanced, or a mapping of labels to weights above 0"),
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
    expecting(
        "a number between 0 and 1, f1, micro_f1, youden, {precision: 0.9}, {recall: 0.95} or "
        "{cost: {false_positive: 1, false_negative: 10}}"
    ),
]

_EXPECTED = "must be a list of values"

_RANGE = ", or a range such as {low: 1, high: 8}, with step: 2 or log: true if wanted"


class Range(BaseModel):
    """All numbers between two ends, which belong to them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float = Field(description="The lowest value.")
    high: float = Field(description="The highest value.")
    step: float | None = Field(None, description="Between two values; null is any, or 1.")
    log: bool = Field(False, description="Whether each order of magnitude is as likely.")

    @model_validator(mode="after")
    def _has_a_way_up(self) -> Range:
        if self.low >= self.high:
            raise PydanticCustomError("both", "low must be below high")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise PydanticCustomError("both", "step must be above 0 and lead from low to high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise PydanticCustomError("both", "log needs a low above 0, and no step")
        return self


_RANGE_KEYS = frozenset(Range.model_fields)


def space_of(section: type[BaseModel], *, without: Collection[str] = ()) -> Any:
    """The model of what may be tried for the keys of a section; none is named unless wanted.

    Each value that is listed, and both ends of a range, are held to what the section itself demands
    of the key.

    Args:
        section: Of the config.
        without: Keys that are no matter of search.
    """
    fields: dict[str, Any] = {
        key: (_choices(key, field) | None, Field(None, description=field.description))
        for key, field in section.model_fields.items()
        if key not in without
    }
    name = section.__name__.replace("Config", "Space")
    config = ConfigDict(extra="forbid", frozen=True)
    return create_model(name, __config__=config, __doc__=f"What to try of {name}.", **fields)


def _value(field: FieldInfo) -> Any:
    """The type of one value, with its bounds."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _choices(key: str, field: FieldInfo) -> Any:
    """A list of values or, of numbers, a range; faults are told of the one that was meant."""
    value, numeric = _value(field), field.annotation in {int, float}
    listed: Any = Annotated[(GenericAlias(list, value), Field(min_length=1))]
    ranged = _range_of(key, value) if numeric else Range
    lists = TypeAdapter(listed)

    def read(given: Any, _handler: Any) -> Any:
        if given is None:
            return None
        if isinstance(given, list):
            return lists.validate_python(given)
        if numeric and isinstance(given, dict | Range) and set(dict(given)) <= _RANGE_KEYS:
            return ranged.model_validate(dict(given))
        raise PydanticCustomError("both", _EXPECTED + (_RANGE if numeric else ""))

    return Annotated[listed | ranged if numeric else listed, WrapValidator(read)]


def _range_of(key: str, value: Any) -> type[Range]:
    """The range of a key, in the key's own kind of number."""
    name = f"{key.title().replace('_', '')}Range"
    ends = {"low": (value, ...), "high": (value, ...), "step": (value | None, None)}
    return create_model(name, __base__=Range, __doc__=Range.__doc__, **ends)  # type: ignore[call-overload,no-any-return]
