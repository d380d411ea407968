"""Options of the command line that say how to read a table -> keys of `data`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.config.messages import ConfigFault, closest_match, describe_errors
from embedclf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import ValidationError

READING_KEYS = (
    "format",
    "delimiter",
    "encoding",
    "quote",
    "escape",
    "header",
    "columns",
    "skip_lines",
    "on_bad_row",
)
"""Keys of `data` that say how to read a table, whatever its rows mean."""

LABEL_KEYS = ("skip_invalid", "missing_labels")
"""Keys of `data` that say which rows of a table have a label."""


def option_name(key: str) -> str:
    """Return the option of the command line that sets a key of `data`."""
    return "--input-format" if key == "format" else f"--{key}"


def parse_reading(
    options: Mapping[str, Any], settings: Sequence[str], *, labels: bool = False
) -> dict[str, Any]:
    """Return the keys of `data` that a command line sets to read a table.

    Args:
        options: Values of options, by key; None where an option was left out.
        settings: `data.key=value` each, the value in YAML; they win over options.
        labels: Whether the table needs labels, so that `LABEL_KEYS` can be set, too.

    Raises:
        ConfigError: A key or a value is invalid; one line for each fault.
    """
    values = {key: value for key, value in options.items() if value is not None}
    if not values and not settings:  # importing pydantic takes longer than one prediction
        return {}
    from pydantic import ValidationError

    from embedclf.config.data_section import DataConfig
    from embedclf.config.yaml_file import YamlError

    places = {key: f"{option_name(key)} {_show(values[key])}" for key in values}
    lines = []
    for setting in settings:
        try:
            key, value = _parse_setting(setting, (*READING_KEYS, *LABEL_KEYS * labels))
        except YamlError as error:
            lines.append(f"-s {setting}: {error}")
        else:
            values[key], places[key] = value, f"-s {setting}"
    try:
        # The table is not known yet, so this name is never read.
        data = DataConfig.model_validate({"train": "-", **values})
    except ValidationError as error:
        lines += _describe_faults(error, places)
    if lines:
        raise ConfigError("\n".join(lines))
    return {key: getattr(data, key) for key in values}


def _parse_setting(setting: str, known: Sequence[str]) -> tuple[str, Any]:
    """Return the key and the value of a setting.

    Raises:
        YamlError: It is malformed, or its key does not say how to read a table.
    """
    from embedclf.config.data_section import DataConfig
    from embedclf.config.yaml_file import YamlError, parse_value

    dotted, equals, text = setting.partition("=")
    section, _, key = dotted.strip().rpartition(".")
    if not equals or not key:
        raise YamlError("not KEY=VALUE; write it like -s data.quote=none")
    if section == "data" and key in known:
        return key, parse_value(text)
    if section == "data" and key in DataConfig.model_fields:
        raise YamlError("the run sets it; only keys that say how to read a table can differ")
    if (close := closest_match(key, known)) and section in {"", "data"}:
        raise YamlError(f"unknown key; did you mean 'data.{close}'?")
    keys = ", ".join(f"data.{key}" for key in known)
    raise YamlError(f"does not say how to read a table; valid keys: {keys}")


def _describe_faults(error: ValidationError, places: Mapping[str, str]) -> Iterator[str]:
    from embedclf.config.schema import Config

    for fault in describe_errors(error, Config):
        place = next((places[key] for key in fault.keys[:1] if key in places), None)
        keyed = str(ConfigFault(("data", *fault.keys), fault.sentence))
        yield f"{place}: {keyed}" if place else keyed


def _show(value: Any) -> str:
    return value if isinstance(value, str) else ",".join(value)
