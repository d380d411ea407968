"""Forms of labels: what counts as one label, the order, and cells that mean that there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.data.label_forms import (
    find_form,
    find_null_like,
    find_number,
    group_forms,
    is_surely_null_like,
    match_forms,
    sort_labels,
    suggest_setting,
)

if TYPE_CHECKING:
    import random
    from decimal import Decimal


@pytest.mark.parametrize(
    "group",
    [
        ("neg", "NEG", " Neg ", "neg\u200b"),
        ("très bon", "tre\u0300s  BON"),
        ("straße", "STRASSE"),
        ("1", "1.0", "01", "+1", "1.", "1,0", "1e0", "１", "1.00"),
        ("-1", "\u22121", "-1.0"),
        ("0", "-0", "0.0", ".0"),
        ("0.5", ".5", "0,5", "5e-1"),
        ("1000", "1e3"),
    ],
)
def test_forms_of_one_label(group: tuple[str, ...]) -> None:
    assert len({find_form(label) for label in group}) == 1
    assert group_forms([*group, "other"]) == [group]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.5"),
        ("1", "True"),
        ("1", "-1"),
        ("1", "10"),
        ("1,000", "1"),
        ("1,000", "1000"),
        ("1", "1 0"),
        ("1" * 40, "1" * 39 + "2"),
        ("a", "b"),
        ("C", "C++"),
    ],
)
def test_different_labels_have_different_forms(one: str, other: str) -> None:
    assert find_form(one) != find_form(other)


def test_labels_that_are_all_numbers_sort_by_number() -> None:
    assert sort_labels(map(str, range(12, 0, -1))) == [str(number) for number in range(1, 13)]
    assert sort_labels(["1,5", "10", "-1", "0.5", "9"]) == ["-1", "0.5", "1,5", "9", "10"]
    assert sort_labels(["1.0", "01", "1"]) == ["01", "1", "1.0"]
    assert sort_labels(["9", "10", "a"]) == ["10", "9", "a"]


def test_labels_that_look_like_missing_ones_come_with_the_most_certain_first() -> None:
    names = ["none", "pos", "nan", "-", "N/A", "None", "#N/A", "?", "NA", "nano"]
    assert find_null_like(names) == ("nan", "N/A", "None", "#N/A", "?", "NA", "none", "-")
    assert is_surely_null_like("NULL")
    assert not is_surely_null_like("none")


def test_a_label_is_matched_with_the_known_label_of_the_same_form() -> None:
    assert match_forms(["1", "2.0", "3"], ["1.0", "2"]) == {"1": "1.0", "2.0": "2"}


def test_an_unknown_label_leads_to_the_setting_that_helps() -> None:
    assert suggest_setting("1", ["1.0", "2.0"]) == (
        "'1' is a form of '1.0': set data.merge_label_forms: true"
    )
    assert suggest_setting("nan", ["pos", "neg"]) == (
        "if it means that there is no label, set data.missing_labels: ['nan']"
    )
    assert suggest_setting("other", ["pos", "neg"]) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_number_is_found_however_it_is_written(number: Decimal) -> None:
    written = f"{number:f}"
    assert find_number(written) == number
    assert find_form(f"{written}0") == find_form(written)
    sign, digits = ("-", written[1:]) if written[0] == "-" else ("", written)
    assert find_form(f" {sign}00{digits}") == find_form(written)


@given(st.text())
def test_a_form_is_its_own_form_in_any_case(label: str) -> None:
    form = find_form(label)
    assert find_form(form) == form
    assert find_form(f"  {label}\t") == form


@given(st.lists(st.text(st.sampled_from("0123456789.,-+ae")), unique=True), st.randoms())
def test_the_order_of_labels_does_not_depend_on_their_order_before(
    names: list[str], rng: random.Random
) -> None:
    shuffled = sorted(names, key=lambda _name: rng.random())
    assert sort_labels(shuffled) == sort_labels(names)
