"""Search space, settings, trials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from embedclf.config.fields import Range, Section
from embedclf.config.messages import describe
from embedclf.config.schema import Config, ModelConfig, TextConfig, TrainingConfig
from embedclf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

Choices: TypeAlias = "list[Any] | Range"

Space: TypeAlias = dict[str, Choices]
"""By key of the config, its section in front."""

Settings: TypeAlias = dict[str, Any]
"""By key of the config, its section in front: one value each."""

_DIGITS = 4
"""Of a number that was drawn; more say nothing, and a person will read them."""

_SECTIONS: dict[str, type[Section]] = {
    "text": TextConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
}


def _times(*factors: float) -> Callable[[int], Choices]:
    """So many times what the config has."""
    return lambda own: [round(own * factor) for factor in factors]


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


_USUAL: dict[str, Callable[[Any], Choices]] = {
    "text.vocabulary_size": _times(0.25, 0.5, 1, 2),
    "text.sequence_length": _times(0.5, 1, 2, 4),
    "text.ngrams": lambda _own: [1, 2, 3],
    "model.embedding_dim": _times(0.25, 0.5, 1, 2),
    "model.initialization": lambda _own: ["random", "naive_bayes"],
    "model.pooling": lambda _own: ["average", "sqrt", "max"],
    "model.hidden_units": lambda _own: [[], [64]],
    "model.dropout": lambda _own: Range(low=0.0, high=0.5, step=0.1),
    "training.batch_size": _times(0.5, 1, 2, 4),
    "training.learning_rate": lambda own: Range(
        low=_short(own / 10), high=_short(own * 10), log=True
    ),
}
"""What is tried of each key where the config names nothing: around what the config has, since
somebody chose that. What the schema does not allow is left out."""


def search_space(config: Config) -> Space:
    """What is tried: what `tune:` names, or else what is usual.

    The config's own setting of each key is always among it.
    """
    named = {
        f"{section}.{key}": choices
        for section in _SECTIONS
        for key, choices in getattr(config.tune, section)
        if choices is not None
    }
    usual = {key: choices(own(config, key)) for key, choices in _USUAL.items()}
    space = named or {key: _allowed(config, key, choices) for key, choices in usual.items()}
    return {key: _with(choices, own(config, key)) for key, choices in space.items()}


def own(config: Config, key: str) -> Any:
    """The plain value that a config has for a key."""
    section, name = key.split(".")
    return config.model_dump(mode="json", include={section: {name}})[section][name]


def own_settings(config: Config, space: Space) -> Settings:
    """What a config has for each key that is tried."""
    return {key: own(config, key) for key in space}


def combinations(space: Space) -> int | None:
    """How many different trials there are; None where numbers are not counted."""
    counts = [_count(choices) for choices in space.values()]
    known = [count for count in counts if count is not None]
    return prod(known) if len(known) == len(counts) else None


def rounded(config: Config, settings: Settings) -> Settings:
    """Settings as a person would write them; numbers that the config has stay to the last digit."""
    return {
        key: _short(value) if isinstance(value, float) and value != own(config, key) else value
        for key, value in settings.items()
    }


def changed(config: Config, settings: Settings) -> Settings:
    """Those settings that are not the config's own."""
    return {key: value for key, value in settings.items() if value != own(config, key)}


def applied(config: Config, settings: Settings) -> Config:
    """The config with settings in place of its own.

    Raises:
        ConfigError: They are not allowed together.
    """
    values = config.model_dump()
    for key, value in settings.items():
        section, name = key.split(".")
        values[section][name] = value
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(map(str, describe(error, Config)))) from error


def plain(space: Space) -> dict[str, Any]:
    """A space as plain values."""
    return {
        key: choices.model_dump(exclude_none=True) if isinstance(choices, Range) else choices
        for key, choices in space.items()
    }


def in_words(settings: Settings) -> str:
    """Settings in a line; the keys are known without their sections."""
    return ", ".join(f"{key.rpartition('.')[2]} {word(value)}" for key, value in settings.items())


def word(value: Any) -> str:
    """A value as YAML would have it."""
    return value if isinstance(value, str) else json.dumps(value)


def _allowed(config: Config, key: str, choices: Choices) -> Choices:
    """Choices without those that the schema refuses beside what the config has."""
    if isinstance(choices, Range):
        return choices
    return [value for value in choices if _fits(config, {key: value})]


def _fits(config: Config, settings: Settings) -> bool:
    try:
        applied(config, settings)
    except ConfigError:
        return False
    return True


def _with(choices: Choices, value: Any) -> Choices:
    """Choices that hold a value: a range is widened, or listed where its steps miss the value."""
    if isinstance(choices, list):
        plain_choices = [_plain(choice) for choice in choices]
        return _once([*plain_choices, *([] if value in plain_choices else [value])])
    low, high, step = choices.low, choices.high, choices.step
    if step is None:
        ends = {"low": min(low, value), "high": max(high, value)}
        return choices.model_copy(update={**ends, "log": choices.log and value > 0})
    listed = [_stepped(low, step, number) for number in range(int((high - low) / step + 1e-9) + 1)]
    return choices if value in listed else sorted([*listed, value])


def _stepped(low: float, step: float, number: int) -> float:
    """A value of a range with steps, in its kind of number, without what binary fractions add."""
    return low + number * step if isinstance(low, int) else round(low + number * step, 12)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, Section) else value


def _once(values: list[Any]) -> list[Any]:
    """Each value once; lists among them cannot be hashed."""
    return [value for place, value in enumerate(values) if value not in values[:place]]


def _count(choices: Choices) -> int | None:
    if isinstance(choices, list):
        return len(choices)
    if choices.step is not None:
        return int((choices.high - choices.low) / choices.step + 1e-9) + 1
    return int(choices.high - choices.low) + 1 if isinstance(choices.low, int) else None


@dataclass(frozen=True)
class Trial:
    """A trial as the study keeps it."""

    number: int
    """From 1, in the order of beginning."""
    state: str
    """complete, pruned, failed, running or given up; the last are not counted."""
    settings: Settings
    score: float | None = None
    """By the metric of the study, on validation rows; None unless complete."""
    loss: float | None = None
    """The lowest validation loss of its epochs."""
    seconds: float = 0.0
    epochs: int = 0
    scores: dict[str, float | None] | None = None
    """All that was measured."""
    reason: str = ""
    """What a failed one failed of."""

    @property
    def counts(self) -> bool:
        """Whether it is finished, one way or another."""
        return self.state in {"complete", "pruned", "failed"}
