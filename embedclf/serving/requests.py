"""Requests: bodies, decoded and checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from starlette.requests import Request

    from embedclf.serving.settings import Limits

LATE = "is_late"
"""Key of a request's state: its body did not come in time."""

RequestT = TypeVar("RequestT")

Count = Annotated[int, msgspec.Meta(ge=0)]

Record = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
"""An object that keeps its text."""


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What to predict: one of `text`, `texts` and `records`."""

    text: str | msgspec.UnsetType = msgspec.UNSET
    """One text."""
    texts: list[str] | msgspec.UnsetType = msgspec.UNSET
    records: list[Record] | msgspec.UnsetType = msgspec.UNSET
    """Objects with the columns of the run, and any others."""
    run: str | None = None
    """Name of the run; None is the first one."""
    top_k: Count = 0
    """How many of the most probable labels to add."""
    explain: bool = False
    """Whether to add the contribution of each token."""


class InferInput(msgspec.Struct, frozen=True):
    """An input tensor of the Open Inference Protocol."""

    name: str
    shape: list[Count]
    datatype: str
    data: list[Any]


class InferOutput(msgspec.Struct, frozen=True):
    """An output tensor that is asked for."""

    name: str


class InferRequest(msgspec.Struct, frozen=True):
    """What to predict, in the Open Inference Protocol; the input is `text`."""

    inputs: list[InferInput]
    id: str | None = None
    outputs: list[InferOutput] | None = None
    """None asks for all."""


class RefusedRequest(Exception):  # noqa: N818 - the answer is not an error of the program
    """A request that is answered with a status of 400 or more."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.field = field


_PLACE = re.compile(r"^(?P<fault>.*) - at `\$\.?(?P<field>.*)`$", re.DOTALL)

_NAMED = re.compile(r"(?:missing required|unknown) field `(.*)`", re.DOTALL)


def decode(body: bytes, decoder: msgspec.json.Decoder[RequestT]) -> RequestT:
    """Decode a body.

    Raises:
        RefusedRequest: 400 if it is not JSON, 422 with the field if a value is wrong.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        fault, field = _locate(str(error))
        raise RefusedRequest(422, fault, field) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise RefusedRequest(400, f"the body is not valid JSON: {error}") from error


def _locate(message: str) -> tuple[str, str | None]:
    """Split a message into the fault and the field it is in."""
    place = _PLACE.match(message)
    fault, field = (place["fault"], place["field"]) if place else (message, "")
    if named := _NAMED.search(fault):
        field = f"{field}.{named[1]}" if field else named[1]
    return fault, field or None


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read a body, and stop as soon as it is too large, or the connection finds it late.

    Raises:
        RefusedRequest: 413 if it is too large, 408 if it takes too long, 400 if it is not complete.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.max_body:
        raise _too_large(limits)
    chunks, size, is_complete = [], 0, False
    while not is_complete:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RefusedRequest(400, "the body is not complete")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limits.max_body:  # without a length, or with a wrong one
            raise _too_large(limits)
        is_complete = not message.get("more_body", False)
        if not is_complete and request.scope["state"].get(LATE):
            raise RefusedRequest(408, f"the request took longer than {limits.timeout:g} s")
    return b"".join(chunks)


def check_rows(count: int, limits: Limits, field: str) -> None:
    """Check that a request has few enough rows; raises RefusedRequest with status 413."""
    if count > limits.max_rows:
        raise RefusedRequest(
            413, f"{count:,} rows in one request; send at most {limits.max_rows:,}", field
        )


def _too_large(limits: Limits) -> RefusedRequest:
    return RefusedRequest(
        413, f"the body is larger than {limits.max_body:,} bytes; send fewer texts at once"
    )
