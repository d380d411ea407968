from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from embedclf.system.threads import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_come_in_order() -> None:
    assert list(in_order(lambda number: number * number, range(500))) == [n * n for n in range(500)]


def test_items_are_taken_as_results_are_asked_for() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    results = in_order(lambda number: number, items())
    assert next(results) == 0
    assert len(taken) < 1_000
    results.close()


def test_an_error_ends_it_where_it_happens() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = in_order(work, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert threading.active_count() < 50
