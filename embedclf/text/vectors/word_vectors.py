"""Word vectors in text format (GloVe, word2vec, fastText)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import number_column, pc, text_column, to_numpy
from embedclf.system.terminal import display_path
from embedclf.system.text_files import TextFile
from embedclf.system.threads import parallel_map
from embedclf.text.vectors.word_matching import VectorCollector, WordForms, WordMatches, WordVectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from embedclf.system.arrays import Floats, Offsets, Rows
    from embedclf.system.text_files import Utf8Stream

_BLOCK_BYTES = 1 << 22
"""Bytes searched at once, enough to make the fixed cost of a search negligible."""

_MAX_LINE_BYTES = 1 << 21
"""The 10,000 numbers of the longest vector that a config allows take a tenth of it."""

_LINE_FEED = b"\n"

_BOM = b"\xef\xbb\xbf"

_EXPECTED_FORM = "each line must have a word and its numbers, separated by spaces"


# Not pyarrow.csv, which parses every line: for 10,000 of 400,000 words (50 numbers each, 171 MB) it
# took 1.3 s of CPU time instead of 0.4 s. It also refuses a file for a fault in a line that is not
# needed, and does not name that line. It cannot read lines that end in a space, as fastText writes
# them.
@dataclass(frozen=True)
class VectorsFile:
    """A text file of word vectors, as GloVe, word2vec and fastText write them."""

    path: Path
    name: str
    """Name in messages."""
    embedding_dim: int
    """Length of a vector."""
    expected_words: int | None
    """Number of words in the header of word2vec and fastText; None without one, as in GloVe."""
    start: int
    """Offset of the first vector in bytes."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The file it is read from."""
        return (self.path,)

    def words(self, _unit: str) -> Iterator[pa.StringArray]:
        """Yield its words in chunks, as the file orders them; those that are not UTF-8 are "".

        Raises:
            DataError: The file cannot be read or ends too early.
        """
        with TextFile(str(self.path), self.name).open() as stream:
            for block in self._read_blocks(stream, _BLOCK_BYTES):
                halves = _split_lines(block.content)
                yield _decode(halves.take(_every_other(halves)))[0]

    def read(self, words: pa.StringArray, *, block_bytes: int = _BLOCK_BYTES) -> WordVectors:
        """Read the vectors of some words in memory that does not grow with the file.

        Numbers are parsed only in the lines of requested words. A line with too many fields has a
        word with spaces, as some in GloVe 840B, and matches no word.

        Args:
            words: (words,) all distinct, as a tokenizer returns them.
            block_bytes: Bytes to read at once.

        Raises:
            DataError: The file cannot be read or ends too early, or the line of a requested word is
                malformed: too few numbers, or one that is not finite.
        """
        forms, unreadable = WordForms(words), 0
        collector = VectorCollector(forms, self.embedding_dim)
        with TextFile(str(self.path), self.name).open() as stream:
            blocks = self._read_blocks(stream, block_bytes)
            for found in parallel_map(lambda block: self._search(block, forms), blocks):
                collector.add(found.matches, found.rows)
                unreadable += found.unreadable
        return collector.vectors(unreadable)

    def _read_blocks(self, stream: Utf8Stream, block_bytes: int) -> Iterator[_Block]:
        """Read the lines of vectors; check their number against the header at the end."""
        stream.read(self.start)  # past the byte-order mark and the header
        first = line = 1 if self.expected_words is None else 2
        rest = b""
        while chunk := stream.read(block_bytes):
            content = rest + chunk
            end = content.rfind(_LINE_FEED) + 1
            rest = content[end:]
            if len(rest) > _MAX_LINE_BYTES:
                raise DataError(f"{self.name}:{line}: line too long; {_EXPECTED_FORM}")
            if end:
                yield _Block(line, content[:end])
                line += content.count(_LINE_FEED, 0, end)
        if rest:
            yield _Block(line, rest + _LINE_FEED)
            line += 1
        if self.expected_words is not None and line - first < self.expected_words:
            raise DataError(
                f"{self.name}:1: the header says {self.expected_words:,} words, but the file has "
                f"{line - first:,}; download it again, or fix the header"
            )

    def _search(self, block: _Block, forms: WordForms) -> _BlockVectors:
        halves = _split_lines(block.content)
        words, unreadable = _decode(halves.take(_every_other(halves)))
        matches = forms.match(words)
        hits = matches.hits
        numbers = halves.take(number_column(2 * hits + 1))
        kept, rows = self._parse(numbers, block.line + hits)
        return _BlockVectors(matches.take(hits[kept]), rows, unreadable)

    def _parse(self, numbers: pa.StringArray, lines: Rows) -> tuple[Rows, Floats]:
        """Parse the numbers of some lines.

        Args:
            numbers: (n,) the rest of each line, after the word.
            lines: (n,) line numbers.

        Returns:
            (kept,) positions of the lines that hold a vector, and those vectors (kept,
            embedding_dim).
        """
        trimmed = pc.ascii_trim_whitespace(numbers)
        fields = pc.ascii_split_whitespace(trimmed)
        counts = np.diff(to_numpy(fields.offsets))
        counts[to_numpy(pc.binary_length(trimmed)) == 0] = 0  # "" splits into one empty field
        short = np.flatnonzero(counts < self.embedding_dim)
        if len(short):
            line, count = lines[short[0]], counts[short[0]]
            raise self._line_fault(line, f"has {count} of {self.embedding_dim} numbers")
        kept = np.flatnonzero(counts == self.embedding_dim)
        vectors = fields.take(number_column(kept))
        rows = _to_finite(vectors)
        if rows is None:
            # Some number is not finite; find its line.
            wrong = next(at for at in range(len(kept)) if _to_finite(vectors[at : at + 1]) is None)
            raise self._line_fault(lines[kept[wrong]], "not all are finite numbers")
        return kept, rows.reshape(-1, self.embedding_dim)

    def _line_fault(self, line: int, fault: str) -> DataError:
        return DataError(f"{self.name}:{line}: {fault}; fix the line, or remove it")


def open_vectors_file(path: Path) -> VectorsFile:
    """Read the beginning of a file of word vectors.

    A first line of two integers is a header. Without one, the number of fields after the first
    word is the length of a vector.

    Raises:
        DataError: The file cannot be read, is empty, or contains no word vectors in text format.
    """
    name = str(display_path(path))
    with TextFile(str(path), name).open() as stream:
        head = stream.read(_MAX_LINE_BYTES)
    first, feed, rest = head.removeprefix(_BOM).partition(_LINE_FEED)
    bom_bytes = len(head) - len(head.removeprefix(_BOM))
    fields = first.split()
    if len(fields) == 2 and all(map(bytes.isdigit, fields)):
        expected_words, dim = map(int, fields)
        second = rest.partition(_LINE_FEED)[0].split()
        # The last `dim` fields, because a word can contain spaces.
        if second and (dim < 1 or len(second) <= dim or not _are_finite(second[-dim:])):
            raise _not_vectors(f"{name}:2: not a word and {dim} numbers")
        return VectorsFile(path, name, dim, expected_words, bom_bytes + len(first + feed))
    if len(fields) < 2 or not _are_finite(fields[1:]):
        raise _not_vectors(f"{name}:1: not a word vector" if fields else f"{name}: empty")
    return VectorsFile(path, name, len(fields) - 1, None, bom_bytes)


class _Block(NamedTuple):
    """Whole lines of a file."""

    line: int
    """Number of the first line, from 1."""
    content: bytes


class _BlockVectors(NamedTuple):
    """The requested words found in a block, and their vectors."""

    matches: WordMatches
    rows: Floats
    unreadable: int


def _not_vectors(fault: str) -> DataError:
    return DataError(f"{fault}; {_EXPECTED_FORM} (convert binary files to text first)")


def _are_finite(fields: list[bytes]) -> bool:
    try:
        return all(map(np.isfinite, map(float, fields)))
    except ValueError:
        return False


def _split_lines(content: bytes) -> pa.StringArray:
    """Slice whole lines into the word and the numbers of each, in turn (2 * lines,)."""
    ends = np.flatnonzero(np.frombuffer(content, np.uint8) == _LINE_FEED[0]) + 1
    edges = np.concatenate([[0], ends])  # (lines + 1,)
    spaces = to_numpy(pc.find_substring(_slice(content, edges), pattern=" "))
    word_ends = np.where(spaces < 0, ends - 1, edges[:-1] + spaces)  # (lines,)
    # One slicing instead of two
    alternating = np.stack([edges[:-1], word_ends], axis=1).reshape(-1)
    return _slice(content, np.append(alternating, edges[-1]))


def _every_other(halves: pa.StringArray) -> pa.Array:
    """Return the positions of the words among alternating words and numbers."""
    return number_column(np.arange(0, len(halves), 2))


def _slice(content: bytes, edges: Offsets) -> pa.StringArray:
    """Slice bytes at edges (n + 1,), uncopied; the strings are not checked to be UTF-8."""
    buffers = [None, pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.string(), len(edges) - 1, buffers)


def _decode(words: pa.StringArray) -> tuple[pa.StringArray, int]:
    """Replace words that are not UTF-8 by "", and count them."""
    try:
        words.validate(full=True)
    except pa.ArrowInvalid:
        # Word by word is slow, so only for blocks that hold such a word.
        decoded = [_decode_word(word) for word in words.view(pa.binary()).to_pylist()]
        return text_column(decoded), decoded.count(None)
    return words, 0


def _decode_word(word: bytes) -> str | None:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return None


def _to_finite(fields: pa.ListArray) -> Floats | None:
    """Parse all fields, rounded once to float32; None if one is not a finite number."""
    try:
        numbers: Floats = to_numpy(fields.flatten().cast(pa.float32()))
    except pa.ArrowInvalid:
        return None
    # Arrow parses `nan` and `inf`.
    return numbers if np.isfinite(numbers).all() else None
