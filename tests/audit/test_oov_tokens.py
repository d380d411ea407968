"""Advice about out-of-vocabulary tokens is given only where it helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.audit.conftest import check
from tests.faults import WORDS, Tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def find_oov(tables: Tables, directory: Path, invoke: Invoke, *flags: str) -> Any:
    findings = check(tables, directory, invoke, *flags)["findings"]
    return next((each for each in findings if each["kind"] == "token-oov"), None)


def test_a_larger_vocabulary_is_no_advice_if_all_frequent_tokens_are_in_it(
    directory: Path, invoke: Invoke
) -> None:
    tables = Tables()
    for number, row in enumerate(tables.splits["test"][:60]):
        row[1] = f"new{number} other{number}"
    # As `init` writes it: exactly the tokens that occur twice or more.
    size = ("-s", f"text.vocabulary_size={len(WORDS) + 2}", "-s", "text.min_count=2")
    finding = find_oov(tables, directory, invoke, *size)
    assert finding["settings"] == {}
    assert finding["fix"] == (
        "add training rows, or set model.vectors: 100.0% of these tokens occur in no training text"
    )
    kept = find_oov(tables, directory, invoke, *size, "-s", "model.vectors=own")
    assert kept["fix"].startswith("add training rows: ")
    larger = find_oov(tables, directory, invoke, *size, "-s", "text.vocabulary_size=500")
    assert larger["fix"] == finding["fix"]


def test_min_count_is_named_with_the_size_that_it_needs(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    for number in range(60):
        tables.splits["train"][number][1] += f" rare{number}"
        tables.splits["test"][number][1] = f"rare{number}"
    size = ("-s", f"text.vocabulary_size={len(WORDS) + 2}", "-s", "text.min_count=2")
    finding = find_oov(tables, directory, invoke, *size)
    assert finding["settings"] == {
        "text.min_count": 1,
        "text.vocabulary_size": len(WORDS) + 2 + 60,
    }
    assert "100.0% of these tokens occur in training fewer than 2 times" in finding["fix"]
    larger = find_oov(tables, directory, invoke, *size, "-s", "text.vocabulary_size=500")
    assert larger["settings"] == {"text.min_count": 1}
