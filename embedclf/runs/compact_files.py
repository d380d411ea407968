"""The files that only compact runs have: quantized weights, and n-grams as differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.runs.classifier_files import (
    EMBEDDING_FILE,
    KERNELS_FILE,
    NGRAM_KEYS_FILE,
    TOKENIZER_FILE,
    TOKENS_FILE,
    WEIGHTS_FILE,
)
from embedclf.runs.contents.classifier import CompactWeightsFile

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedclf.model.quantized import QuantizedWeights
    from embedclf.model.weights import DenseLayer
    from embedclf.runs.classifier_files import ClassifierFiles
    from embedclf.runs.writer import RunDraft
    from embedclf.text.ngrams import Ngrams
    from embedclf.text.tokenizer import Tokenizer

_MULTIPLE, _KERNEL, _HEAD, _TAIL = "multiple", "kernel", "head", "tail"
"""Names of columns."""

_LEVEL = 19
"""Of Zstandard. It takes seconds for millions of numbers, and is decompressed as fast as others."""


def pack_quantized(weights: QuantizedWeights, level: int = _LEVEL) -> dict[str, bytes]:
    """Return the content of the Arrow files of weights, by name.

    Args:
        weights: Of the classifier.
        level: Of Zstandard; a lower one is faster.
    """
    from embedclf.runs.contents.byte_planes import write_integers
    from embedclf.system.arrow import number_column, write_columns

    kernels = np.concatenate([kernel.ravel() for kernel, _ in weights.dense])
    # Half precision, unless that is too narrow
    halves = kernels.astype(np.float16)
    kept = halves if np.isfinite(halves).all() else kernels.astype(np.float32)
    return {
        EMBEDDING_FILE: write_integers({_MULTIPLE: weights.multiples.ravel()}, level),
        KERNELS_FILE: write_columns({_KERNEL: number_column(kept)}, level),
    }


def write_quantized(draft: RunDraft, weights: QuantizedWeights) -> None:
    """Write the weights of a compact run."""
    for name, content in pack_quantized(weights).items():
        draft.write_bytes(name, content)
    dense = [
        {"inputs": len(kernel), "bias": bias.astype(np.float64).tolist()}
        for kernel, bias in weights.dense
    ]
    values = {"step": weights.step, "columns": len(weights.multiples), "dense": dense}
    draft.write_json(WEIGHTS_FILE, values)


def read_quantized(pooling: str, files: ClassifierFiles) -> QuantizedWeights:
    """Read the weights of a compact run.

    Raises:
        RunError: A file is damaged, or does not fit the others.
    """
    from embedclf.model.quantized import QuantizedWeights
    from embedclf.runs.contents.arrays import read_fractions, read_integers

    values = files.read_json(WEIGHTS_FILE, CompactWeightsFile)
    place = files.directory
    [multiples] = read_integers(files.map(EMBEDDING_FILE), place / EMBEDDING_FILE, _MULTIPLE)
    kernels = read_fractions(files.map(KERNELS_FILE), place / KERNELS_FILE, _KERNEL)
    shapes = [(layer["inputs"], len(layer["bias"])) for layer in values["dense"]]
    # Python's integers do not overflow, whatever the file claims
    if sum(inputs * units for inputs, units in shapes) != len(kernels):
        raise files.damaged(KERNELS_FILE)
    if not len(multiples) or len(multiples) % values["columns"]:
        raise files.damaged(EMBEDDING_FILE)
    dense: list[DenseLayer] = []
    start = 0
    for layer, (inputs, units) in zip(values["dense"], shapes, strict=True):
        kernel = kernels[start : start + inputs * units].astype(np.float32)
        dense.append((kernel.reshape(inputs, units), np.array(layer["bias"], np.float32)))
        start += inputs * units
    columns = multiples.reshape(values["columns"], -1)
    return QuantizedWeights(pooling, columns, values["step"], tuple(dense))


def write_vocabulary(draft: RunDraft, tokenizer: Tokenizer) -> None:
    """Write the tokenizer of a compact run."""
    from embedclf.system.arrow import text_column, write_columns

    ngrams = tokenizer.ngrams
    draft.write_json(TOKENIZER_FILE, tokenizer.to_json() | {"ngrams": {"longest": ngrams.max_n}})
    draft.write_bytes(TOKENS_FILE, write_columns({"token": text_column(tokenizer.tokens)}, _LEVEL))
    if len(ngrams):
        draft.write_bytes(NGRAM_KEYS_FILE, pack_ngrams(ngrams))


def pack_ngrams(ngrams: Ngrams, level: int = _LEVEL) -> bytes:
    """Return the content of the file of n-grams; `level` is as for `pack_quantized`."""
    from embedclf.runs.contents.byte_planes import write_integers

    heads, tails = ngrams.heads, ngrams.tails
    is_first = np.diff(heads, prepend=-1) != 0
    columns = {
        _HEAD: np.diff(heads, prepend=0),
        # Tails increase as long as the head is the same
        _TAIL: np.where(is_first, tails, np.diff(tails, prepend=0)),
    }
    return write_integers(columns, level)


def read_ngram_pairs(files: ClassifierFiles) -> list[npt.NDArray[Any]]:
    """Read the heads and the tails (ngrams,) of n-grams.

    Raises:
        RunError: The file is damaged.
    """
    from embedclf.runs.contents.arrays import read_integers

    place = files.directory / NGRAM_KEYS_FILE
    differences = read_integers(files.map(NGRAM_KEYS_FILE), place, _HEAD, _TAIL)
    head_steps, tail_steps = (each.astype(np.int64) for each in differences)
    heads, sums = np.cumsum(head_steps), np.cumsum(tail_steps)
    is_first = head_steps != 0
    is_first[:1] = True
    firsts = np.flatnonzero(is_first)
    # What the sums have before the first n-gram of a head
    before = np.repeat(sums[firsts] - tail_steps[firsts], np.diff(np.append(firsts, len(sums))))
    pairs = [heads, sums - before]
    if any(len(ids) and (ids.min() < 0 or ids.max() >= 2**31) for ids in pairs):
        raise files.damaged(NGRAM_KEYS_FILE)
    return pairs
