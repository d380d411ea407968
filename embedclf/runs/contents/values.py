"""Types of plain values, and the check that values have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from embedclf.errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Above, JSON numbers are not exact everywhere."""

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53)]

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

Paths = str | Annotated[list[str], msgspec.Meta(min_length=1)]
"""A table: one file, or several."""


def convert(values: Any, kind: type[T], file: Path | str) -> T:
    """Check plain values, and return them as a type.

    Args:
        values: What a file of a run contains.
        kind: A `TypedDict`, a dataclass, or a container of these. Unknown keys are left out.
        file: For the error.

    Raises:
        RunError: They are not of the type.
    """
    try:
        return msgspec.convert(values, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RunError(f"{file}: damaged: {_describe(error)}; restore it or train again") from error


def damaged(file: Path | str) -> RunError:
    """Return the error for a file that holds something else than embedclf writes there."""
    return RunError(f"{file}: damaged, or not written by embedclf; restore it or train again")


def _describe(error: Exception) -> str:
    """Describe an error of msgspec: ``Object missing required field `x` - at `$.a` ``."""
    fault, _, place = str(error).partition(" - at `$")
    fault = fault.removeprefix("Object ")
    where = place.strip("`.")
    return f"{fault[0].lower()}{fault[1:]}" + (f" in {where}" if where else "")
