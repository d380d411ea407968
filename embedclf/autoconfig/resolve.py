"""Keys that a config leaves out -> values chosen from the data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from embedclf.autoconfig.column_roles import check_requested
from embedclf.autoconfig.evidence import gather_evidence
from embedclf.autoconfig.other_formats import check_other_format
from embedclf.autoconfig.proposal import Proposal
from embedclf.autoconfig.rules import choose_settings
from embedclf.autoconfig.sibling_tables import suggest_config_name
from embedclf.config.fields import AUTO
from embedclf.config.loading import load_config, table_config
from embedclf.config.messages import closest_match, describe_errors
from embedclf.config.schema import Config, auto_keys
from embedclf.data.dataset import check_files
from embedclf.errors import ConfigError, DataError
from embedclf.runs.run import is_run_config
from embedclf.system.formats import CONFIG_SUFFIXES, FORMATS, format_of, table_suffix
from embedclf.system.terminal import join_shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class TableOptions:
    """What the user knows about a table; everything else is detected."""

    text: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str | None = None
    validation: Path | None = None
    test: Path | None = None

    def data(self) -> dict[str, Any]:
        """Return the keys of `data` that are known."""
        values = {
            "text": _one_or_all(self.text),
            "label": _one_or_all(self.label),
            "delimiter": self.delimiter,
            "encoding": self.encoding,
            "validation": self.validation and os.path.abspath(self.validation),
            "test": self.test and os.path.abspath(self.test),
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Source:
    """A table or a config, as a command gets it."""

    path: Path
    overrides: tuple[str, ...] = ()
    """Keys of the config, `key=value` each."""
    options: TableOptions = TableOptions()
    """How to read a table; a config has keys for that."""
    only_table: bool = False
    """Whether a config is refused."""

    @property
    def is_table(self) -> bool:
        """Whether it is a table and not a config, by its extension.

        Raises:
            ConfigError: The extension is unknown.
            DataError: It is, and the path is a folder or a file in fastText's format; or it
                belongs to a config where a table is needed.
        """
        suffix = table_suffix(self.path)
        if suffix not in (*FORMATS, *CONFIG_SUFFIXES):
            check_other_format(self.path)
        if self.only_table:
            format_of(self.path)
        if suffix in FORMATS:
            return True
        if suffix not in CONFIG_SUFFIXES:
            tables = ", ".join(FORMATS)
            raise ConfigError(
                f"{self.path}: unknown file extension; a config ends in .yaml, a table in {tables}"
            )
        return False

    @property
    def name(self) -> str:
        """A name for runs and studies."""
        return suggest_config_name(self.path) if self.is_table else self.path.stem

    def load(self) -> Config:
        """Load the config; keys that are left out are not chosen yet.

        Raises:
            ConfigError: The config or an override is invalid.
            DataError: There is no such table.
            RequestError: A column is requested twice, or has no name.
        """
        if not self.is_table:
            return load_config(self.path, self.overrides)
        _require_table(self.path)
        check_requested(self.options.text, self.options.label)
        return table_config(self.path, self.options.data(), self.overrides)

    def resolve(self) -> Proposal:
        """Load the config, and choose the values of keys that are left out.

        The config of a run means what it meant when the run was trained: keys that it lacks keep
        their values from before these keys existed.

        Raises:
            ConfigError: As `load`; or a file that the config names is missing.
            DataError: A table cannot be used, or it is unclear which columns hold the text and the
                label.
            RequestError: As `load`.
        """
        config = self.load()
        if not self.is_table and is_run_config(self.path):
            # Without the overrides: one that is `auto` asks for a choice.
            missing = set(auto_keys()) - load_config(self.path).written()
            config = config.with_defaults_written(missing)
        try:
            resolved = resolve(config, strict=self.is_table)
        except _SeparatorError as error:
            raise ConfigError(f"{self._place('data.label_separator')}: {error}") from error
        written = config.written() | ({"seed"} & config.model_fields_set)
        return Proposal(self.name, resolved, frozenset(written))

    def _place(self, key: str) -> str:
        """Return the override that sets a key, or else the file."""
        overrides = (each for each in self.overrides if each.partition("=")[0].strip() == key)
        return next((f"-s {each}" for each in overrides), str(self.path))


class _SeparatorError(ConfigError):
    """A separator of labels is set, but the labels are in columns of their own."""


def resolve(config: Config, *, strict: bool = False) -> Config:
    """Choose the values of all keys that a config leaves out and that can be `auto`.

    Args:
        config: As `load_config` returns it.
        strict: Whether validation and test tables that the config names must be usable; otherwise
            it is left to training and `check` to report what is wrong with them.

    Returns:
        A config with every key set, which knows the reason of each choice.

    Raises:
        ConfigError: A file is missing, or what was written fits no choice.
        DataError: As `Source.resolve`.
    """
    if not set(auto_keys()) - config.written():
        return config
    check_files(config)
    settings = choose_settings(gather_evidence(config, strict=strict))
    values = config.model_dump()
    for setting in settings:
        section, _, key = setting.key.partition(".")
        values[section][key] = setting.value
    _check_separator(values["data"])
    try:
        resolved = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(map(str, describe_errors(error, Config)))) from error
    return resolved.with_reasons({each.key: each.reason for each in settings if each.reason})


def _one_or_all(names: Sequence[str]) -> str | list[str] | None:
    # A single plain `auto` would mean that the column is to be found.
    if len(names) == 1 and names[0] != AUTO:
        return names[0]
    return list(names) or None


def _check_separator(data: Mapping[str, Any]) -> None:
    label = data["label"]
    if data["label_separator"] is not None and isinstance(label, list):
        raise _SeparatorError(
            f"data.label_separator: it is for a single label column, but the table has a 0/1 "
            f"column per label ({join_shortened(label)}); leave it out, or name the column with "
            "several labels per cell: --label COLUMN, or data.label in a config"
        )


def _require_table(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a table in it")
    siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    close = closest_match(path.name, siblings)
    raise DataError(f"{path}: no such file" + (f"; did you mean {close}?" if close else ""))
