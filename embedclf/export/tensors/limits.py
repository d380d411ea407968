"""What tensors cannot do to texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.config.token_patterns import TOKEN_PATTERNS
from embedclf.errors import RequestError
from embedclf.export.automata.syntax import UnsupportedExpressionError
from embedclf.export.tensors.expressions import expression_automaton

if TYPE_CHECKING:
    from embedclf.export.exporter import ExportSource
    from embedclf.export.tensors.token_ids import TokenIdGraph
    from embedclf.model.weights import Weights

_JS = "choose --format js"

_MAX_BYTES = 2_000_000_000
"""Of the numbers of a model: one file of ONNX or LiteRT has less than 2 GiB."""


def check_texts(source: ExportSource, way_out: str) -> None:
    """Refuse a run whose texts tensors cannot split as it does.

    Args:
        source: The run.
        way_out: A format that can be chosen instead.

    Raises:
        RequestError: Its token pattern is an expression that no automaton stands for.
    """
    pattern = source.classifier.tokenizer.rules.pattern
    if pattern in TOKEN_PATTERNS:
        return
    try:
        expression_automaton(pattern)
    except UnsupportedExpressionError as error:
        fault = f"text.token_pattern {pattern!r}: this format cannot match it: {error}"
        raise RequestError(
            f"{source.run.path}: {fault}; choose {way_out}, or train with a simpler one"
        ) from error


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
