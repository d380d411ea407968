"""Activities are reported to listeners."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from embedclf.system.progress import Activity, activity, counted, listening

if TYPE_CHECKING:
    from collections.abc import Iterator


class Log:
    """The names of the innermost activities, as they change."""

    def __init__(self) -> None:
        self.names: list[str | None] = []

    def __call__(self, current: Activity | None) -> None:
        self.names.append(None if current is None else current.name)


def test_the_innermost_activity_is_reported_and_then_the_outer_one_again() -> None:
    log = Log()
    with listening(log), activity("reading"), activity("decoding"):
        pass
    assert log.names == ["reading", "decoding", "reading", None]


def test_without_a_listener_activities_count_and_nothing_else_happens() -> None:
    with activity("reading", total=4, unit="rows") as reading:
        reading.advance(1)
        assert (reading.done, reading.fraction) == (1, 0.25)


def test_what_is_done_never_exceeds_the_whole() -> None:
    with activity("reading", total=4, unit="rows") as reading:
        reading.advance(5)
    assert reading.fraction == 1.0


def test_nobody_knows_the_fraction_of_an_unknown_total() -> None:
    with activity("reading", unit="rows") as reading:
        reading.advance(5)
    assert reading.fraction is None


def test_a_decorated_function_is_an_activity_at_each_call() -> None:
    @activity("adding")
    def add(one: int, other: int) -> int:
        return one + other

    log = Log()
    with listening(log):
        assert add(1, 2) + add(3, 4) == 10
    assert log.names == ["adding", None] * 2


def test_an_activity_ends_with_an_error() -> None:
    log = Log()
    with listening(log), pytest.raises(ValueError, match="no"), activity("reading"):
        raise ValueError("no")
    assert log.names == ["reading", None]


def test_counted_items_are_done_when_the_next_is_asked_for() -> None:
    seen: list[Activity | None] = []
    with listening(seen.append):
        fractions = [
            seen[-1].fraction if seen[-1] else None
            for _ in counted("abcd", "sorting", total=4, unit="letters")
        ]
    assert fractions == [0.0, 0.25, 0.5, 0.75]
    assert seen[-1] is None


def test_a_generator_that_is_closed_late_ends_its_own_activity() -> None:
    def read() -> Iterator[int]:
        with activity("reading"):
            yield from range(3)

    log = Log()
    with listening(log):
        batches = read()
        with activity("training"):
            next(batches)  # begins within another activity
        assert log.names == ["training", "reading", "reading"]
        batches.close()  # type: ignore[attr-defined]
    assert log.names[3:] == [None]


def test_other_threads_report_nothing() -> None:
    def work() -> None:
        with activity("hashing"):
            pass

    log = Log()
    with listening(log), ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()
    assert log.names == []


def test_a_listener_within_another_replaces_it_for_a_while() -> None:
    outer, inner = Log(), Log()
    with listening(outer):
        with listening(inner), activity("one"):
            pass
        with activity("two"):
            pass
    assert (inner.names, outer.names) == (["one", None], ["two", None])
