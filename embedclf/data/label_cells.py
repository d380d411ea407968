"""Label cells: lists of labels as tables hold them, and cells that mean that there is no label."""

from __future__ import annotations

import ast
import itertools
import json
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import DataError
from embedclf.system.arrow import pc, text_column, to_numpy
from embedclf.system.terminal import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from embedclf.config.data_section import DataConfig
    from embedclf.system.arrays import Mask

FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
"""Cells of a column of 0 and 1, in lower case; pandas writes 1.0 where some rows are empty."""

# The first that no label contains wins; the unit separator is made for this purpose.
_SEPARATORS = ("|", ";", ",", "/", "\t", "\x1f")

# Python separates the items of a list by commas, NumPy by white space.
_ITEM = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"\[\]()]+)(?:\s*,|\s+|\s*$)""")

# What both write without quotes. Other words without quotes are no list: `[sic]` is a label.
_BARE_ITEM = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|None|nan|True|False")

_NO_LABEL = ("None", "nan")

# NumPy writes 1.0 as `1.`.
_LIST_FLAGS = FLAGS | {"0.": False, "1.": True}

# Numbers stay as they are written. pandas writes NaN where there is no value.
_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda _name: None)

_SURROGATE = re.compile("[\ud800-\udfff]")

_CONTAINERS = (dict, list, tuple, set)

_MIN_FLAGS = 3
"""Items from which a list of nothing but 0 and 1 is a row of flags: labels do not recur."""

_MAX_CELL_LENGTH = 60
"""Characters of a cell in a message."""


class LabelCellError(DataError):
    """A cell of a label column is neither a label nor a list of labels."""

    def __init__(self, cell: int, fault: str) -> None:
        super().__init__(fault)
        self.cell = cell
        """Its index among the distinct cells."""


@dataclass(frozen=True)
class LabelCells:
    """Reads the cells of a label column."""

    separator: str | None
    """Between several labels in a cell."""
    missing: frozenset[str]
    """Labels that mean that there is no label."""

    @classmethod
    def from_config(cls, config: DataConfig) -> LabelCells:
        """Take the settings from the section `data` of a config."""
        return cls(config.label_separator, frozenset(map(str.strip, config.missing_labels)))

    def are_labeled(self, cells: pa.StringArray) -> Mask:
        """(distinct,) True for the cells with a label, or with something that `read` refuses."""
        unlabeled = text_column([""])[0]
        trimmed = pc.utf8_trim_whitespace(
            # A cell with only separators and white space has no label.
            cells if self.separator is None else pc.replace_substring(cells, self.separator, "")
        )
        labeled: Mask = to_numpy(pc.not_equal(trimmed, unlabeled)).view(np.bool_).copy()
        for index, labels in self._parse(cells):
            labeled[index] = isinstance(labels, LabelCellError) or bool(labels)
        return labeled

    def read(self, cells: pa.StringArray) -> tuple[pa.StringArray, str | None]:
        """Turn lists into plain cells, and drop the labels that mean that there is none.

        Without a separator, one that no label contains joins the labels of lists.

        Args:
            cells: (distinct,).

        Returns:
            (distinct,) one label, several joined, or "" for none; and what joins the labels of
            lists of several, or None if there are no such lists.

        Raises:
            LabelCellError: A cell is an object or a nested list, or a label in a list contains the
                separator.
        """
        lists: dict[int, tuple[str, ...]] = {}
        for index, labels in self._parse(cells):
            if isinstance(labels, LabelCellError):
                raise labels
            lists[index] = labels
        if not lists:
            return cells, None
        texts = cells.to_pylist()
        separator = self.separator
        if separator is None:
            plain = [text for index, text in enumerate(texts) if index not in lists]
            separator = _choose_separator(
                [*plain, *(name for row in lists.values() for name in row)]
            )
        for index, labels in lists.items():
            _refuse_separator(index, labels, self.separator)
            texts[index] = separator.join(labels)
        has_several = any(len(labels) > 1 for labels in lists.values())
        return text_column(texts), separator if has_several else None

    def _parse(
        self, cells: pa.StringArray
    ) -> Iterator[tuple[int, tuple[str, ...] | LabelCellError]]:
        """Yield the index of each cell that is not simply a label, and its labels or its fault."""
        if self.missing:
            indices = list(range(len(cells)))
        else:  # Arrow finds the few cells that could be lists faster than Python
            is_candidate = pc.match_substring_regex(cells, r"^\s*[\[({]")
            indices = np.flatnonzero(to_numpy(is_candidate)).tolist()
        texts = cells.to_pylist() if len(indices) else []
        for index in indices:
            cell = texts[index]
            try:
                labels = find_listed_labels(cell)
            except ValueError as error:
                yield index, LabelCellError(index, str(error))
                continue
            if labels is None and self.missing:
                labels = self._split(cell)
            if labels is None:
                continue
            if self.missing:
                labels = tuple(label for label in labels if label not in self.missing)
            yield index, labels

    def _split(self, cell: str) -> tuple[str, ...] | None:
        """Return the labels of a plain cell; None if none of them is missing."""
        names = [cell] if self.separator is None else cell.split(self.separator)
        labels = tuple(name.strip() for name in names if name.strip())
        return None if self.missing.isdisjoint(labels) else labels


@lru_cache(maxsize=1 << 18)  # a table is read several times, and a cell is in many batches
def find_listed_labels(cell: str) -> tuple[str, ...] | None:
    """Return the labels of a cell that is a list; None if it is a plain label.

    A list is written in JSON, Python or NumPy (`['a' 'b']`), as a choice of Label Studio
    (`{"choices": ["a"]}`), or as flags (`{"a": 1, "b": 0}`).

    Raises:
        ValueError: The cell is an object, a list of lists, or a vector of flags.
    """
    text = cell.strip()
    if text[:1] + text[-1:] not in ("[]", "()", "{}"):
        return None
    value = _parse_json(text)
    if value is None:
        value = _parse_python_object(text) if text[0] == "{" else _parse_python_list(text)
    if value is None:
        return None
    try:
        labels = _list_labels(value)
    except ValueError as error:
        raise ValueError(f"{shorten(text, _MAX_CELL_LENGTH)} is {error}") from None
    return tuple(dict.fromkeys(labels))


def _parse_json(text: str) -> Any:
    """Parse JSON, with numbers as they are written; None if it is not JSON."""
    try:
        return _JSON.decode(text)
    except (ValueError, RecursionError):
        return None


def _parse_python_list(text: str) -> Any:
    """Parse the items of a list as Python or NumPy writes it; None if it is not such a list."""
    body, items, position = text[1:-1].strip(), [], 0
    if text[0] == "(" and "," not in body:
        return None  # (1) is a label in parentheses, (1,) a tuple
    while position < len(body):
        match = _ITEM.match(body, position)
        if match is None:
            # It can still be a list of lists.
            value = _parse_python_object(text)
            return value if any(isinstance(item, _CONTAINERS) for item in value or ()) else None
        if match[1][0] in "'\"":
            items.append(_parse_python_object(match[1]))
        elif _BARE_ITEM.fullmatch(match[1]):
            items.append(None if match[1] in _NO_LABEL else match[1])
        else:
            return None
        position = match.end()
    return items


def _parse_python_object(text: str) -> Any:
    """Parse a literal of Python; None if it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes such as \d
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None


def _list_labels(value: Any) -> list[str]:
    """Return the labels of a parsed cell; raises ValueError with what it is instead of a list."""
    if isinstance(value, list) and all(type(item) is str for item in value):
        labels = [label for item in value if (label := item.strip())]  # the usual case, and faster
    else:
        labels = list(_iter_labels(value))
    if len(labels) >= _MIN_FLAGS and _LIST_FLAGS.keys() >= set(labels):
        raise ValueError("a list of flags, not of labels; write a column of 0 and 1 for each label")
    if any(not label.isascii() and _SURROGATE.search(label) for label in labels):
        raise ValueError("text with half of a surrogate pair; write whole characters")
    return labels


def _iter_labels(value: Any) -> Iterator[str]:
    """Yield the labels of a parsed cell; raises ValueError as `_list_labels` does."""
    if isinstance(value, dict):
        yield from _iter_labels(value["choices"] if "choices" in value else _raised_flags(value))
    elif isinstance(value, _CONTAINERS):
        # A set has no order, so the text of its items decides.
        for item in sorted(value, key=str) if isinstance(value, set) else value:
            if isinstance(item, (list, tuple, set)):
                raise ValueError("a list of lists, not of labels")  # noqa: TRY004 - no wrong type
            yield from _iter_labels(item)
    elif value is not None:
        label = value if isinstance(value, str) else json.dumps(value, default=str)
        if label.strip():
            yield label.strip()


def _raised_flags(value: dict[Any, Any]) -> list[str]:
    """Return the keys of an object whose flag is 1 or true."""
    flags = {str(key): _LIST_FLAGS.get(str(flag).lower()) for key, flag in value.items()}
    # {"rating": 1} is as likely a number as a flag.
    if len(flags) == 1 or None in flags.values():
        raise ValueError("an object, not a label or a list of labels")
    return [key for key, flag in flags.items() if flag]


def _choose_separator(names: list[str]) -> str:
    """Return the first separator that no label contains."""
    private_use = map(chr, range(0xE000, 0xF900))
    candidates = itertools.chain(_SEPARATORS, private_use)
    return next(each for each in candidates if not any(each in name for name in names))


def _refuse_separator(cell: int, labels: tuple[str, ...], separator: str | None) -> None:
    for label in labels:
        if separator is not None and separator in label:
            fault = (
                f"{label!r} contains data.label_separator {separator!r}; choose another separator"
            )
            raise LabelCellError(cell, fault)
