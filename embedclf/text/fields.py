"""Tokens of fields: a category is a token, and a number becomes the quarter that it is in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import mask_column, pc, text_column, to_numpy
from embedclf.system.fields import field_name
from embedclf.text.normalization import normalize
from embedclf.text.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from embedclf.system.arrays import Counts, Mask
    from embedclf.text.tokens import TokenCounts

_BINS = 4

_MIN_NUMBERS = 11
"""Distinct numbers of a column that is divided into bins; fewer are categories, as ratings are."""

_MIN_NUMERIC_FRACTION = 0.9
"""Fraction of a numeric column's nonempty cells that are numbers; the others count as empty."""


@dataclass(frozen=True)
class NumericField:
    """A field of numbers, which is divided into bins: `minutes=q1`, `minutes=q2` and so on."""

    name: str
    edges: tuple[float, ...]
    """Ascending: the largest number of each bin but the last."""

    def token(self, cell: str) -> str:
        """Return the token of a cell: of its bin, or without a value if it is no number."""
        bins = [f"q{number}" for number in range(1, len(self.edges) + 2)]
        number = _parse_number(cell)
        if number is not None:
            cell = bins[int(np.searchsorted(self.edges, number))]
        return f"{self.name}={cell if cell in bins else ''}"


def fit_numeric_fields(counts: TokenCounts, fields: Sequence[str]) -> tuple[NumericField, ...]:
    """Find the fields of numbers, and divide each into quarters of the training rows.

    A field is numeric if at least nine of ten nonempty cells are numbers, and more than ten
    numbers are distinct. Where quarters have a border in common, they become one.

    Args:
        counts: Of the tokens of the training rows.
        fields: Columns.
    """
    found = []
    for name in map(field_name, fields):
        is_field = are_fields(counts[0], [name])
        cells = _cells(counts[0].filter(mask_column(is_field)), name)
        if edges := _find_edges(cells, counts[1][is_field]):
            found.append(NumericField(name, edges))
    return tuple(found)


def bin_numbers(tokens: pa.StringArray, fields: Iterable[NumericField]) -> pa.StringArray:
    """Replace the numbers of fields by their bins; all other tokens (n,) stay as they are."""
    for field in fields:
        mask = mask_column(are_fields(tokens, [field.name]))
        binned = [field.token(cell) for cell in _cells(tokens.filter(mask), field.name)]
        tokens = pc.replace_with_mask(tokens, mask, text_column(binned))
    return tokens


def are_fields(tokens: pa.StringArray, fields: Iterable[str]) -> Mask:
    """(n,) whether tokens are those of fields, which are columns."""
    mask = np.zeros(len(tokens), np.bool_)
    for column in fields:
        mask |= to_numpy(pc.starts_with(tokens, pattern=f"{field_name(column)}=")).view(np.bool_)
    return mask


def field_tokens(
    words: Sequence[pa.StringArray], fields: Sequence[str], *, lowercase: bool
) -> list[pa.StringArray]:
    """Normalize the cells of fields as texts are; names and missing fields stay as they are.

    Args:
        words: Of each field (n,), as `split_fields` returns them.
        fields: Columns.
        lowercase: Whether texts are changed to lower case.
    """
    return [
        _normalize_cells(each, f"{field_name(column)}=", lowercase=lowercase)
        for each, column in zip(words, fields, strict=True)
    ]


def prepend_fields(tokens: Tokens, fields: Sequence[pa.StringArray]) -> Tokens:
    """Put a token of each field before those of the texts (n,).

    Args:
        tokens: Of the texts.
        fields: For each field its tokens (n,), "" where a text has none.
    """
    masks = [to_numpy(pc.binary_length(words)) > 0 for words in fields]
    lengths = tokens.lengths + np.sum(masks, axis=0, dtype=np.int64)
    ends = np.cumsum(lengths)
    codes = np.empty(lengths.sum(), np.int32)
    is_text = np.ones(len(codes), np.bool_)
    dictionaries, places = [tokens.dictionary], ends - lengths
    for words, mask in zip(fields, masks, strict=True):
        encoded = words.dictionary_encode()
        first_code = sum(map(len, dictionaries))
        codes[places[mask]] = to_numpy(encoded.indices)[mask] + first_code
        is_text[places[mask]] = False
        places = places + mask  # the next field comes after this one, if there is one
        dictionaries.append(encoded.dictionary)
    codes[is_text] = tokens.codes
    return Tokens(pa.concat_arrays(dictionaries), codes, ends)


def _normalize_cells(words: pa.StringArray, name: str, *, lowercase: bool) -> pa.StringArray:
    encoded = words.dictionary_encode()
    cells = pc.utf8_slice_codeunits(encoded.dictionary, start=len(name))
    prefix, nothing = text_column([name, ""])
    normalized = pc.binary_join_element_wise(prefix, normalize(cells, lowercase=lowercase), nothing)
    is_missing = pc.equal(encoded.dictionary, nothing)
    return pc.if_else(is_missing, nothing, normalized).take(encoded.indices)


def _cells(tokens: pa.StringArray, name: str) -> list[str]:
    """Return what is after the name of a field in its tokens."""
    cells: list[str] = [token[len(name) + 1 :] for token in tokens.to_pylist()]
    return cells


def _find_edges(cells: Sequence[str], counts: Counts) -> tuple[float, ...]:
    """Return the borders between the quarters of numbers; empty if the cells are categories.

    Args:
        cells: (distinct,)
        counts: (distinct,) occurrences of each.
    """
    numbers = [_parse_number(cell) for cell in cells]
    is_number = np.array([number is not None for number in numbers], np.bool_)
    filled = counts[np.array([cell != "" for cell in cells], np.bool_)].sum()
    if counts[is_number].sum() < _MIN_NUMERIC_FRACTION * max(filled, 1):
        return ()
    values = np.array([number for number in numbers if number is not None], np.float64)
    order = np.argsort(values)
    values, totals = values[order], np.cumsum(counts[is_number][order])
    if len(np.unique(values)) < _MIN_NUMBERS:
        return ()
    # The smallest number that a quarter, a half, three quarters of the rows do not exceed.
    quarters = totals[-1] * np.arange(1, _BINS) / _BINS
    edges = values[np.searchsorted(totals, quarters)]
    # The largest number of all would be the border of an empty bin.
    largest_edge = values[values < values[-1]][-1]
    return tuple(np.unique(np.minimum(edges, largest_edge)).tolist())


def _parse_number(cell: str) -> float | None:
    """Return the number that a cell is; `1_000`, `nan` and `inf` are none."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in cell else None
