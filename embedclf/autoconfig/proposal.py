"""init: a table -> a commented config."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.autoconfig.column_profiles import is_unspaced_script, read_sample
from embedclf.autoconfig.column_roles import assign_roles
from embedclf.autoconfig.rules import Setting, choose_settings
from embedclf.autoconfig.sibling_tables import find_sibling_tables, suggest_config_name
from embedclf.autoconfig.table_statistics import compute_table_statistics
from embedclf.config.schema import DataConfig
from embedclf.config.yaml_file import dump_yaml
from embedclf.data.tables import open_table
from embedclf.system.arrow import join_columns
from embedclf.system.terminal import format_definitions

if TYPE_CHECKING:
    from embedclf.autoconfig.column_roles import ColumnRoles

_HEADER = (
    "A config that `embedclf init` made from the table; the line above a setting tells why. See "
    "what training would read with `embedclf check`, then `embedclf train`."
)


@dataclass(frozen=True)
class InitOptions:
    """What the user knows about a table; everything else is detected."""

    text: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    validation: Path | None = None
    test: Path | None = None
    delimiter: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Proposal:
    """A config for a table, setting by setting."""

    name: str
    """The name of the config, without extension."""
    settings: tuple[Setting, ...]

    def to_yaml(self, directory: Path) -> str:
        """Format the config as YAML for a directory, with a comment above each setting."""
        sections: dict[str, dict[str, Any]] = {}
        comments: dict[tuple[str, ...], str] = {("data",): _HEADER}  # heads the file
        for setting in self.settings:
            value = setting.value
            if isinstance(value, Path):
                # Relative paths in a config are relative to its own directory.
                value = _relative_path(value, directory)
            sections.setdefault(setting.section, {})[setting.key] = value
            comments[setting.section, setting.key] = setting.reason
        return dump_yaml(sections, comments)

    def facts(self) -> dict[str, Any]:
        """Return each setting by its key, with its value and reason, as plain values."""
        return {
            "settings": {
                setting.path: {
                    "value": str(setting.value)
                    if isinstance(setting.value, Path)
                    else setting.value,
                    "reason": setting.reason,
                }
                for setting in self.settings
            }
        }

    def summary(self, config_file: Path | None) -> str:
        """Describe the data, and what to run next if the config was written to a file."""
        shown = ("data.train", "data.text", "data.label", "data.validation", "data.test")
        entries = [
            (setting.key, setting.reason) for setting in self.settings if setting.path in shown
        ]
        if config_file is not None:
            file = shlex.quote(str(config_file))
            entries.append(("next", f"embedclf check {file} && embedclf train {file}"))
        return format_definitions(entries)


def propose(path: Path, options: InitOptions) -> Proposal:
    """Propose a config that trains on a table as it is.

    The table is read twice: a sample for the columns, then all rows for the statistics. No text is
    kept apart from the sample.

    Raises:
        DataError: The table or another named table cannot be used, or it is unclear which columns
            hold the text and the label.
        RequestError: A column is requested twice, or has no name.
    """
    table = open_table(
        path,
        [*options.text, *options.label],
        delimiter=options.delimiter,
        encoding=options.encoding,
    )
    sample = read_sample(table)
    roles = assign_roles(sample.profiles, table.name, text=options.text, label=options.label)
    texts = join_columns([sample.cells(column.name) for column in roles.text])
    config = _data_config(path, roles, options)
    statistics = compute_table_statistics(
        config, "character" if is_unspaced_script(texts) else "word"
    )
    # Known only now, and needed to read the labels of sibling tables.
    config = config.model_copy(update={"label_separator": statistics.separator})
    siblings = find_sibling_tables(
        config, statistics.labels, validation=options.validation, test=options.test
    )
    settings = choose_settings(config, roles, statistics, siblings)
    return Proposal(suggest_config_name(path), tuple(settings))


def _data_config(path: Path, roles: ColumnRoles, options: InitOptions) -> DataConfig:
    text, label = ([column.name for column in columns] for columns in (roles.text, roles.label))
    return DataConfig(
        train=path,
        text=text,
        label=label[0] if len(label) == 1 else label,  # a list would be columns of 0 and 1
        delimiter=options.delimiter,
        encoding=options.encoding,
        # Counts rows without a label instead of failing; it is proposed only if there are any.
        skip_invalid=True,
    )


def _relative_path(file: Path, directory: Path) -> str:
    """Return a path relative to a directory; a leading tilde would mean the home directory."""
    # `Path.relative_to` does not go up by `..` before Python 3.12.
    path = Path(os.path.relpath(file, directory.absolute())).as_posix()
    return f"./{path}" if path.startswith("~") else path
