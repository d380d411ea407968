"""Numbers, tables and definitions for people; they fit the terminal."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from embedclf.system.terminal import (
    format_count,
    format_definitions,
    format_duration,
    format_number,
    format_percent,
    join_shortened,
    new_table,
    render,
    terminal_width,
    wrap_message,
)

words = st.text("abcdefghijklmnopqrstuvwxyzäß", min_size=1, max_size=12)
phrases = st.lists(words, max_size=20).map(" ".join)


@pytest.fixture(params=[60, 80, 120])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of the terminal."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0.0s"),
        (0.84, "0.8s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (12.4, "12s"),
        (59.6, "1m 0s"),
        (72, "1m 12s"),
        (3599.7, "1h 0m"),
        (7500, "2h 5m"),
        (90_000, "25h 0m"),
    ],
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


@given(st.floats(0, 1e6))
def test_a_duration_is_right_to_the_unit_that_it_shows(seconds: float) -> None:
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    parts = re.findall(r"([\d.]+)([hms])", format_duration(seconds))
    smallest = units[parts[-1][1]] * (0.1 if "." in parts[-1][0] else 1)
    assert abs(sum(float(n) * units[unit] for n, unit in parts) - seconds) <= smallest


def test_counts_agree_with_their_noun() -> None:
    assert format_count(1, "row") == "1 row"
    assert format_count(0, "row") == "0 rows"
    assert format_count(1.0, "row") == "1 row"
    assert format_count(0.25, "row") == "0.25 rows"
    assert format_count(1234, "row") == "1,234 rows"
    assert format_count(2, "class", "classes") == "2 classes"


def test_percentages_have_no_blank() -> None:
    assert format_percent(0.1234) == "12.3%"
    assert format_percent(0.99, places=0) == "99%"


@pytest.mark.parametrize(("columns", "used"), [("40", 60), ("72", 72), ("300", 100), ("", 100)])
def test_output_takes_60_to_100_columns(
    columns: str, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal_width() == used


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(words, phrases), min_size=1, max_size=5))
def test_definitions_break_at_words(width: int, entries: list[tuple[str, str]]) -> None:
    lines = format_definitions(entries).splitlines()
    assert all(len(line) <= width for line in lines)
    shown = [word for line in lines for word in line.split()]
    assert shown == [word for name, text in entries for word in (name, *text.split())]


def test_a_long_path_keeps_its_end(width: int) -> None:
    path = "/".join(["a-folder-of-a-deep-tree"] * 10) + "/reviews.csv"
    [line] = format_definitions([("table", path)]).splitlines()
    assert len(line) <= width
    assert re.fullmatch(r"table +…\S+/reviews\.csv", line)


def test_a_pipe_gets_the_whole_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    path = "/".join(["a-folder-of-a-deep-tree"] * 10)
    assert format_definitions([("table", path)]).endswith(f" {path}")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_tables_fit_and_keep_numbers_whole(width: int, data: st.DataObject) -> None:
    columns, numbers = data.draw(st.integers(1, 9)), data.draw(st.sets(st.integers(1, 8)))
    headers = [
        data.draw(st.lists(words, min_size=1, max_size=2).map(" ".join)) for _ in range(columns)
    ]
    table = new_table(*headers, numbers=[n for n in numbers if n < columns])
    number = st.floats(-1, 1e9).map("{:,.4f}".format)
    rows = [
        [data.draw(number if n in numbers else phrases) for n in range(columns)]
        for _ in range(data.draw(st.integers(0, 3)))
    ]
    for row in rows:
        table.add_row(*row)
    shown = render(table)
    assert all(cell_len(line) <= width for line in shown.splitlines())
    for row in rows:
        for index, cell in enumerate(row):
            for word in cell.split():
                assert word in shown.split(), (index, word)


def test_a_table_that_is_too_wide_is_continued_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    table = new_table("label", *map(str, range(2000, 2020)), numbers=range(1, 21))
    table.add_row("pos", *map(str, range(1000, 1020)))
    pieces = render(table).split("\n\n")
    assert len(pieces) > 1
    heads, _, rows = zip(*(piece.splitlines() for piece in pieces), strict=True)
    assert all(head.startswith("label ") for head in heads)
    years = [int(word) for head in heads for word in head.split()[1:]]
    assert years == list(range(2000, 2020))
    values = [int(word) for row in rows for word in row.split()[1:]]
    assert all(b - a == 1 for a, b in pairwise(values))


def test_a_message_in_a_pipe_stays_one_line() -> None:
    message = "word " * 100
    assert wrap_message(message) == message


def test_a_list_that_is_too_long_ends_after_an_item() -> None:
    assert join_shortened(["ab", "cd"]) == "ab, cd"
    assert join_shortened(["ab", "cd", "ef"], 8) == "ab, cd and 1 more"
    assert join_shortened(["abcdef", "cd"], 4) == "abc… and 1 more"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (1234, "1,234"),
        (12.0, "12"),
        (1234.56, "1,234.6"),
        (8.9, "8.9"),
        (0.0123, "0.0123"),
    ],
)
def test_only_fractional_numbers_have_decimals(number: float, shown: str) -> None:
    assert format_number(number) == shown
