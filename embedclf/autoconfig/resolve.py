"""Keys that a config leaves out -> values chosen from the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from embedclf.autoconfig.columns.roles import check_requested
from embedclf.autoconfig.proposal import Proposal
from embedclf.autoconfig.split_files import find_training_part, suggest_config_name
from embedclf.config.fields import AUTO
from embedclf.config.loading import load_config, table_config
from embedclf.config.messages import describe_errors
from embedclf.config.schema import Config, auto_keys
from embedclf.data.config_files import check_files
from embedclf.errors import ConfigError, DataError
from embedclf.runs.selection import is_run_config
from embedclf.system.formats import CONFIG_SUFFIXES, table_suffix
from embedclf.system.terminal import join_shortened
from embedclf.tables.files import find_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from embedclf.runs.run import Run
    from embedclf.system.formats import InputFormat


@dataclass(frozen=True)
class TableOptions:
    """What the user knows about a table; everything else is detected."""

    text: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str | None = None
    format: InputFormat | None = None
    columns: tuple[str, ...] | None = None
    validation: str | None = None
    test: str | None = None
    unlabelled: str | None = None

    def data(self) -> dict[str, Any]:
        """Return the keys of `data` that are known."""
        values = {
            "text": _one_or_all(self.text),
            "label": _one_or_all(self.label),
            "delimiter": self.delimiter,
            "encoding": self.encoding,
            "format": self.format,
            "columns": self.columns,
            "validation": self.validation,
            "test": self.test,
            "unlabelled": self.unlabelled,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Source:
    """A table or a config, as a command gets it."""

    location: str | Path
    """A table is a file, a folder, a pattern or a URI."""
    overrides: tuple[str, ...] = ()
    """Keys of the config, `key=value` each."""
    options: TableOptions = TableOptions()
    """How to read a table; a config has keys for that."""
    only_table: bool = False
    """Whether a config is refused."""
    start: Run | None = None
    """The run that a training continues from."""

    @property
    def path(self) -> Path:
        """The file of a config."""
        return Path(self.location)

    @property
    def is_table(self) -> bool:
        """Whether it is a table and not a config, by its extension.

        Raises:
            DataError: It is a config where a table is needed.
        """
        is_config = table_suffix(self.location) in CONFIG_SUFFIXES
        if is_config and self.only_table:
            raise DataError(f"{self.location}: this is a config; name a table")
        return not is_config

    @property
    def name(self) -> str:
        """A name for runs and studies."""
        return suggest_config_name(str(self.location)) if self.is_table else self.path.stem

    def load(self) -> Config:
        """Load the config; keys that are left out are not chosen yet.

        Raises:
            ConfigError: The config or an override is invalid.
            DataError: There is no such table.
            RequestError: A column is requested twice, or has no name.
        """
        if not self.is_table:
            return load_config(self.path, self.overrides)
        find_files(str(self.location))
        check_requested(self.options.text, self.options.label)
        table = find_training_part(str(self.location))
        return table_config(table, self.options.data(), self.overrides)

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
        start = ""
        try:
            if self.start is None:
                resolved, notes = _resolve(config, strict=self.is_table)
            else:
                from embedclf.autoconfig.continuation import continue_config, describe_run

                resolved, notes = continue_config(config, self.start, strict=self.is_table)
                start = describe_run(self.start)
        except _SeparatorError as error:
            raise ConfigError(f"{self._place('data.label_separator')}: {error}") from error
        written = config.written() | ({"seed"} & config.model_fields_set)
        return Proposal(self.name, resolved, frozenset(written), notes, start)

    def _place(self, key: str) -> str:
        """Return the override that sets a key, or else the file."""
        overrides = (each for each in self.overrides if each.partition("=")[0].strip() == key)
        return next((f"-s {each}" for each in overrides), str(self.location))


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
    return _resolve(config, strict=strict)[0]


def _resolve(config: Config, *, strict: bool) -> tuple[Config, tuple[str, ...]]:
    """Choose values as `resolve` does, and note what is not used as one may expect."""
    if not set(auto_keys()) - config.written():
        return config, ()
    # Not at the top: a complete config needs neither.
    from embedclf.autoconfig.evidence import gather_evidence
    from embedclf.autoconfig.rules import choose_settings

    check_files(config)
    evidence = gather_evidence(config, strict=strict)
    settings = choose_settings(evidence)
    values = config.model_dump()
    for setting in settings:
        section, _, key = setting.key.partition(".")
        values[section][key] = setting.value
    _check_separator(values["data"])
    try:
        resolved = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(map(str, describe_errors(error, Config)))) from error
    reasons = {each.key: each.reason for each in settings if each.reason}
    return resolved.with_reasons(reasons), evidence.notes


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
