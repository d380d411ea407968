"""The files of compact runs keep what is written, and are believed in nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.errors import RunError
from embedclf.model.quantized import QuantizedWeights
from embedclf.runs.classifier_files import NGRAM_KEYS_FILE, ClassifierFiles, read_tokenizer
from embedclf.runs.compact_files import read_quantized, write_quantized, write_vocabulary
from embedclf.runs.contents.byte_planes import write_integers
from embedclf.runs.writer import RunDraft
from tests.text.test_ngrams import fit
from tests.text.test_tokenizer import ANY_TEXT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compact")


def empty(folder: Path) -> Path:
    for file in folder.iterdir():
        file.unlink()
    return folder


@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=9), max_n=st.integers(1, 3))
def test_a_tokenizer_survives_its_compact_files(folder: Path, texts: list[str], max_n: int) -> None:
    tokenizer = fit(texts, unit="character", ngrams=max_n)
    write_vocabulary(RunDraft(empty(folder)), tokenizer)
    files = ClassifierFiles.of(folder)
    assert (NGRAM_KEYS_FILE in files.names) == (len(tokenizer.ngrams) > 0)
    assert read_tokenizer(files) == tokenizer


@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 4),
    units=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    level=st.sampled_from([7, 127, 32767]),
    seed=st.integers(0, 99),
)
def test_weights_survive_their_compact_files(
    folder: Path, rows: int, columns: int, units: list[int], level: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    sizes = [columns, *units]
    dense = tuple(
        # Half precision, as files have them
        (random.normal(size=shape).astype(np.float16).astype(np.float32), np.ones(shape[1], "f4"))
        for shape in pairwise(sizes)
    )
    multiples = random.integers(-level, level + 1, (columns, rows)).astype(np.int16)
    written = QuantizedWeights("average", multiples, 0.125, dense)
    write_quantized(RunDraft(empty(folder)), written)
    read = read_quantized("average", ClassifierFiles.of(folder))
    assert np.array_equal(read.multiples, multiples)
    assert read.step == written.step
    for before, after in zip(written.dense, read.dense, strict=True):
        assert all(map(np.array_equal, before, after))
    assert np.array_equal(read.restore().trained, multiples.T * np.float32(0.125))


@pytest.mark.parametrize(
    ("heads", "tails"),
    [
        ([-1], [2]),  # before the first id
        ([2, 2**31 - 1], [2, 2]),
        ([2], [9]),  # no such token
        ([4], [2]),  # an n-gram that begins with itself
        ([5, -1], [2, 2]),  # or with a later one
    ],
)
def test_ngrams_consist_of_earlier_ones(folder: Path, heads: list[int], tails: list[int]) -> None:
    write_vocabulary(RunDraft(empty(folder)), fit(["a b a b"]))
    columns = {"head": np.array(heads), "tail": np.array(tails)}
    (folder / NGRAM_KEYS_FILE).write_bytes(write_integers(columns, 3))
    with pytest.raises(RunError, match="damaged"):
        read_tokenizer(ClassifierFiles.of(folder))
