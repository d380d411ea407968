"""Types of config values, and the ranges that a search may try."""

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

    from pydantic.config import JsonDict
    from pydantic.fields import FieldInfo

AUTO = "auto"
"""Written for a key, it means the same as leaving the key out: choose the value from the data."""


def union_error(expected: str) -> WrapValidator:
    """Report one sentence instead of pydantic's errors for each member of a union.

    Args:
        expected: What the value must be, to follow "must be".
    """

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticCustomError(
                "expected", "must be {expected}", {"expected": expected}
            ) from error

    return WrapValidator(validate)


def allow_auto(schema: JsonDict) -> None:
    """Add `auto` to the JSON schema of a key, as its default; also marks such keys.

    The default that the field itself has is what runs mean that were trained before the key
    existed.
    """
    kept = {"title", "description", "default"}
    value = {key: schema.pop(key) for key in list(schema) if key not in kept}
    types: Any = value.get("anyOf", [value])
    schema |= {"anyOf": [{"const": AUTO}, *types], "default": AUTO}


# Without strict, pydantic accepts "8" and true as numbers.
Count = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]

FiniteNumber = Annotated[float, Field(strict=True, allow_inf_nan=False)]  # YAML has .inf and .nan

Fraction = Annotated[float, Field(gt=0, lt=1, strict=True)]

Column = Annotated[str, Field(min_length=1)]

Columns = Annotated[
    Column | Annotated[list[Column], Field(min_length=1)],
    union_error("a column name (in quotes if it is a number) or a list of names"),
]

LabelColumns = Annotated[
    Column | Annotated[list[Column], Field(min_length=2)],
    union_error("a column name (in quotes if it is a number) or a list of two or more names"),
]

TablePath = Annotated[str, Field(min_length=1, json_schema_extra={"format": "path"})]

Tables = Annotated[
    TablePath | Annotated[tuple[TablePath, ...], Field(min_length=1)],
    union_error("a file, a folder, a pattern such as data/*.csv, a URI, or a list of these"),
]
"""A table: one or more files, folders, patterns or URIs; local paths are absolute."""

ColumnNames = Annotated[
    tuple[Column, ...],
    Field(min_length=1),
    union_error("a list of the names of all columns"),
]

SkippedLines = Annotated[
    Annotated[int, Field(strict=True, ge=0)]
    | tuple[Annotated[int, Field(strict=True, ge=0)], Annotated[int, Field(strict=True, ge=0)]],
    union_error("a number of lines, or two numbers: [above, below]"),
]

Initialization = Annotated[
    Literal["random", "naive_bayes", "glove"] | Path,
    union_error("random, naive_bayes, glove, or a file of word vectors"),
]

Vectors = Annotated[
    Literal["none", "glove", "use", "glove+use", "own"] | Path,
    union_error("none, glove, use, glove+use, own, or a file of word vectors"),
]

ClassWeight = Annotated[
    Literal["none", "balanced"] | dict[str, Annotated[FiniteNumber, Field(gt=0)]],
    union_error("none, balanced, or a mapping of labels to weights above 0"),
]


# The docstrings of sections become descriptions in the published JSON schema.
class Section(BaseModel):
    """A section of the config: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PrecisionRule(Section):
    """The threshold with the highest recall among those that reach a precision."""

    precision: Fraction


class RecallRule(Section):
    """The threshold with the highest precision among those that reach a recall."""

    recall: Fraction


class Costs(Section):
    """Cost of each type of mistake, in any unit."""

    false_positive: Annotated[FiniteNumber, Field(gt=0)]
    false_negative: Annotated[FiniteNumber, Field(gt=0)]


class CostRule(Section):
    """The threshold with the lowest total cost."""

    cost: Costs


ThresholdMetric = Literal["f1", "micro_f1", "youden"]
"""Metrics that the threshold can maximize."""

Threshold = Annotated[
    Fraction | ThresholdMetric | PrecisionRule | RecallRule | CostRule,
    union_error(
        "a number between 0 and 1, f1, micro_f1, youden, {precision: 0.9}, {recall: 0.95} or "
        "{cost: {false_positive: 1, false_negative: 10}}"
    ),
]


class Range(BaseModel):
    """A range of numbers, both ends included."""

    # Deferred, as few commands read ranges: building them for all keys takes 5 ms.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    low: float = Field(description="Lowest value.")
    high: float = Field(description="Highest value.")
    step: float | None = Field(
        None,
        description="Distance between values; null means 1 for whole numbers and any for others.",
    )
    log: bool = Field(False, description="Sample on a logarithmic scale.")

    @model_validator(mode="after")
    def _check_bounds(self) -> Range:
        # "both": the error type whose message is shown as it is.
        if self.low >= self.high:
            raise PydanticCustomError("both", "low must be less than high")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise PydanticCustomError("both", "step must be above 0 and at most high - low")
        if self.log and (self.low <= 0 or self.step is not None):
            raise PydanticCustomError("both", "log: true needs low above 0 and no step")
        return self


_RANGE_KEYS = frozenset(Range.model_fields)

_EXPECTED_LIST = "must be a list of values"

_OR_RANGE = ", or a range: {low: 1, high: 8}, optionally with step: 2 or log: true"


def search_space_model(
    section: type[BaseModel], module: str, *, exclude: Collection[str] = ()
) -> Any:
    """Make the model of the values to try for the keys of a section; each key is optional.

    Listed values and both ends of a range have to satisfy the section's own constraints.

    Args:
        section: A section of the config.
        module: Of the caller, where pickle finds the model by its name.
        exclude: Keys that cannot be searched.
    """
    fields: dict[str, Any] = {
        key: (_choices_type(key, field) | None, Field(None, description=field.description))
        for key, field in section.model_fields.items()
        if key not in exclude
    }
    name = section.__name__.replace("Config", "Space")
    config = ConfigDict(extra="forbid", frozen=True)
    return create_model(
        name,
        __config__=config,
        __module__=module,
        __doc__=f"Values to try in `{name.removesuffix('Space').lower()}`, by key.",
        **fields,
    )


def _choices_type(key: str, field: FieldInfo) -> Any:
    """Return the type of a list of values or, for numbers, of a range as well.

    The input's own type selects the one to validate against, so errors concern the one meant.
    """
    value_type, numeric = _value_type(field), field.annotation in {int, float}
    list_type: Any = Annotated[(GenericAlias(list, value_type), Field(min_length=1))]
    range_type = _range_type(key, value_type) if numeric else Range
    list_adapter = TypeAdapter(list_type, config=ConfigDict(defer_build=True))

    def validate(value: Any, _handler: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, list):
            return list_adapter.validate_python(value)
        if numeric and isinstance(value, dict | Range) and set(dict(value)) <= _RANGE_KEYS:
            return range_type.model_validate(dict(value))
        raise PydanticCustomError("both", _EXPECTED_LIST + (_OR_RANGE if numeric else ""))

    # validate replaces pydantic's own validation; the type is for the JSON schema.
    return Annotated[list_type | range_type if numeric else list_type, WrapValidator(validate)]


def _value_type(field: FieldInfo) -> Any:
    """Return the type of one value, with its constraints."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _range_type(key: str, value_type: Any) -> type[Range]:
    """Make the range of a key, its ends of the key's own type."""
    name = f"{key.title().replace('_', '')}Range"
    ends = {"low": (value_type, ...), "high": (value_type, ...), "step": (value_type | None, None)}
    return create_model(name, __base__=Range, __doc__=Range.__doc__, **ends)  # type: ignore[call-overload,no-any-return]
