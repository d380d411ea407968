"""What tensors cannot do to texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.errors import RequestError

if TYPE_CHECKING:
    from embedclf.export.exporter import ExportSource
    from embedclf.export.tensors.token_ids import TokenIdGraph
    from embedclf.model.weights import Weights

_JS = "choose --format js"

_MAX_BYTES = 2_000_000_000
"""Of the numbers of a model: one file of ONNX or LiteRT has less than 2 GiB."""


def check_texts(source: ExportSource, way_out: str = _JS) -> None:
    """Refuse a run whose texts tensors cannot split as it does.

    Args:
        source: The run.
        way_out: What to do instead.

    Raises:
        RequestError: Its rules of tokens have something that tensors cannot do.
    """
    tokenizer = source.classifier.tokenizer
    faults = {
        f"text.token_pattern {tokenizer.rules.pattern!r}: a regular expression cannot be applied": (
            tokenizer.rules.is_expression
        ),
    }
    for fault, applies in faults.items():
        if applies:
            raise RequestError(f"{source.run.path}: {fault} in this format; {way_out}")


def check_hashes(source: ExportSource, graph: TokenIdGraph) -> None:
    """Refuse a vocabulary with two tokens of the same hash.

    Raises:
        RequestError: Two tokens differ only in the order of combining marks.
    """
    seen: dict[int, str] = {}
    for token, key in zip(graph.tokenizer.tokens, graph.keys.tolist(), strict=True):
        if key in seen:
            pair = f"{seen[key]!a} and {token!a}"
            fault = f"the tokens {pair} differ only in the order of combining marks"
            raise RequestError(f"{source.run.path}: {fault}; {_JS}")
        seen[key] = token


def check_size(source: ExportSource) -> None:
    """Refuse weights that are too large for one file.

    Raises:
        RequestError: They are.
    """
    size = _count_bytes(source.classifier.weights)
    if size > _MAX_BYTES:
        fault = f"{size / 1e9:.1f} GB of numbers, and a file of this format holds 2"
        raise RequestError(f"{source.run.path}: {fault}; choose --format savedmodel")


def _count_bytes(weights: Weights) -> int:
    tables = [weights.fused] if weights.fused is not None else [weights.trained, weights.kept]
    arrays = [*tables, *(each for layer in weights.dense for each in layer)]
    return sum(each.nbytes for each in arrays if each is not None)
