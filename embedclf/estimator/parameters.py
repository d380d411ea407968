"""Parameters of the estimator: keys of the config, with their defaults, and back to a config."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import ValidationError

from embedclf.config.fields import AUTO
from embedclf.config.messages import closest_match, describe_errors
from embedclf.config.schema import SECTIONS, Config, auto_keys
from embedclf.config.sections import BUILT_IN_VECTORS
from embedclf.errors import ConfigError
from embedclf.estimator.targets import label_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Constructor = TypeVar("Constructor", bound=Callable[..., None])

_DATA_KEYS = ("text", "fields", "validation")
"""Keys of `data` that say something of X; the others say how to read a file."""

_NOT_OFFERED = ("teacher",)
"""Keys that need a table beside X."""


def _section_keys() -> dict[str, tuple[str, str]]:
    """Return the section and the key of each parameter but `seed`, in the order of the schema."""
    return {
        key: (section, key)
        for section, model in SECTIONS.items()
        for key in (_DATA_KEYS if section == "data" else model.model_fields)
        if key not in _NOT_OFFERED
    }


def _default(section: str, key: str) -> Any:
    if f"{section}.{key}" in auto_keys():
        return AUTO
    default = SECTIONS[section].model_fields[key].get_default(call_default_factory=True)
    return tuple(default) if isinstance(default, list) else default  # all instances share it


_KEYS = _section_keys()

PARAMETERS: dict[str, Any] = {
    **{name: _default(*place) for name, place in _KEYS.items()},
    "seed": Config.model_fields["seed"].default,
}
"""The parameters of the estimator with their defaults."""


def with_parameters(constructor: Constructor) -> Constructor:
    """Give a constructor that takes keywords the signature that scikit-learn and `help` read."""
    kinds = inspect.Parameter
    parameters = [
        kinds("self", kinds.POSITIONAL_OR_KEYWORD),
        *(kinds(name, kinds.KEYWORD_ONLY, default=value) for name, value in PARAMETERS.items()),
    ]
    vars(constructor)["__signature__"] = inspect.Signature(parameters)
    return constructor


def complete(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each parameter: as it is passed, else its default.

    Raises:
        TypeError: There is no parameter of a name.
    """
    for name in parameters.keys() - PARAMETERS.keys():
        close = closest_match(name, PARAMETERS)
        hint = f"; did you mean {close!r}?" if close else ""
        raise TypeError(f"TextClassifier() got an unexpected keyword argument {name!r}{hint}")
    return {**PARAMETERS, **parameters}


def make_config(parameters: Mapping[str, Any], data: Mapping[str, Any]) -> Config:
    """Make a config from parameters; those that are `auto` are left out, to be chosen from data.

    Args:
        parameters: Values by name, as `complete` returns them.
        data: Keys of `data` that the rows set; they replace those of the parameters.

    Raises:
        ConfigError: A value is invalid; one line per fault.
    """
    values: dict[str, Any] = {section: {} for section in SECTIONS}
    for name, (section, key) in _KEYS.items():
        if not isinstance(parameters[name], str) or parameters[name] != AUTO:
            values[section][key] = _plain(parameters[name])
    for key, built_in in BUILT_IN_VECTORS.items():
        if isinstance(file := values["model"].get(key), str) and file not in built_in:
            values["model"][key] = os.path.abspath(os.path.expanduser(file))
    if isinstance(fraction := values["data"].get("validation"), str | list):
        raise ConfigError(f"validation: must be a fraction from 0 to 1, not {fraction!r}")
    values["data"] |= data
    values["seed"] = _plain(parameters["seed"])
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        faults = describe_errors(error, Config)
        lines = [f"{'.'.join(each.keys[1:] or each.keys)}: {each.sentence}" for each in faults]
        raise ConfigError("\n".join(lines)) from error


def parameters_of(config: Config) -> dict[str, Any]:
    """Return the parameters that train with the settings of a config, such as that of a run."""
    values = config.model_dump()
    parameters = {name: values[section][key] for name, (section, key) in _KEYS.items()}
    if not isinstance(config.data.validation, float):  # a table, beside X
        parameters["validation"] = AUTO
    return {**parameters, "seed": config.seed}


def _plain(value: Any) -> Any:
    """Turn what grids of parameters hold into the types of YAML: NumPy's numbers, tuples."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {label_name(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
