"""What choices are based on: written keys of a config, and what its tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.autoconfig.column_profiles import is_unspaced_script, read_sample
from embedclf.autoconfig.column_roles import ColumnRoles, assign_roles
from embedclf.autoconfig.sibling_tables import SiblingTables, find_sibling_tables
from embedclf.autoconfig.table_statistics import TableStatistics, compute_table_statistics
from embedclf.data.tables import open_table
from embedclf.system.arrow import join_columns
from embedclf.system.progress import activity
from embedclf.system.terminal import display_path

if TYPE_CHECKING:
    from embedclf.config.schema import Config

_FEW_LABELS, _MANY_LABELS = 5, 20

_LIST_SEPARATOR = "|"
"""What joins the labels of a list, as in a CSV."""


@dataclass(frozen=True)
class Setting:
    """A key of the config, its value, and the reason for it."""

    key: str
    """With its section: `data.text`."""
    value: Any
    reason: str


@dataclass(frozen=True)
class Evidence:
    """What choices are based on."""

    config: Config
    """Its columns are known."""
    written: frozenset[str]
    """Keys that were written in the config and are not to be chosen: `model.pooling`."""
    roles: ColumnRoles
    statistics: TableStatistics
    siblings: SiblingTables

    def value(self, key: str, chosen: Any) -> Any:
        """Return the value that was written for a key, or else the chosen one."""
        section, _, name = key.partition(".")
        return getattr(getattr(self.config, section), name) if key in self.written else chosen

    @property
    def has_few_labels(self) -> bool:
        """Whether there are so few labels that each has many rows."""
        return len(self.statistics.labels.names) <= _FEW_LABELS

    @property
    def has_many_labels(self) -> bool:
        """Whether there are so many labels that most have few rows."""
        return len(self.statistics.labels.names) > _MANY_LABELS

    @property
    def is_multilabel(self) -> bool:
        """Whether a row can have several labels."""
        return self.statistics.labels.task == "multilabel"

    @property
    def can_flatten(self) -> bool:
        """Whether the pooling is, or may become in a search, `flatten`."""
        tried = self.config.tune.model.pooling  # type: ignore[attr-defined]
        return "flatten" in (self.value("model.pooling", ""), *(tried or ()))


def gather_evidence(config: Config, *, strict: bool) -> Evidence:
    """Read the tables of a config.

    The training table is read twice: a sample for the columns, then all rows for the statistics. No
    text is kept apart from the sample.

    Args:
        config: Keys that were written are taken as they are.
        strict: Whether validation and test tables that were written must be usable.

    Raises:
        DataError: A table cannot be used, or it is unclear which columns hold the text and the
            label.
    """
    data, written = config.data, config.written()
    text = data.text_columns if "data.text" in written else []
    label = data.label_columns if "data.label" in written else []
    name = str(display_path(data.train))
    table = open_table(
        data.train, [*text, *label], delimiter=data.delimiter, encoding=data.encoding, name=name
    )
    with activity("looking at the columns"):
        sample = read_sample(table)
    roles = assign_roles(sample.profiles, name, text=text, label=label)
    texts = join_columns([sample.cells(column.name) for column in roles.text])
    config = _with_data(config, text=roles.text_names, label=roles.label_names)
    known = set(written)
    if roles.has_label_lists and "data.label_separator" not in written:
        config = _with_data(config, label_separator=_LIST_SEPARATOR)
        known.add("data.label_separator")
    statistics = compute_table_statistics(config, known, unspaced=is_unspaced_script(texts))
    # Known only now, and needed to read the labels of other tables.
    config = _with_data(config, label_separator=statistics.separator)
    siblings = find_sibling_tables(config, statistics.labels, written, strict=strict)
    return Evidence(config, written, roles, statistics, siblings)


def _with_data(config: Config, **values: Any) -> Config:
    return config.model_copy(update={"data": config.data.model_copy(update=values)})
