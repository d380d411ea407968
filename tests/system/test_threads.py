"""Work on all cores yields its results in order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from embedclf.system.threads import parallel_map

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_are_in_order() -> None:
    assert list(parallel_map(lambda number: number * number, range(500))) == [
        n * n for n in range(500)
    ]


def test_items_are_taken_when_results_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    results = parallel_map(lambda number: number, items())
    assert next(results) == 0
    assert len(taken) < 1_000
    results.close()


def test_an_error_surfaces_in_place_of_its_result() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = parallel_map(work, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert threading.active_count() < 50


def test_a_flush_yields_all_results_before_the_next_item_is_taken() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    results = parallel_map(lambda number: number, items(), flush_after=lambda number: number == 0)
    assert next(results) == 0
    assert taken == [0]
    assert list(results) == list(range(1, 10))
