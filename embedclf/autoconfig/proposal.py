"""A config whose open keys are chosen: as YAML with reasons, as facts, in a few lines."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.config.loading import dump_config, named_tables
from embedclf.config.schema import auto_keys
from embedclf.system.terminal import (
    display_path,
    format_count,
    format_definitions,
    format_percent,
)
from embedclf.tables.files import display_location, list_tables
from embedclf.tuning.space import format_value

if TYPE_CHECKING:
    from embedclf.config.schema import Config

_HEADER = (
    "The comment above a setting says why it was chosen. See what training would read with "
    "`embedclf check`, then run `embedclf train`."
)


@dataclass(frozen=True)
class Proposal:
    """A config whose open keys were chosen from the data."""

    name: str
    """For the config file, runs and studies."""
    config: Config
    written: frozenset[str]
    """Keys that were not chosen but written: `model.pooling`."""
    notes: tuple[str, ...] = ()
    """What is not used as one may expect, in words."""
    start: str = ""
    """What the training continues from, in words; empty if from nothing."""

    @property
    def chosen(self) -> list[str]:
        """The keys that were chosen, in the order of the schema."""
        reasons = self.config.reasons
        return [key for key in auto_keys() if key in reasons and key not in self.written]

    def to_yaml(self, directory: Path) -> str:
        """Format the config as YAML for a directory, with a comment above each chosen setting.

        Keys that have a fixed default are left out unless they were written.
        """
        keys = self.written | {"data.train", *auto_keys(), *self.config.reasons}
        return dump_config(self.config, directory, keys=keys, header=_HEADER)

    def facts(self) -> dict[str, Any]:
        """Return each setting by its key, with its value and reason, as plain values."""
        keys = dict.fromkeys(["data.train", *auto_keys(), *self.config.reasons])
        settings = {}
        for key in [*keys, *sorted(self.written - keys.keys() - {"seed"})]:
            section, _, name = key.partition(".")
            value = getattr(getattr(self.config, section), name)
            if isinstance(value, Path):
                value = str(display_path(value))
            elif key.removeprefix("data.") in named_tables(self.config):
                shown = [display_location(each) for each in list_tables(value)]
                value = shown[0] if isinstance(value, str) else shown
            settings[key] = {"value": value, "reason": self.config.reasons.get(key, "as requested")}
        return {"settings": settings}

    def columns_text(self, config_file: Path | None) -> str:
        """Describe the data, and what to run next if the config was written to a file."""
        reasons = self.config.reasons
        shown = ("train", "text", "label", "validation", "test")
        entries = [(key, reasons.get(f"data.{key}", "as requested")) for key in shown]
        if self.config.data.unlabelled is not None:
            entries.append(("unlabeled", reasons.get("training.teacher", "as requested")))
        entries += [
            (key.removeprefix("data."), f"{self._format_value(key)}: {reason}")
            for key, reason in reasons.items()
            if key not in {"data.train", *auto_keys()}
        ]
        if config_file is not None:
            file = shlex.quote(str(config_file))
            entries.append(("next", f"embedclf check {file} && embedclf train {file}"))
        return format_definitions(entries)

    def settings_text(self) -> str:
        """Describe the settings that matter most, in three lines."""
        return format_definitions(
            [
                ("columns", _describe_columns(self.config)),
                ("from", self.start) if self.start else ("text", _describe_text(self.config)),
                ("network", _describe_network(self.config)),
                *(("note", note) for note in self.notes),
            ]
        )

    def _format_value(self, key: str) -> str:
        section, _, name = key.partition(".")
        return format_value(getattr(getattr(self.config, section), name))


def _describe_columns(config: Config) -> str:
    data = config.data
    text, label = ", ".join(data.text_columns), ", ".join(data.label_columns)
    validation = "a table"
    if isinstance(data.validation, float):
        validation = f"{format_percent(data.validation, places=0)} of the rows"
    separator = f" (separated by {data.label_separator!r})" if data.label_separator else ""
    fields = f" · fields: {', '.join(data.fields)}" if data.fields else ""
    return f"text: {text}{fields} · label: {label}{separator} · validation: {validation}"


def _describe_text(config: Config) -> str:
    text = config.text
    ngrams = f" · n-grams up to {text.ngrams}" if text.ngrams > 1 else ""
    return (
        f"{text.vocabulary_size - 2:,} {text.unit}s{ngrams} · at most "
        f"{format_count(text.sequence_length, 'token')} per text"
    )


def _describe_network(config: Config) -> str:
    model, training = config.model, config.training
    refit = ", then a refit" if training.refit else ""
    return (
        f"{format_count(model.embedding_dim, 'dimension')}, {model.pooling} pooling · up to "
        f"{format_count(training.epochs, 'epoch')}{refit}"
    )
