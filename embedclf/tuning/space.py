"""Search space, settings, trials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from embedclf.config.fields import Range, Section
from embedclf.config.messages import describe_errors
from embedclf.config.schema import Config
from embedclf.config.sections import ModelConfig, TextConfig, TrainingConfig
from embedclf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

Choices: TypeAlias = "list[Any] | Range"

Space: TypeAlias = dict[str, Choices]
"""Choices by config key, written with its section: `model.dropout`."""

Settings: TypeAlias = dict[str, Any]
"""One value by config key, written with its section."""

_SIGNIFICANT_DIGITS = 4
"""Digits of sampled numbers; more would not affect the score, and are hard to read."""

_SECTIONS: dict[str, type[Section]] = {
    "text": TextConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
}


@dataclass(frozen=True)
class Trial:
    """A trial as the study stores it."""

    number: int
    """From 1, in the order in which trials started."""
    state: str
    """complete, pruned, failed, running, or given up."""
    settings: Settings
    score: float | None = None
    """The study's metric on the validation rows; None unless complete."""
    loss: float | None = None
    """The lowest validation loss of its epochs."""
    seconds: float = 0.0
    epochs: int = 0
    scores: dict[str, float | None] | None = None
    """Every metric that was computed."""
    reason: str = ""
    """Why the trial failed."""

    @property
    def is_finished(self) -> bool:
        """Whether the trial ended; an abandoned one starts again under another number."""
        return self.state in {"complete", "pruned", "failed"}


def _multiples(*factors: float) -> Callable[[int], Choices]:
    """Return a function that multiplies the config's value by each factor."""
    return lambda value: [round(value * factor) for factor in factors]


def _round_significant(value: float) -> float:
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")


_DEFAULT_SPACE: dict[str, Callable[[Any], Choices]] = {
    "text.vocabulary_size": _multiples(0.25, 0.5, 1, 2),
    "text.sequence_length": _multiples(0.5, 1, 2, 4),
    "text.ngrams": lambda _value: [1, 2, 3],
    "model.embedding_dim": _multiples(0.25, 0.5, 1, 2),
    "model.initialization": lambda _value: ["random", "naive_bayes"],
    "model.pooling": lambda _value: ["average", "sqrt", "max"],
    "model.hidden_units": lambda _value: [[], [64]],
    "model.dropout": lambda _value: Range(low=0.0, high=0.5, step=0.1),
    "training.batch_size": _multiples(0.5, 1, 2, 4),
    "training.learning_rate": lambda value: Range(
        low=_round_significant(value / 10), high=_round_significant(value * 10), log=True
    ),
}
"""Choices if the config has no `tune` section. They surround the config's own values. Values that
the schema rejects are left out."""


def make_space(config: Config) -> Space:
    """Return the search space: what `tune:` names, or else the default one.

    The config's own value of each key is always among the choices.
    """
    named = {
        f"{section}.{key}": choices
        for section in _SECTIONS
        for key, choices in getattr(config.tune, section)  # pydantic yields (field, value) pairs
        if choices is not None
    }
    default = {key: choices(config_value(config, key)) for key, choices in _DEFAULT_SPACE.items()}
    space = named or {key: _valid(config, key, choices) for key, choices in default.items()}
    return {key: _including(choices, config_value(config, key)) for key, choices in space.items()}


def count_combinations(space: Space) -> int | None:
    """Count the different trials that are possible; None if a range has real numbers."""
    counts = [_count(choices) for choices in space.values()]
    known = [count for count in counts if count is not None]
    return prod(known) if len(known) == len(counts) else None


def space_to_json(space: Space) -> dict[str, Any]:
    """Return a space as plain values."""
    return {
        key: choices.model_dump(exclude_none=True) if isinstance(choices, Range) else choices
        for key, choices in space.items()
    }


def config_value(config: Config, key: str) -> Any:
    """Return the plain value that a config has for a key."""
    section, name = key.split(".")
    # As JSON values, so they compare equal to the settings that a study has stored.
    return config.model_dump(mode="json", include={section: {name}})[section][name]


def baseline_settings(config: Config, space: Space) -> Settings:
    """Return the config's own value of each key that is searched."""
    return {key: config_value(config, key) for key in space}


def changed_settings(config: Config, settings: Settings) -> Settings:
    """Return the settings that differ from the config's own."""
    return {key: value for key, value in settings.items() if value != config_value(config, key)}


def round_settings(config: Config, settings: Settings) -> Settings:
    """Round sampled numbers; a number that equals the config's own keeps all of its digits."""
    return {
        key: _round_significant(value)
        if isinstance(value, float) and value != config_value(config, key)
        else value
        for key, value in settings.items()
    }


def apply_settings(config: Config, settings: Settings) -> Config:
    """Return the config with settings in place of its own.

    Raises:
        ConfigError: The settings are invalid, alone or together.
    """
    values = config.model_dump()
    for key, value in settings.items():
        section, name = key.split(".")
        values[section][name] = value
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(map(str, describe_errors(error, Config)))) from error


def format_settings(settings: Settings) -> str:
    """Format settings as one line; keys are shown without their sections."""
    return ", ".join(
        f"{key.rpartition('.')[2]} {format_value(value)}" for key, value in settings.items()
    )


def format_value(value: Any) -> str:
    """Format a value as YAML would."""
    return str(value) if isinstance(value, str | Path) else json.dumps(value)


def _valid(config: Config, key: str, choices: Choices) -> Choices:
    """Drop the values that the schema rejects together with the config's other settings."""
    if isinstance(choices, Range):
        return choices
    return [value for value in choices if _is_valid(config, {key: value})]


def _is_valid(config: Config, settings: Settings) -> bool:
    try:
        apply_settings(config, settings)
    except ConfigError:
        return False
    return True


def _including(choices: Choices, value: Any) -> Choices:
    """Add a value: a range is widened, or listed if its steps do not reach the value."""
    if isinstance(choices, list):
        return _unique([*map(_to_plain, choices), value])
    low, high, step = choices.low, choices.high, choices.step
    if step is None:
        ends = {"low": min(low, value), "high": max(high, value)}
        # A logarithmic scale cannot include a value of 0.
        return choices.model_copy(update={**ends, "log": choices.log and value > 0})
    listed = [_step_value(low, step, index) for index in range(_count_steps(choices, step))]
    return choices if value in listed else sorted([*listed, value])


def _step_value(low: float, step: float, index: int) -> float:
    """Return a value of a range with steps, without the rounding error of binary fractions."""
    return low + index * step if isinstance(low, int) else round(low + index * step, 12)


def _to_plain(value: Any) -> Any:
    """Return a choice as `config_value` would."""
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    return str(value) if isinstance(value, Path) else value


def _unique(values: list[Any]) -> list[Any]:
    """Drop repeated values; a set would not do, because lists cannot be hashed."""
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _count(choices: Choices) -> int | None:
    if isinstance(choices, list):
        return len(choices)
    if choices.step is not None:
        return _count_steps(choices, choices.step)
    return int(choices.high - choices.low) + 1 if isinstance(choices.low, int) else None


def _count_steps(choices: Range, step: float) -> int:
    return int((choices.high - choices.low) / step + 1e-9) + 1  # 0.5 / 0.1 may be 4.999...
