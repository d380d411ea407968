"""Settings of a training that continues from a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from embedclf.autoconfig.data_rules import held_out_fraction
from embedclf.autoconfig.evidence import Setting
from embedclf.autoconfig.rules import MAX_TOKENS, max_ngrams
from embedclf.autoconfig.sibling_tables import find_sibling_tables
from embedclf.autoconfig.training_rules import MIN_REFIT_FRACTION, batch_size_for
from embedclf.config.messages import describe_errors
from embedclf.config.reading import READING_KEYS
from embedclf.config.schema import SECTIONS, Config, auto_keys
from embedclf.data.config_files import check_files
from embedclf.data.labeled import read_labels
from embedclf.data.labels import THRESHOLD, Labels
from embedclf.errors import ConfigError, DataError
from embedclf.system.terminal import format_count
from embedclf.tables.new_tables import NewColumnError, open_new_table
from embedclf.text.vocabulary import RESERVED
from embedclf.tuning.space import format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.runs.run import Run

_FIXED_KEYS = (
    "data.fields",
    "text.unit",
    "text.token_pattern",
    "text.html",
    "text.lowercase",
    "text.ngrams",
    "model.embedding_dim",
    "model.vectors",
    "model.pooling",
    "model.hidden_units",
)
"""Keys that say what the weights of a network mean, so that they cannot change."""

_EPOCHS = 20
"""Upper limit of epochs. With more, the network fits rows of new labels ever better, and those of
old labels worse: on banking77 with 7 new labels, 61 epochs had 1.7 points less on test rows."""

_RATE_FACTOR = 3
"""Learning rate of a training that continues, in those of the run."""


def continue_config(config: Config, run: Run, *, strict: bool) -> tuple[Config, tuple[str, ...]]:
    """Choose the values of keys that a config leaves out: those of the run to continue from.

    The tables and the rows held out depend on the new table. So do the limits of the vocabulary,
    since it grows, and the size of the steps.

    Args:
        config: As `load_config` returns it.
        run: The run.
        strict: Whether validation and test tables that the config names must be usable.

    Returns:
        A config with every key set, and notes about tables that are not used.

    Raises:
        ConfigError: What was written contradicts the run, or a file is missing.
        DataError: A table cannot be used.
    """
    check_files(config)
    written, before = config.written(), run.config()
    _check_fixed(config, before, run)
    values = before.model_dump()
    for section, key in (each.split(".") for each in written):
        values[section][key] = getattr(getattr(config, section), key)
    values["data"] |= {"train": config.data.train, "validation": 0.1, "test": None}
    values["data"]["label"] = _label_columns(config, before, run)
    values["data"]["unlabelled"] = config.data.unlabelled  # those of the run were learned from it
    values["training"]["teacher"] = config.training.teacher
    values["seed"] = config.seed if "seed" in config.model_fields_set else before.seed
    reasons = {
        f"{name}.{key}": f"as in {run.path}"
        for name, section in SECTIONS.items()
        for key, field in section.model_fields.items()
        if f"{name}.{key}" in auto_keys() or values[name][key] != field.get_default()
    }
    values["data"] |= _read_like(values["data"], config, run)
    table, notes = _find_tables(values, config, run, strict=strict)
    for setting in [*_vocabulary_limits(before), *_steps(before, run, table), *table.settings()]:
        if setting.key not in written:
            section, _, name = setting.key.partition(".")
            values[section][name], reasons[setting.key] = setting.value, setting.reason
    reasons = {key: reason for key, reason in reasons.items() if key not in written}
    return _validate(values).with_reasons(reasons), notes


def describe_run(run: Run) -> str:
    """Describe what a training continues from."""
    record = run.record
    vector_words = record.get("vector_words", 0)
    size = [format_count(record["vocabulary"] - vector_words - len(RESERVED), "token")]
    if ngrams := record.get("phrases"):
        size.append(format_count(ngrams, "n-gram"))
    size.append(format_count(len(record["labels"]), "label"))
    return f"{run.path}: {', '.join(size)}; new ones are added"


@dataclass(frozen=True)
class _NewTable:
    """The new training table."""

    rows: int
    labels: Labels
    """Those of the run, then new ones."""
    validation: Tables | float
    test: Tables | None

    def settings(self) -> Iterator[Setting]:
        """Choose the rows to hold out, and what depends on them."""
        held_out = isinstance(self.validation, float) and self.validation >= MIN_REFIT_FRACTION
        reason = "held out of the new rows" if held_out else "chosen for the new rows"
        yield Setting("data.validation", self.validation, reason)
        yield Setting("data.test", self.test, "next to the new table" if self.test else "none")
        reason = "train again on all new rows" if held_out else "few new rows are held out, or none"
        yield Setting("training.refit", held_out, reason)
        if self.labels.task == "multiclass":
            yield Setting("training.threshold", THRESHOLD, "the most probable label is predicted")


def _check_fixed(config: Config, before: Config, run: Run) -> None:
    """Check that a config does not change what the weights of a run mean.

    Raises:
        ConfigError: It does; one line for all keys.
    """
    fixed = [*_FIXED_KEYS, *(["text.sequence_length"] * (before.model.pooling == "flatten"))]
    changed = [
        f"{key}: {format_value(_value(before, key))}"
        for key in fixed
        if key in config.written() and _value(config, key) != _value(before, key)
    ]
    if changed:
        raise ConfigError(
            f"{run.path} has {', '.join(changed)}, which cannot change when a training continues "
            "from it; leave these keys out, or train without --from"
        )


def _label_columns(config: Config, before: Config, run: Run) -> str | list[str]:
    """Return the label columns, those of the run first.

    Raises:
        ConfigError: Rows of one of them can have several labels, and those of the other cannot; or
            a column per label lacks one of the run's labels.
    """
    written = config.written()
    data = before.data.model_copy(
        update={
            key: getattr(config.data, key)
            for key in ("label", "label_separator")
            if f"data.{key}" in written
        }
    )
    forms = [_label_form(each) for each in (before.data, data)]
    if forms[0] != forms[1]:
        raise ConfigError(
            f"{run.path} was trained on {forms[0]}, not on {forms[1]}; write "
            "data.label and data.label_separator as there, or train without --from"
        )
    if isinstance(data.label, str) or isinstance(before.data.label, str):
        return data.label
    if missing := [name for name in before.data.label if name not in data.label]:
        raise ConfigError(
            f"data.label lacks {missing[0]!r}, a label of {run.path}; a training that continues "
            "from a run keeps all of its labels, so add this column"
        )
    return [*before.data.label, *(name for name in data.label if name not in before.data.label)]


def _label_form(data: DataConfig) -> str:
    if isinstance(data.label, list):
        return "columns of 0 and 1, one per label"
    return "one label per row" if data.label_separator is None else "several labels per row"


def _vocabulary_limits(before: Config) -> Iterator[Setting]:
    """Choose limits that leave room for new tokens and n-grams, as for a training from scratch."""
    size = max(before.text.vocabulary_size, MAX_TOKENS + len(RESERVED))
    yield Setting("text.vocabulary_size", size, "an upper limit for old and new tokens")
    ngrams = max(before.text.ngram_vocabulary_size, max_ngrams(before.model.embedding_dim))
    yield Setting("text.ngram_vocabulary_size", ngrams, "an upper limit for old and new n-grams")


def _steps(before: Config, run: Run, table: _NewTable) -> Iterator[Setting]:
    """Choose steps for the number of new rows, which is usually small.

    Old weights take smaller steps than new ones, so that the rate can be larger. Of 1, 3 and 10
    times that of the run, 3 times gave the highest accuracy on the sets of
    `tests/benchmarks/continuing.py`.
    """
    training = before.training
    factor = 1 if run.start is not None else _RATE_FACTOR  # an earlier continuation has applied it
    rate = training.learning_rate * factor
    yield Setting("training.learning_rate", rate, "old weights take only a part of each step")
    reason = "for the number of new rows"
    yield Setting("training.batch_size", batch_size_for(table.rows), reason)
    reason = "the run may have learned the other rows already"
    yield Setting("training.epochs_by", "validation", reason)
    if training.early_stopping is not None:
        stop = format_count(training.early_stopping, "epoch")
        reason = f"an upper limit; training stops after {stop} without improvement"
        yield Setting("training.epochs", _EPOCHS, reason)
        yield Setting("training.schedule", "constant", "early stopping ends the training")


def _read_like(values: dict[str, Any], config: Config, run: Run) -> dict[str, Any]:
    """Return how to read the new table: like that of the run, as far as that fits.

    Raises:
        DataError: The table cannot be read, or lacks a column.
    """
    written = config.written()
    data = _validate({"data": values}).data
    reading = {key: values[key] for key in READING_KEYS if f"data.{key}" in written}
    try:
        _, fitting = open_new_table(data.train, data, reading, labels=True)
    except NewColumnError as error:
        # The message is for commands whose options have other names.
        message = str(error).replace("--text-column", "--text").replace("--label-column", "--label")
        raise DataError(message.replace("the run", str(run.path), 1)) from error
    return {key: getattr(fitting, key) for key in READING_KEYS}


def _find_tables(
    values: dict[str, Any], config: Config, run: Run, *, strict: bool
) -> tuple[_NewTable, tuple[str, ...]]:
    """Read the labels of the new table, and find tables next to it; also return notes on these."""
    written = config.written()
    splits = {key: getattr(config.data, key) for key in ("validation", "test")}
    named = {key: value for key, value in splits.items() if f"data.{key}" in written}
    values["data"] |= named
    if "training.refit" not in written:
        values["training"]["refit"] = False  # decided later, and impossible with some tables
    checked = _validate(values)
    rows = read_labels(checked.data.train, checked.data)
    known = run.labels()
    labels = Labels.fit(rows, checked.data, start=known)
    siblings = find_sibling_tables(checked, labels, written, strict=strict)
    validation = siblings.validation or named.get("validation", held_out_fraction(len(rows)))
    return _NewTable(len(rows), labels, validation, siblings.test), siblings.notes


def _validate(values: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(map(str, describe_errors(error, Config)))) from error


def _value(config: Config, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)
