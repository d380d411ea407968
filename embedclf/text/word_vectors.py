"""Word vectors in text form (GloVe, word2vec, fastText)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import DataError
from embedclf.system.arrow import number_column, numbers_of, text_column
from embedclf.system.terminal import near
from embedclf.system.text_files import TextFile
from embedclf.system.threads import in_order
from embedclf.text.word_matching import VectorCollector, WordForms, WordMatches, WordVectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from embedclf.system.arrays import Floats, Offsets
    from embedclf.system.text_files import Utf8Stream


BLOCK_BYTES = 1 << 22
"""Bytes that are searched at once: what a search costs beside its bytes is little then."""

_LONGEST_LINE = 1 << 21
"""Bytes; 10,000 numbers, the most that an embedding has in a row, take a tenth of them."""

_LINE_FEED = b"\n"

_MARK = b"\xef\xbb\xbf"

_FORM = "word vectors in text form are a word a line, then its numbers, parted by blanks"

_FOREIGN = {
    b"PK\x03\x04": "a zip archive; unpack it",
    b"\x1f\x8b": "packed by gzip; let its name end in .gz",
}


class _Block(NamedTuple):
    """Whole lines."""

    line: int
    """The number of the first, from 1."""
    content: bytes


class _Found(NamedTuple):
    """What a block holds of the words wanted."""

    matches: WordMatches
    rows: Floats
    unreadable: int


@dataclass(frozen=True)
class VectorsFile:
    """A file of word vectors, as GloVe, word2vec and fastText write them as text."""

    path: Path
    name: str
    """What it is called in messages."""
    embedding_dim: int
    """Numbers of a vector."""
    promised: int | None
    """Words that the header of word2vec and fastText promises; None without one, as in GloVe."""
    begin: int
    """Bytes before the first vector."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What it is read from."""
        return (self.path,)

    def read(self, words: pa.StringArray, *, block_bytes: int = BLOCK_BYTES) -> WordVectors:
        """Read the vectors of words; memory does not grow with the file.

        Only the numbers behind a word that is wanted are parsed; other lines are not looked at but
        for their word. A line of more numbers than a vector has holds a word with a blank in it,
        as some of GloVe 840B do: none of those wanted.

        Args:
            words: (words,) each there once, as a tokenizer gives them.
            block_bytes: Bytes that are read at once.

        Raises:
            DataError: The file cannot be read or ends too early, or the line of a word wanted has
                too few numbers, or something else than finite numbers.
        """
        spellings, unreadable = WordForms(words), 0
        gathered = VectorCollector(spellings, self.embedding_dim)
        with TextFile(self.path, self.name).open() as stream:
            blocks = self._blocks(stream, block_bytes)
            for found in in_order(lambda block: self._search(block, spellings), blocks):
                gathered.add(found.matches, found.rows)
                unreadable += found.unreadable
        return gathered.vectors(unreadable)

    def _blocks(self, stream: Utf8Stream, size: int) -> Iterator[_Block]:
        """The lines of vectors, some at a time."""
        stream.read(self.begin)
        first = line = 1 if self.promised is None else 2
        left = b""
        while chunk := stream.read(size):
            read = left + chunk
            end = read.rfind(_LINE_FEED) + 1
            left = read[end:]
            if len(left) > _LONGEST_LINE:
                raise DataError(f"{self.name}:{line}: a line without an end; {_FORM}")
            if end:
                yield _Block(line, read[:end])
                line += read.count(_LINE_FEED, 0, end)
        if left:
            yield _Block(line, left + _LINE_FEED)
            line += 1
        if self.promised is not None and line - first < self.promised:
            raise DataError(
                f"{self.name}:1: promises {self.promised:,} words, and there are "
                f"{line - first:,}; fetch the file again, or mend its first line"
            )

    def _search(self, block: _Block, spellings: WordForms) -> _Found:
        """Find the vectors of the words wanted."""
        ends = np.flatnonzero(np.frombuffer(block.content, np.uint8) == _LINE_FEED[0]) + 1
        edges = np.concatenate([[0], ends])  # (lines + 1,)
        blanks = numbers_of(pc.find_substring(_cut(block.content, edges), pattern=" "))
        between = np.where(blanks < 0, ends - 1, edges[:-1] + blanks)  # (lines,)
        alternating = np.stack([edges[:-1], between], axis=1).reshape(-1)
        halves = _cut(block.content, np.append(alternating, edges[-1]))  # word, numbers, word, …
        places = 2 * np.arange(len(ends))
        words, unreadable = _decoded(halves.take(number_column(places)))
        matches = spellings.match(words)
        hits = matches.hits
        kept, rows = self._parse(halves.take(number_column(places[hits] + 1)), block.line + hits)
        return _Found(matches.take(hits[kept]), rows, unreadable)

    def _parse(self, numbers: pa.StringArray, lines: Offsets) -> tuple[Offsets, Floats]:
        """Parse numbers as they stand in lines (n,).

        Returns:
            Which of them are a vector, and those vectors (…, embedding_dim).
        """
        trimmed = pc.ascii_trim_whitespace(numbers)
        fields = pc.ascii_split_whitespace(trimmed)
        counts = np.diff(numbers_of(fields.offsets))
        counts[numbers_of(pc.binary_length(trimmed)) == 0] = 0
        short = np.flatnonzero(counts < self.embedding_dim)
        if len(short):
            line, count = lines[short[0]], counts[short[0]]
            raise self._broken(line, f"{count} of {self.embedding_dim} numbers")
        kept = np.flatnonzero(counts == self.embedding_dim)
        fitting = fields.take(number_column(kept))
        rows = _finite(fitting)
        if rows is None:
            wrong = next(at for at in range(len(kept)) if _finite(fitting[at : at + 1]) is None)
            raise self._broken(lines[kept[wrong]], "not all are finite numbers")
        return kept, rows.reshape(-1, self.embedding_dim)

    def _broken(self, line: int, fault: str) -> DataError:
        return DataError(f"{self.name}:{line}: {fault}; mend the line, or take it out")


def open_vectors(path: Path) -> VectorsFile:
    """Look at the beginning of a file of word vectors.

    A first line of two whole numbers is a header; without one, the first word tells how many
    numbers a vector has.

    Raises:
        DataError: It cannot be read, is empty, or holds no word vectors in text form.
    """
    name = str(near(path))
    with TextFile(path, name).open() as stream:
        head = stream.read(_LONGEST_LINE)
    for opening, told in _FOREIGN.items():
        if head.startswith(opening):
            raise DataError(f"{name}: {told}")
    first, feed, rest = head.removeprefix(_MARK).partition(_LINE_FEED)
    mark = len(head) - len(head.removeprefix(_MARK))
    fields = first.split()
    if len(fields) == 2 and all(map(bytes.isdigit, fields)):
        promised, dim = map(int, fields)
        second = rest.partition(_LINE_FEED)[0].split()
        if second and (dim < 1 or len(second) <= dim or not _are_numbers(second[-dim:])):
            raise _foreign(f"{name}:2: not a word and {dim} numbers")
        return VectorsFile(path, name, dim, promised, mark + len(first + feed))
    if len(fields) < 2 or not _are_numbers(fields[1:]):
        raise _foreign(f"{name}:1: not a word and its numbers" if fields else f"{name}: empty")
    return VectorsFile(path, name, len(fields) - 1, None, mark)


def _foreign(fault: str) -> DataError:
    return DataError(f"{fault}; {_FORM}, and binary files have to be converted to that first")


def _are_numbers(fields: list[bytes]) -> bool:
    try:
        return all(map(np.isfinite, map(float, fields)))
    except ValueError:
        return False


def _cut(content: bytes, edges: Offsets) -> pa.StringArray:
    """Cut bytes at edges (n + 1,), without a copy; whether they are UTF-8 is not looked at."""
    buffers = [None, pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.string(), len(edges) - 1, buffers)


def _decoded(words: pa.StringArray) -> tuple[pa.StringArray, int]:
    """Words as texts, those that are not UTF-8 as empty ones, and how many these are."""
    try:
        words.validate(full=True)
    except pa.ArrowInvalid:
        read = [_text(word) for word in words.view(pa.binary()).to_pylist()]
        return text_column(read), read.count(None)
    return words, 0


def _text(word: bytes) -> str | None:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return None


def _finite(fields: pa.ListArray) -> Floats | None:
    """The numbers of all fields, each the nearest that 4 bytes hold; None where one is none."""
    try:
        numbers: Floats = numbers_of(fields.flatten().cast(pa.float32()))
    except pa.ArrowInvalid:
        return None
    return numbers if np.isfinite(numbers).all() else None
