"""YAML file + overrides -> Config, and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from embedclf.config.messages import ConfigFault, describe_errors
from embedclf.config.schema import BUILT_IN_INITIALIZATIONS, DATA_FILES, Config
from embedclf.config.yaml_file import Document, YamlError, dump_yaml, parse_value, parse_yaml
from embedclf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from embedclf.config.yaml_file import KeyPath

_PATH_KEYS = (*(("data", key) for key in DATA_FILES), ("model", "initialization"))
"""Keys whose string can be a path."""


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a YAML config, apply overrides, and validate everything.

    Relative paths in the file start at the file's directory, those in an override at the
    working directory; the returned config holds absolute ones.

    Args:
        path: The YAML file.
        overrides: `section.key=value` each, the value in YAML; later ones win.

    Raises:
        ConfigError: The file cannot be read or parsed, or has faults. The message lists all of
            them, one line each, starting with file, line and column (or the override).
    """
    try:
        # utf-8-sig: some editors begin a file with a byte-order mark.
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a config file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    try:
        document = parse_yaml(text)
    except YamlError as error:
        raise ConfigError(f"{path}:{error.line}:{error.column}: {error}") from error
    overridden, lines = _apply_overrides(document, overrides)
    _resolve_paths(document, path.parent, overridden)
    faults = [ConfigFault(keys, "given twice; keep one") for keys in document.duplicate_keys]
    try:
        config = Config.model_validate(document.values)
    except ValidationError as error:
        faults += describe_errors(error, Config)
    lines += _fault_lines(faults, document, path, overridden)
    if lines:
        raise ConfigError("\n".join(lines))
    return config


def named_files(config: Config) -> dict[tuple[str, str], Path]:
    """Return the files that a config names, by section and key."""
    named = {keys: getattr(getattr(config, keys[0]), keys[1]) for keys in _PATH_KEYS}
    return {keys: file for keys, file in named.items() if isinstance(file, Path)}


def dump_config(config: Config, directory: Path) -> str:
    """Write a config as YAML with every default and with paths relative to a directory.

    Args:
        config: The config, with absolute paths.
        directory: Where the YAML file will be.

    Returns:
        YAML that `load_config` reads back from that directory as an equal config. `tune` is left
        out because it does not affect a training.
    """
    sections = config.model_dump(mode="json", exclude={"tune"})
    for (section, key), file in named_files(config).items():
        # as_posix: forward slashes work on every system.
        sections[section][key] = Path(os.path.relpath(file, directory.absolute())).as_posix()
    return dump_yaml(sections)


def _apply_overrides(
    document: Document, overrides: Iterable[str]
) -> tuple[dict[KeyPath, str], list[str]]:
    """Set the overridden keys in the document.

    Returns:
        The override that set each key path, and a line for each malformed override.
    """
    overridden, lines = {}, []
    for override in overrides:
        dotted, equals, value = override.partition("=")
        keys = tuple(dotted.strip().split("."))
        if not equals or not all(keys):
            lines.append(f"-s {override}: no KEY=VALUE; write it as -s model.embedding_dim=64")
            continue
        try:
            document.set(keys, parse_value(value))
        except YamlError as error:
            lines.append(f"-s {override}: {error}")
        overridden[keys] = f"-s {override}"
    return overridden, lines


def _resolve_paths(document: Document, directory: Path, overridden: Mapping[KeyPath, str]) -> None:
    """Make paths absolute, from the config's directory or, in overrides, the working directory."""
    for name, key in _PATH_KEYS:
        section = document.values.get(name)
        value = section.get(key) if isinstance(section, dict) else None
        if section is None or not isinstance(value, str) or not value:
            continue
        if name == "data" or value not in BUILT_IN_INITIALIZATIONS:
            # A whole section can be overridden, too: -s 'data={train: rows.csv}'.
            from_override = (name, key) in overridden or (name,) in overridden
            base = Path() if from_override else directory
            section[key] = os.path.abspath(base / os.path.expanduser(value))


def _fault_lines(
    faults: Iterable[ConfigFault],
    document: Document,
    path: Path,
    overridden: Mapping[KeyPath, str],
) -> list[str]:
    """Format each fault as a line that starts with its place, in the order of the file."""
    placed = []
    for fault in faults:
        overrides = (text for keys, text in overridden.items() if fault.keys[: len(keys)] == keys)
        line, column = document.position(fault.keys)
        place = next(overrides, f"{path}:{line}:{column}")
        placed.append((line, column, f"{place}: {fault}"))
    # By position only, so faults at the same place stay in order.
    return [text for *_, text in sorted(placed, key=lambda entry: entry[:2])]
