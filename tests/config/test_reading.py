"""Options and settings that say how to read a table."""

from __future__ import annotations

import re

import pytest

from embedclf.config.data_section import DataConfig
from embedclf.config.reading import READING_KEYS, parse_reading
from embedclf.errors import ConfigError
from embedclf.tables.read_options import ReadOptions


def test_settings_have_their_yaml_types_and_win_over_options() -> None:
    options = {"delimiter": ";", "encoding": None, "columns": ("a", "b"), "format": None}
    settings = [
        "data.delimiter=|",
        "data.header=false",
        "data.skip_lines=[2, 1]",
        "data.quote=none",
        "data.columns=[x]",
        "data.escape=",
    ]
    assert parse_reading(options, settings) == {
        "delimiter": "|",
        "header": False,
        "skip_lines": (2, 1),
        "quote": "none",
        "columns": ("x",),
        "escape": None,
    }


def test_tables_with_labels_have_settings_of_labels_too() -> None:
    settings = ["data.skip_invalid=true", "data.missing_labels=[nan]", "data.quote=none"]
    assert parse_reading({}, settings, labels=True) == {
        "skip_invalid": True,
        "missing_labels": ["nan"],
        "quote": "none",
    }
    with pytest.raises(ConfigError, match="the run sets it"):
        parse_reading({}, settings)


def test_what_is_left_out_sets_nothing() -> None:
    assert parse_reading(dict.fromkeys(READING_KEYS), []) == {}


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("data.qoute=none", "unknown key; did you mean 'data.quote'?"),
        ("quote=none", "unknown key; did you mean 'data.quote'?"),
        ("data.label_separator=;", "the run sets it; only keys that say how to read a table"),
        ("training.epochs=3", "does not say how to read a table; valid keys: data.format, "),
        ("data.quote", "not KEY=VALUE; write it like -s data.quote=none"),
        ("data.quote=[", "expected"),
        ("data.header=maybe", "data.header: must be true or false"),
        ("data.on_bad_row=drop", "data.on_bad_row: must be one of refuse, skip"),
        ("data.skip_lines=-1", "data.skip_lines: must be a number of lines, or two numbers"),
        ("data.columns=a", "data.columns: must be a list of the names of all columns"),
    ],
)
def test_a_faulty_setting_is_named_with_its_fault(setting: str, fault: str) -> None:
    with pytest.raises(ConfigError, match="^" + re.escape(f"-s {setting}: ")) as raised:
        parse_reading({}, [setting])
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_faulty_option_is_named_as_it_was_typed() -> None:
    with pytest.raises(ConfigError, match=r"^--columns a,: data\.columns: must be a list of the"):
        parse_reading({"columns": ("a", "")}, [])
    with pytest.raises(ConfigError, match=r"^--delimiter ;;;: data\.delimiter: must have at most"):
        parse_reading({"delimiter": ";;;"}, [])


def test_every_fault_has_a_line() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_reading({"delimiter": ";;;"}, ["data.quote=x", "seed=3"])
    assert len(str(raised.value).splitlines()) == 3


def test_the_reading_keys_are_those_of_the_config_and_of_the_readers() -> None:
    assert set(READING_KEYS) <= set(DataConfig.model_fields)
    assert set(READING_KEYS) == set(ReadOptions.__dataclass_fields__)
