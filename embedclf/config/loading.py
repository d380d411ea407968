"""YAML file + overrides -> Config, and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from embedclf.config.messages import ConfigFault, describe
from embedclf.config.schema import FILES, SOURCES, Config
from embedclf.config.yaml_file import Document, YamlError, parse, parse_value, write
from embedclf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PATHS = (*(("data", key) for key in FILES), ("model", "initialization"))
"""Where a string may be a path."""


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a YAML config, apply overrides, check everything.

    Paths in the file are taken from the file's folder, paths in an override from the working
    directory; the config returned holds absolute ones.

    Args:
        path: The YAML file.
        overrides: `section.key=value` each, the value in YAML; later ones win.

    Raises:
        ConfigError: The file cannot be read or parsed, or holds faults: all of them, a line each,
            with file, line and column (or the override) in front.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a config file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    try:
        document = parse(text)
    except YamlError as error:
        raise ConfigError(f"{path}:{error.line}:{error.column}: {error}") from error
    overridden, lines = _override(document, overrides)
    _resolve_files(document, path.parent, overridden)
    faults = [ConfigFault(keys, "given twice; keep one") for keys in document.repeated]
    try:
        config = Config.model_validate(document.values)
    except ValidationError as error:
        faults += describe(error, Config)
    lines += _lines(faults, document, path, overridden)
    if lines:
        raise ConfigError("\n".join(lines))
    return config


def named_files(config: Config) -> dict[tuple[str, str], Path]:
    """The files that a config names, by section and key."""
    named = {keys: getattr(getattr(config, keys[0]), keys[1]) for keys in _PATHS}
    return {keys: file for keys, file in named.items() if isinstance(file, Path)}


def dump_config(config: Config, directory: Path) -> str:
    """Write a config as YAML with every default, its paths relative to a folder.

    Args:
        config: The config, with absolute paths.
        directory: The folder that the YAML file will stand in.

    Returns:
        YAML that `load_config` reads back to an equal config from that folder, but for what
        `tune` tries, which is no part of a training.
    """
    sections = config.model_dump(mode="json", exclude={"tune"})
    for (section, key), file in named_files(config).items():
        sections[section][key] = Path(os.path.relpath(file, directory.absolute())).as_posix()
    return write(sections)


def _override(
    document: Document, overrides: Iterable[str]
) -> tuple[dict[tuple[str, ...], str], list[str]]:
    """Set the overridden keys in the document.

    Returns:
        Which override each path came from, and what is wrong with overrides as such.
    """
    sources, faults = {}, []
    for override in overrides:
        dotted, equals, given = override.partition("=")
        keys = tuple(dotted.strip().split("."))
        if not equals or not all(keys):
            faults.append(f"-s {override}: no KEY=VALUE; write it as -s model.embedding_dim=64")
            continue
        try:
            document.set(keys, parse_value(given))
        except YamlError as error:
            faults.append(f"-s {override}: {error}")
        sources[keys] = f"-s {override}"
    return sources, faults


def _resolve_files(
    document: Document, directory: Path, overridden: Mapping[tuple[str, ...], str]
) -> None:
    """Make the paths absolute: from the config's folder, or the working directory for -s."""
    for name, key in _PATHS:
        section = document.values.get(name)
        given = section.get(key) if isinstance(section, dict) else None
        if section is None or not isinstance(given, str) or not given:
            continue
        if name == "data" or given not in SOURCES:
            by_hand = (name, key) in overridden or (name,) in overridden
            base = Path() if by_hand else directory
            section[key] = os.path.abspath(base / os.path.expanduser(given))


def _lines(
    faults: Iterable[ConfigFault],
    document: Document,
    path: Path,
    overridden: Mapping[tuple[str, ...], str],
) -> list[str]:
    """A line a fault, its place in front, in the order of the file."""
    placed = []
    for fault in faults:
        override = next((s for k, s in overridden.items() if fault.keys[: len(k)] == k), None)
        line, column = document.place(fault.keys)
        placed.append((line, column, f"{override or f'{path}:{line}:{column}'}: {fault}"))
    return [text for *_, text in sorted(placed, key=lambda entry: entry[:2])]
