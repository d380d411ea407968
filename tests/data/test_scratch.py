from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.data.scratch import IdsFile, TextsFile, TokensFile
from embedclf.text.tokenizer import Encoding, Tokenizer
from embedclf.text.tokens import tokenize

if TYPE_CHECKING:
    from pathlib import Path

PARTS = st.lists(st.lists(st.text("ab c", max_size=9), max_size=5), max_size=4)


@pytest.mark.parametrize("unit", ["word", "character"])
@given(parts=PARTS)
def test_tokens_are_read_as_they_were_written(unit: str, parts: list[list[str]]) -> None:
    written = [tokenize(pa.array(texts, pa.string()), unit) for texts in parts]
    with TemporaryFile() as file:
        tokens = TokensFile(file)
        for part in written:
            tokens.append(part)
        for _ in range(2):
            read = [part.to_lists() for part in tokens.parts()]
            assert read == [part.to_lists() for part in written]
        assert tokens.count == sum(len(part.codes) for part in written)


@pytest.mark.parametrize(("rows", "kind"), [(1 << 16, np.uint16), ((1 << 16) + 1, np.int32)])
def test_ids_take_two_bytes_where_the_vocabulary_allows(rows: int, kind: type) -> None:
    ids = np.array([[rows - 1, 0], [2, 1]], np.int32)
    encoding = Encoding(ids, np.array([1, 5], np.int32), np.array([0, 3], np.int32))
    tokenizer = Tokenizer("word", True, 2, tuple(map(str, range(rows - 2))))
    with TemporaryFile() as file:
        written = IdsFile(file, tokenizer)
        written.append(encoding)
        written.append(encoding.take(np.array([False, True])))
        mapped = written.mapped()
    assert isinstance(mapped, np.memmap)
    assert mapped.dtype == kind
    assert mapped.tolist() == [[rows - 1, 0], [2, 1], [2, 1]]
    assert (written.tokens, written.unknown, written.truncated) == (11, 6, 2)


def test_no_text_no_ids() -> None:
    with TemporaryFile() as file:
        assert IdsFile(file, Tokenizer("word", True, 3, ())).mapped().shape == (0, 3)


def test_preparation_leaves_nothing_in_its_folder(project: Path, tmp_path: Path) -> None:
    ready = prepare_dataset(load_config(project / "binary.yaml"), tmp_path)
    assert isinstance(ready.train.ids, np.memmap)
    assert not list(tmp_path.iterdir())


@given(
    parts=st.lists(st.lists(st.text(max_size=9), max_size=5), max_size=4), seed=st.integers(0, 9)
)
def test_texts_are_read_in_any_order(parts: list[list[str]], seed: int) -> None:
    texts = [text for part in parts for text in part]
    order = np.random.default_rng(seed).permutation(len(texts))
    with TemporaryFile() as file:
        held = TextsFile(file)
        for part in parts:
            held.append(pa.array(part, pa.string()))
        read = held.reader()(order)
    assert read.to_pylist() == [texts[number] for number in order]
