"""Times of rows: every usual form is understood, or refused with the way out."""

from __future__ import annotations

import pyarrow as pa
import pytest

from embedclf.data.times import TimeCellError, rank_times


@pytest.mark.parametrize(
    "cells",
    [
        ["2020-12-31", "2021-01-01", "2021-02-01"],
        ["2021-01-01T09:00:00+02:00", "2021-01-01T07:30Z", "2021-01-01 09:00", "2021-01-02"],
        ["01/02/2021", "01/03/2021", "31/12/2021"],
        ["01/03/2021", "02/01/2021", "12/31/2021"],
        ["01.03.2021", "02.03.2021 10:00", "01.04.2021"],
        ["2020/9/5", "2020/10/4", "2021/1/1"],
        ["2019", "2020-05", "2020-06-01"],
        ["9", "10", "11.5"],
        ["1612137600", "1612137601"],
        ["1612137600123456788", "1612137600123456789"],
        ["20201231", "20210101"],
        ["Jan 5, 2021", "5 Feb 2021", "Mon, 01 Mar 2021 10:00:00 +0000"],
        ["Tue Jan 05 10:00:00 +0000 2021", "Tue Jan 05 10:00:01 +0000 2021"],
        ["1/31/2021 9:05 AM", "1/31/2021 1:05 PM"],
        [" 2020-12-31", "2021-01-01 "],
    ],
)
def test_times_rank_in_the_order_of_time(cells: list[str]) -> None:
    ranks = rank_times(pa.array([*reversed(cells)]))
    assert ranks.tolist() == [*reversed(range(len(cells)))]


def test_equal_times_in_different_forms_have_the_same_rank() -> None:
    cells = ["2021-01-01", "2021-01-01T00:00:00Z", "2021/1/1", "2020-01-01"]
    assert rank_times(pa.array(cells)).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("cells", "cell", "message"),
    [
        (["2021-01-01", "soon"], 1, "'soon' is neither a date nor a number"),
        (["2021-01-01", ""], 1, "empty cell"),
        (["1612137600", "n/a"], 1, "'n/a' is neither a date nor a number"),
        (["1", "nan"], 1, "'nan' is neither a date"),
        (["17.2", "15.1", ""], 2, "empty cell"),
        (["1.5", "1_000"], 1, "'1_000' is neither a date"),
        (["2021-01-01", "44840.5"], 1, "'44840.5' is a number, but other cells are dates"),
        (["2021-02-30"], 0, "'2021-02-30' is neither a date"),
        (["Jan 5"], 0, "'Jan 5' is neither a date"),  # of which year?
        (["10:30"], 0, "'10:30' is neither a date"),
        (["1/2/21"], 0, "'1/2/21' is neither a date"),
        (["2021-01-01 10:00 XYZ"], 0, "XYZ"),
        (["03/04/2021", "05/06/2021"], 0, "'03/04/2021' may begin with the day or the month"),
        (["31/12/2021", "12/31/2021"], 1, "'31/12/2021' begins with the day, '12/31/2021' with"),
    ],
)
def test_a_cell_without_a_clear_time_is_refused(cells: list[str], cell: int, message: str) -> None:
    with pytest.raises(TimeCellError, match="2021-12-31") as caught:
        rank_times(pa.array(cells))
    assert message in str(caught.value)
    assert caught.value.cell == cell
