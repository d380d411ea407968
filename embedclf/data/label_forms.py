"""Forms of labels: spellings of one label, numbers, and cells that mean that there is no label."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# `4,0` is a decimal comma. `1,000` is one or a thousand, so it is no number.
_NUMBER = re.compile(r"[+-]?(\d+[.]?\d*|[.]\d+|\d+,(?!\d{3}(?!\d))\d+)(e[+-]?\d{1,3})?", re.ASCII)

# Characters without a width, which NFKC keeps, and the minus sign, which it does not replace.
_INVISIBLE = str.maketrans("\u2212", "-", "\u00ad\u200b\u2060\ufeff")

_NULL_LIKE = (
    (
        *("nan", "null", "(null)", "n/a", "<na>", "nat", "undefined", "\\n", "?"),
        *("#n/a", "#value!", "#ref!", "#name?", "#div/0!", "#null!", "#num!"),  # Excel's errors
    ),
    # These can also be real labels, so they come last.
    ("none", "na", "n.a.", "nil", "missing", "unlabeled", "no label", "-", "--", "."),
)
"""Cells that mean that there is no label, in lower case: the certain, and the possible ones."""

_TRUTH_VALUES = (("yes", "true", "1"), ("no", "false", "0"))

_PYTHON_NONE, _R_MISSING = "None", "NA"
"""Spellings that programs write for a missing value, unlike `none` and `na`."""


def find_number(label: str) -> Decimal | None:
    """Return the number that a label is, exactly, or None: 4 for `4`, `4.0`, `+04` and `4,0`."""
    plain = unicodedata.normalize("NFKC", label).translate(_INVISIBLE).strip().lower()
    return Decimal(plain.replace(",", ".")) if _NUMBER.fullmatch(plain) else None


def find_form(label: str) -> str:
    """Return what all forms of a label share.

    Forms differ in case, white space, invisible characters, Unicode form (NFKC), or in how a number
    is written.
    """
    if (number := find_number(label)) is not None:
        return _format_number(number)
    folded = unicodedata.normalize("NFKC", label).translate(_INVISIBLE).casefold()
    # Folding can undo the normalization, which is why Unicode defines both as one operation.
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def group_forms(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of labels that are forms of one label; other labels are left out."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in dict.fromkeys(labels):
        groups[find_form(label)].append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def group_truth_values(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the labels that mean yes, and those that mean no, if both are written in several ways.

    Empty if any label means something else. Merging forms keeps `yes`, `true` and `1` apart.
    """
    forms = {label: find_form(label) for label in labels}
    meanings = [{find_form(value) for value in values} for values in _TRUTH_VALUES]
    if not set(forms.values()) <= meanings[0] | meanings[1] or len(set(forms.values())) < 3:
        return []
    groups = [tuple(label for label in forms if forms[label] in values) for values in meanings]
    return [group for group in groups if len(group) > 1]


def match_forms(labels: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return the known label of each label that is a form of one."""
    by_form = {find_form(name): name for name in known}
    forms = {label: find_form(label) for label in labels}
    return {label: by_form[form] for label, form in forms.items() if form in by_form}


def suggest_setting(label: str, known: Iterable[str]) -> str | None:
    """Suggest a setting for a label that is a form of a known one, or that looks missing."""
    if form := match_forms([label], known).get(label):
        return f"{label!r} is a form of {form!r}: set data.merge_label_forms: true"
    if find_null_like([label]):
        return f"if it means that there is no label, set data.missing_labels: [{label!r}]"
    return None


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Sort labels: by number if all are numbers, otherwise by code point."""
    names = sorted(labels)
    numbers = {name: find_number(name) for name in names}
    if None in numbers.values():
        return names
    return sorted(names, key=lambda name: numbers[name] or Decimal())


def find_null_like(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the labels that look like missing ones, such as `nan`; the most certain first."""
    ranks = {label: _rank_null_like(label) for label in dict.fromkeys(labels)}
    found = [label for label in ranks if ranks[label] < len(_NULL_LIKE)]
    return tuple(sorted(found, key=lambda label: ranks[label]))


def is_surely_null_like(label: str) -> bool:
    """Whether a label that looks like a missing one cannot be a real label, unlike `none`."""
    return _rank_null_like(label) == 0


def _format_number(number: Decimal) -> str:
    """Format a number, equal for equal ones; unlike `normalize`, it never rounds."""
    sign, digits, exponent = number.as_tuple()
    written = "".join(map(str, digits)).lstrip("0")
    kept = written.rstrip("0")
    if not kept:
        return "0"
    # The exponent of a finite number is an int.
    return f"{'-' * sign}{kept}e{int(exponent) + len(written) - len(kept)}"


def _rank_null_like(label: str) -> int:
    trimmed = label.strip()
    if trimmed in (_PYTHON_NONE, _R_MISSING):
        return 0
    lowered = trimmed.lower()
    return next(
        (rank for rank, cells in enumerate(_NULL_LIKE) if lowered in cells), len(_NULL_LIKE)
    )
