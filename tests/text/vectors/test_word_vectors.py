"""Word vectors in text form, and the words they are found for."""

from __future__ import annotations

import gzip
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.system.arrow import text_column
from embedclf.text.vectors.word_vectors import open_vectors_file

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from embedclf.text.vectors.word_matching import WordVectors

LINES = "a 1 2\nb 3 4\nc 5 6\n"


def read(path: Path, *words: str, block_bytes: int = 1 << 20) -> WordVectors:
    return open_vectors_file(path).read(text_column(words), block_bytes=block_bytes)


def written(folder: Path, content: str | bytes, name: str = "v.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=6)
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Words, some perhaps twice, and a vector each."""
    words = draw(st.lists(WORDS, min_size=1, max_size=12))
    width = draw(st.integers(2, 4))
    cells = st.lists(NUMBERS, min_size=width, max_size=width)
    rows = draw(st.lists(cells, min_size=len(words), max_size=len(words)))
    return words, np.array(rows, np.float32)


@given(
    tables(),
    st.lists(WORDS, max_size=4),
    st.integers(1, 40),
    st.sampled_from(["", ".gz"]),
    st.booleans(),
    st.sampled_from(["\n", " \n", "\r\n"]),
    st.booleans(),
)
def test_a_file_in_any_form_and_block_size_is_read_as_by_a_plain_reader(
    table: tuple[list[str], npt.NDArray[np.float32]],
    others: list[str],
    block_bytes: int,
    suffix: str,
    header: bool,
    line_end: str,
    open_ended: bool,
) -> None:
    words, rows = table
    lines = [f"{len(words)} {rows.shape[1]}"] if header else []
    lines += [" ".join([word, *map(str, row)]) for word, row in zip(words, rows, strict=True)]
    content = line_end.join(lines) + ("" if open_ended else line_end)
    packed = gzip.compress if suffix else bytes
    requested = [*dict.fromkeys(word.lower() for word in [*words, *others])]
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), packed(content.encode()), f"v.vec{suffix}")
        vectors = read(path, *requested, block_bytes=block_bytes)
    for word, found, row in zip(requested, vectors.found, vectors.rows, strict=True):
        same = [place for place, other in enumerate(words) if other == word]
        alike = [place for place, other in enumerate(words) if folded(other) == folded(word)]
        place = next(iter(same or alike), None)
        assert found == (place is not None)
        expected = np.zeros_like(row) if place is None else rows[place]
        assert row.tobytes() == (expected + np.float32(0)).tobytes() or (row == expected).all()


def folded(word: str) -> str:
    import unicodedata

    import pyarrow.compute as pc

    return str(pc.utf8_lower(text_column([unicodedata.normalize("NFC", word)]))[0])


def test_numbers_are_rounded_once_to_float32(tmp_path: Path) -> None:
    # Just above the middle of two float32 numbers; rounded to float64 first, it is the middle.
    path = written(tmp_path, f"a 1.00000005960464477540 {'1' + '0' * 30}e-30\nb -.5 1E-3\n")
    rows = read(path, "a", "b").rows
    assert rows[0].tolist() == [np.nextafter(np.float32(1), np.float32(2)), 1.0]
    assert rows[1].tolist() == [-0.5, np.float32(0.001)]


def test_a_word_prefers_the_vector_of_its_own_spelling(tmp_path: Path) -> None:
    path = written(tmp_path, "THE 1 1\nThe 2 2\nUS 3 3\nthe 4 4\nthe 5 5\nUs 6 6\n")
    vectors = read(path, "the", "us", "we")
    assert vectors.rows.tolist() == [[4, 4], [3, 3], [0, 0]]
    assert vectors.found.tolist() == [True, True, False]
    cased = read(path, "The", "US", "us", "tHe")
    assert cased.rows.tolist() == [[2, 2], [3, 3], [3, 3], [1, 1]]


def test_words_are_matched_in_nfc_and_with_plain_apostrophes(tmp_path: Path) -> None:
    path = written(tmp_path, "cafe\u0301 1 1\nDon\u2019t 2 2\n")
    assert read(path, "café", "don't").rows.tolist() == [[1, 1], [2, 2]]


def test_words_with_spaces_match_no_word(tmp_path: Path) -> None:
    path = written(tmp_path, "b 1 2\nat name 5 6\n. . . 7 8\nat 3 4\n")
    vectors = read(path, "at", ".", "name")
    assert vectors.rows.tolist() == [[3, 4], [0, 0], [0, 0]]
    assert vectors.found.tolist() == [True, False, False]


def test_words_that_are_not_utf8_are_ignored_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, b"a 1 2\ncaf\xe9 3 4\n\xff 5 6\nb 7 8\n")
    vectors = read(path, "a", "b", "caf")
    assert vectors.rows.tolist() == [[1, 2], [7, 8], [0, 0]]
    assert vectors.unreadable == 2


def test_a_byte_order_mark_is_not_part_of_a_word(tmp_path: Path) -> None:
    for header in ("", "3 2\n"):
        path = written(tmp_path, "\ufeff" + header + LINES)
        assert read(path, "a", "3").rows.tolist() == [[1, 2], [0, 0]]


def test_empty_lines_are_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, LINES + "\n\n")
    assert read(path, "a", "c").rows.tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize("fault", ["x", "nan", "inf", "1e39", "0x1", "1,5"])
def test_numbers_that_are_not_finite_are_refused_with_their_line(
    tmp_path: Path, fault: str
) -> None:
    path = written(tmp_path, f"3 2\na 1 2\nb {fault} 4\nc 5 6\n")
    for size in (4, 1 << 20):
        with pytest.raises(DataError, match=r"v\.txt:3: not all are finite numbers; fix the line"):
            read(path, "a", "b", block_bytes=size)
    assert read(path, "a", "c").rows.tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize(("line", "count"), [("b 3", 1), ("b", 0), ("b ", 0)])
def test_too_few_numbers_are_refused_with_their_line(tmp_path: Path, line: str, count: int) -> None:
    path = written(tmp_path, f"a 1 2\n{line}\nc 5 6\n")
    for size in (4, 1 << 20):
        with pytest.raises(DataError, match=rf"v\.txt:2: has {count} of 2 numbers; fix the line"):
            read(path, "b", block_bytes=size)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", r"v\.txt: empty; each line must have"),
        (b"\n", r"v\.txt: empty"),
        (b"text,label\nfine,1\n", r"v\.txt:1: not a word vector; .*convert"),
        (b"a\n", r"v\.txt:1: not a word vector"),
        (b"3 2\na \x00\x01\x02\x03 b\x99\n", r"v\.txt:2: not a word and 2 numbers; .* binary"),
        (b"3 0\na 1\n", r"v\.txt:2: not a word and 0 numbers"),
        (b"3 4\na 1 2\n", r"v\.txt:2: not a word and 4 numbers"),
        (b"PK\x03\x04zip", r"v\.txt: damaged or incomplete zip file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        open_vectors_file(written(tmp_path, content))


def test_a_file_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"v\.txt:1: the header says 7 words, but the file has 3; download it"
    ):
        read(written(tmp_path, f"7 2\n{LINES}"), "a")
    packed = gzip.compress(("".join(f"w{n} {n} 0.5\n" for n in range(9999))).encode())
    with pytest.raises(DataError, match=r"v\.gz: damaged or incomplete gzip file"):
        read(written(tmp_path, packed[: len(packed) // 2], "v.gz"), "w1")


@pytest.mark.parametrize("name", ["v.txt", "v.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_compression_is_recognized_by_content(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = written(tmp_path, pack(b"a 1 2\n"), name)
    assert read(path, "a").rows.tolist() == [[1, 2]]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = written(tmp_path, LINES + "d" * (1 << 22))
    with pytest.raises(DataError, match=re.escape(":4: line too long")):
        read(path, "a", block_bytes=1 << 16)


def test_without_words_there_are_no_vectors(tmp_path: Path) -> None:
    vectors = read(written(tmp_path, LINES))
    assert vectors.rows.shape == (0, 2)
