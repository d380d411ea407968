"""init: a table -> a commented config."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.autoconfig.column_profiles import are_unspaced, sample
from embedclf.autoconfig.column_roles import assign_roles
from embedclf.autoconfig.rules import Setting, choose
from embedclf.autoconfig.sibling_tables import base_name, find_sibling_tables
from embedclf.autoconfig.table_statistics import table_statistics
from embedclf.config.schema import DataConfig
from embedclf.config.yaml_file import write
from embedclf.data.tables import open_table
from embedclf.system.arrow import join_columns
from embedclf.system.terminal import listing

if TYPE_CHECKING:
    from embedclf.autoconfig.column_roles import ColumnRoles

_HEAD = (
    "A config that `embedclf init` made from the table; the line above a setting tells why. See "
    "what training would read with `embedclf check`, then `embedclf train`."
)


@dataclass(frozen=True)
class GivenRoles:
    """What is known of a table beforehand; all else is found out."""

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
    """What to call the config."""
    choices: tuple[Setting, ...]

    def to_yaml(self, folder: Path) -> str:
        """The config as YAML, to stand in a folder, with a comment above each setting."""
        sections: dict[str, dict[str, Any]] = {}
        comments: dict[tuple[str, ...], str] = {("data",): _HEAD}
        for choice in self.choices:
            value = choice.value
            if isinstance(value, Path):
                value = _relative(value, folder)
            sections.setdefault(choice.section, {})[choice.key] = value
            comments[choice.section, choice.key] = choice.reason
        return write(sections, comments)

    def facts(self) -> dict[str, Any]:
        """Each setting by its key, its value and its reason, as plain values."""
        return {
            "settings": {
                f"{one.section}.{one.key}": {
                    "value": str(one.value) if isinstance(one.value, Path) else one.value,
                    "reason": one.reason,
                }
                for one in self.choices
            }
        }

    def summary(self, target: Path | None) -> str:
        """What was found, and what to type next where the config stands in a file."""
        shown = ("data.train", "data.text", "data.label", "data.validation", "data.test")
        entries = [(one.key, one.reason) for one in self.choices if one.path in shown]
        if target is not None:
            file = shlex.quote(str(target))
            entries.append(("next", f"embedclf check {file} && embedclf train {file}"))
        return listing(entries)


def propose(path: Path, known: GivenRoles) -> Proposal:
    """Look at a table and propose a config that trains on it as it stands.

    All rows are read once for their columns and once to be counted; no text is kept but a sample.

    Raises:
        DataError: The table, or another that was named, cannot be used, or it cannot be told which
            columns hold texts and labels.
    """
    table = open_table(
        path, [*known.text, *known.label], delimiter=known.delimiter, encoding=known.encoding
    )
    seen = sample(table)
    found = assign_roles(seen.profiles, table.name, text=known.text, label=known.label)
    texts = join_columns([seen.cells(column.name) for column in found.text])
    config = _data_config(path, found, known)
    counted = table_statistics(config, "character" if are_unspaced(texts) else "word")
    config = config.model_copy(update={"label_separator": counted.separator})
    companions = find_sibling_tables(
        config, counted.labels, validation=known.validation, test=known.test
    )
    choices = choose(config, found, counted, companions)
    return Proposal(base_name(path), tuple(choices))


def _data_config(path: Path, found: ColumnRoles, known: GivenRoles) -> DataConfig:
    text, label = ([column.name for column in columns] for columns in (found.text, found.label))
    return DataConfig(
        train=path,
        text=text,
        label=label[0] if len(label) == 1 else label,
        delimiter=known.delimiter,
        encoding=known.encoding,
        skip_invalid=True,
    )


def _relative(file: Path, folder: Path) -> str:
    """A path as a config in a folder names it; a tilde in front would be a home."""
    path = Path(os.path.relpath(file, folder.absolute())).as_posix()
    return f"./{path}" if path.startswith("~") else path
