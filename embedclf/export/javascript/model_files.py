"""A classifier as `model.json` and `model.bin`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.config.token_patterns import CLASSIC, WORDS, WORDS_AND_SYMBOLS
from embedclf.export.javascript import characters
from embedclf.export.javascript.expressions import translate
from embedclf.export.javascript.markup import describe_markup
from embedclf.system.fields import WHITE_SPACE, field_name
from embedclf.text.normalization import EMOJI, INVISIBLE, INVISIBLE_SPACE, JOINERS
from embedclf.text.symbols import LONE
from embedclf.text.tokens import MATCH_SPACE

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from embedclf.model.weights import Weights
    from embedclf.text.tokenizer import Tokenizer

JSON_FILE, BINARY_FILE = "model.json", "model.bin"

_TYPES = {"float32": "<f4", "int32": "<i4"}


class _Tensors:
    """Arrays, one after the other in a file."""

    def __init__(self) -> None:
        self.content: list[bytes] = []
        self._size = 0

    def add(self, **arrays: npt.NDArray[Any]) -> dict[str, Any]:
        """Add arrays of float32 or int32, and return where each is."""
        places = {}
        for name, array in arrays.items():
            place = {"type": array.dtype.name, "shape": array.shape, "offset": self._size}
            places[name] = place
            self.content.append(np.ascontiguousarray(array, _TYPES[array.dtype.name]).tobytes())
            self._size += array.nbytes
        return places


def write_model(
    folder: Path, description: dict[str, Any], tokenizer: Tokenizer, weights: Weights
) -> None:
    """Write the files.

    Args:
        folder: Where to write.
        description: Of the classifier, as `describe` returns it.
        tokenizer: Of the classifier.
        weights: Of the classifier.
    """
    tensors = _Tensors()
    calibration = description["calibration"]
    model = {
        "task": description["task"],
        "labels": description["labels"],
        "thresholds": description["thresholds"],
        "calibration": calibration and [[curve["said"], curve["true"]] for curve in calibration],
        "columns": description["columns"],
        "text": _describe_text(tokenizer),
        "tokens": tokenizer.tokens,
        "ngrams": tensors.add(heads=tokenizer.ngrams.heads, tails=tokenizer.ngrams.tails),
        "network": _describe_network(weights, tensors),
    }
    text = json.dumps(model, ensure_ascii=False, separators=(",", ":"))
    (folder / JSON_FILE).write_text(text, encoding="utf-8", newline="\n")
    (folder / BINARY_FILE).write_bytes(b"".join(tensors.content))


def _describe_network(weights: Weights, tensors: _Tensors) -> dict[str, Any]:
    """Describe the network, and add its weights: the fused table if there is one."""
    arrays: dict[str, Any] = {}
    if weights.fused is None:
        arrays["table"] = weights.trained
        arrays |= {} if weights.kept is None else {"kept": weights.kept}
    else:
        arrays["table"] = weights.fused
    for number, (kernel, bias) in enumerate(weights.dense):
        if number or weights.fused is None:
            arrays[f"kernel_{number}"] = kernel
        arrays[f"bias_{number}"] = bias
    layers = [len(bias) for _, bias in weights.dense]
    return {"pooling": weights.pooling, "layers": layers, "tensors": tensors.add(**arrays)}


def _describe_text(tokenizer: Tokenizer) -> dict[str, Any]:
    """Describe how a text becomes tokens and ids; tables that it does not need are empty."""
    rules, numeric = tokenizer.rules, tokenizer.numeric_fields
    has_classes = not rules.is_expression
    is_by_character = rules.unit == "character"
    return {
        "unit": rules.unit,
        "lowercase": rules.lowercase,
        "token_pattern": rules.pattern,
        "sequence_length": tokenizer.sequence_length,
        "vector_words": tokenizer.vector_words,
        "max_n": tokenizer.ngrams.max_n,
        "fields": [(column, field_name(column)) for column in rules.fields],
        "numeric_fields": {field.name: field.edges for field in numeric},
        "expressions": _expressions(rules.pattern),
        "space": translate(f"[{WHITE_SPACE}]")[1:-1],
        "lone": LONE if rules.pattern == WORDS_AND_SYMBOLS else "",
        "classes": characters.encode_classes(emoji=rules.pattern != CLASSIC) if has_classes else [],
        "spaces": characters.encode_spaces() if is_by_character else [],
        "emoji_parts": _emoji_parts(rules.pattern) if is_by_character else [],
        "lower_case": characters.encode_lower_case() if rules.lowercase else [],
        "digits": characters.encode_digits() if numeric else [],
        "markup": describe_markup() if rules.html else None,
    }


def _emoji_parts(pattern: str) -> list[int]:
    return [] if pattern == CLASSIC else characters.encode_emoji_parts()


def _expressions(pattern: str) -> dict[str, str]:
    """Return the expressions that texts are normalized and split with."""
    if pattern == CLASSIC:
        return {}
    expressions = {
        "invisible": translate(INVISIBLE),
        "blank": translate(INVISIBLE_SPACE),
        "joiners": f"({translate(EMOJI)})|{translate(f'[{JOINERS}]+')}",
    }
    if pattern in {WORDS, WORDS_AND_SYMBOLS}:
        return expressions | {"emoji": translate(EMOJI)}
    return expressions | {"token": translate(pattern), "space": translate(MATCH_SPACE)}
