"""YAML: what is written is read back, and comments stand above their keys."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.yaml_file import YamlError, parse_yaml
from embedclf.config.yaml_writer import dump_yaml

if TYPE_CHECKING:
    from types import FrameType

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["no", "null", "01", "1e5", "a: b", "#a", "\t", "\x85", "\u2028", "\ufeff", "a " * 100]
)
SCALARS = (
    TEXTS
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
KEYS = st.from_regex("[a-z]{1,9}", fullmatch=True)
SECTIONS = st.dictionaries(
    KEYS, st.dictionaries(KEYS, VALUES, min_size=1, max_size=4) | SCALARS, min_size=1, max_size=4
)


@given(SECTIONS, st.text())
def test_what_is_written_is_read_back(sections: dict[str, Any], comment: str) -> None:
    inner = [
        (name, key) for name, value in sections.items() if isinstance(value, dict) for key in value
    ]
    keys = [*((name,) for name in sections), *inner]
    written = dump_yaml(sections, dict.fromkeys(keys, comment))
    assert parse_yaml(written).values == sections
    assert dump_yaml(sections) == "".join(
        line for line in written.splitlines(keepends=True) if not line.lstrip(" ").startswith("#")
    )


def test_each_value_takes_one_line_below_its_comment() -> None:
    sections = {
        "data": {"train": "a b.csv", "label": "no", "delimiter": "\t"},
        "model": {"hidden_units": [64, 8], "class_weight": {"01": 2.0, "x": 1e-05}},
        "seed": None,
    }
    comments = {("data", "label"): "word " * 30, ("model",): "the\x00network", ("seed",): ""}
    assert dump_yaml(sections, comments) == (
        """\
data:
  train: "a b.csv"
  # word word word word word word word word word word word word word word word word word word word
  # word word word word word word word word word word word
  label: no
  delimiter: "\\t"
# the\N{REPLACEMENT CHARACTER}network
model:
  hidden_units: [64, 8]
  class_weight: {"01": 2.0, x: 1e-05}
seed: null
"""
    )


def test_positions_count_from_one_and_fall_back_to_the_closest_mapping() -> None:
    document = parse_yaml("a:\n  b: {c: 1}\n  b: 2\n")
    assert document.position(("a", "b", "c")) == (2, 7)
    assert document.position(("a", "x", "y")) == (1, 1)
    assert document.position(("x",)) == (1, 1)
    assert document.duplicate_keys == [("a", "b")]


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("a: &a [1]\nb: [" + "*a, " * 600 + "]", 1, "aliases repeat more than 500 values"),
        (
            "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 99)),
            26,
            "aliases",
        ),
        ("x: &x [1, 2, 3]\na: [*x, *x", 2, "not YAML"),
        ("a: 0x" + "f" * 5000, 1, "too long for a number: '0xfff"),
        ("a: " + "9" * 5000, 1, "too long for a number: '9999"),
        ("%YAML 1.1\n---\na: 1" + ":1" * 500, 3, "too long for a number: '1:1:1"),
        ("a: 1\nb: c\0d", 2, "character U+0000; delete it"),
        ("a: 1\nb: \udcff", 2, "not UTF-8: byte 0xff"),
        ("a:\n" + "".join(" " * n + "- \n" for n in range(1, 60)), 51, "nested too deep"),
    ],
)
def test_a_few_lines_cannot_stand_for_much_work(text: str, line: int, fault: str) -> None:
    with pytest.raises(YamlError, match=re.escape(fault)) as caught:
        parse_yaml(text)
    assert caught.value.line == line
    assert len(str(caught.value)) < 150


def test_aliases_can_repeat_a_few_values() -> None:
    assert parse_yaml("a: &a [1, 2]\nb: {c: *a}\n").values == {"a": [1, 2], "b": {"c": [1, 2]}}


def count_calls(text: str) -> int:
    """The number of calls of Python functions that reading a text takes."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        parse_yaml(text)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("entry", ["k{n}: 1\n", "k{n}: [{n}, x]\n", "k{n}: &a{n} {{b: 'c'}}\n"])
def test_work_grows_with_the_number_of_keys(entry: str) -> None:
    few, many = (count_calls("".join(entry.format(n=n) for n in range(size))) for size in (50, 400))
    assert many < 9 * few
