"""YAML: what is written is read back, and comments stand above their keys."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.yaml_file import dump_yaml, parse_yaml

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
