from __future__ import annotations

from contextlib import ExitStack
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
from embedclf.text.encodings import Encoding, TokenIds
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

CHUNKS = st.lists(st.lists(st.text("ab c", max_size=9), max_size=5), max_size=4)


@pytest.mark.parametrize("unit", ["word", "character"])
@given(chunks=CHUNKS)
def test_tokens_are_read_as_they_were_written(unit: str, chunks: list[list[str]]) -> None:
    written = [TokenRules(unit).tokenize(pa.array(texts, pa.string())) for texts in chunks]
    with TemporaryFile() as file:
        tokens = TokensFile(file)
        for chunk in written:
            tokens.append(chunk)
        for _ in range(2):
            read = [chunk.to_lists() for chunk in tokens.chunks()]
            assert read == [chunk.to_lists() for chunk in written]
        assert tokens.count == sum(len(chunk.codes) for chunk in written)


@pytest.mark.parametrize(("rows", "dtype"), [(1 << 16, np.uint16), ((1 << 16) + 1, np.int32)])
def test_ids_take_two_bytes_where_the_vocabulary_allows(rows: int, dtype: type) -> None:
    ids = TokenIds(np.array([rows - 1, 2, 1], np.int32), np.array([1, 3]))
    encoding = Encoding(ids, np.array([1, 5], np.int32), np.array([0, 3], np.int32))
    tokenizer = Tokenizer(TokenRules(), 2, tuple(map(str, range(rows - 2))))
    with ExitStack() as stack:
        written = IdsFile(lambda: stack.enter_context(TemporaryFile()), tokenizer)
        written.append(encoding)
        written.append(encoding.filter(np.array([False, True])))
        read = written.memory_map()
    assert read.values.dtype == dtype
    assert [text.tolist() for text in read] == [[rows - 1], [2, 1], [2, 1]]
    assert (written.tokens, written.unknown, written.truncated) == (11, 6, 2)


def test_without_texts_there_are_no_ids() -> None:
    with ExitStack() as stack:
        file = IdsFile(lambda: stack.enter_context(TemporaryFile()), Tokenizer(TokenRules(), 3, ()))
        assert [*file.memory_map()] == []


def test_preparing_a_dataset_leaves_no_files(project: Path, tmp_path: Path) -> None:
    prepare_dataset(load_config(project / "binary.yaml"), tmp_path)
    assert not list(tmp_path.iterdir())


@given(
    chunks=st.lists(st.lists(st.text(max_size=9), max_size=5), max_size=4), seed=st.integers(0, 9)
)
def test_texts_are_read_in_any_order(chunks: list[list[str]], seed: int) -> None:
    texts = [text for chunk in chunks for text in chunk]
    order = np.random.default_rng(seed).permutation(len(texts))
    with TemporaryFile() as file:
        file_of_texts = TextsFile(file)
        for chunk in chunks:
            file_of_texts.append(pa.array(chunk, pa.string()))
        read = file_of_texts.reader()(order)
    assert read.to_pylist() == [texts[number] for number in order]
