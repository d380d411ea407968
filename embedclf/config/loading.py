"""YAML file + overrides -> Config, and back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from embedclf.config.data_section import DATA_FILES
from embedclf.config.fields import AUTO
from embedclf.config.messages import ConfigFault, describe_errors
from embedclf.config.reading import option_name
from embedclf.config.schema import SECTIONS, Config, auto_keys
from embedclf.config.sections import BUILT_IN_VECTORS
from embedclf.config.yaml_file import (
    Document,
    YamlError,
    parse_value,
    parse_yaml,
    undo_escapes,
)
from embedclf.config.yaml_writer import dump_yaml
from embedclf.errors import ConfigError
from embedclf.system.control_characters import escape_controls
from embedclf.system.storage import is_uri, name_fault
from embedclf.system.terminal import display_path, format_count, shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from embedclf.config.fields import Tables
    from embedclf.config.yaml_file import KeyPath

_PATH_KEYS = (
    *(("data", key) for key in DATA_FILES),
    *(("model", key) for key in BUILT_IN_VECTORS),
)
"""Keys whose strings can be paths."""

_MAX_FAULTS, _MAX_SHOWN = 50, 200
"""Faults to list, and characters of an override or of a key in them."""


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a YAML config, apply overrides, and validate everything.

    Relative paths in the file start at the file's directory, those in an override at the
    working directory; the returned config holds absolute ones. Keys that are `auto` count as left
    out; `embedclf.autoconfig.resolve` chooses their values.

    Args:
        path: The YAML file.
        overrides: `section.key=value` each, the value in YAML; later ones win.

    Raises:
        ConfigError: The file cannot be read or parsed, or has faults. The message lists all of
            them, one line each, starting with file, line and column (or the override).
    """
    try:
        # utf-8-sig: some editors begin a file with a byte-order mark.
        return parse_config(path.read_text(encoding="utf-8-sig"), path, overrides)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a config or a table") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def parse_config(text: str, path: Path, overrides: Iterable[str] = ()) -> Config:
    """Validate a text as the config that its file would be; raises as `load_config`."""
    try:
        document = parse_yaml(text)
    except YamlError as error:
        raise ConfigError(f"{path}:{error.line}:{error.column}: {error}") from error
    return _validate(document, path, overrides)


def table_config(table: str, values: Mapping[str, Any], overrides: Iterable[str] = ()) -> Config:
    """Make a config for a table, with everything else left out; raises as `load_config`.

    Args:
        table: The training table: a file, a folder, a pattern or a URI.
        values: Further keys of `data`.
        overrides: As for `load_config`.
    """
    location = _absolute(table, Path())
    if fault := name_fault(location):
        place = table if name_fault(table) else location  # the folder can be at fault
        raise ConfigError(f"{place}: {fault}")
    document = Document({"data": {"train": location, **values}})
    options: dict[KeyPath, str] = {
        ("data", key): f"{option_name(key)} {value}" if isinstance(value, str) else option_name(key)
        for key, value in values.items()
    }
    return _validate(document, Path(table), overrides, options)


def named_tables(config: Config) -> dict[str, Tables]:
    """Return the tables that a config names, by key of `data`."""
    named = {key: getattr(config.data, key) for key in DATA_FILES}
    return {key: each for key, each in named.items() if isinstance(each, str | tuple)}


def named_paths(config: Config, directory: Path) -> dict[tuple[str, str], str | list[str]]:
    """Return the paths that a config names, relative to a directory, by section and key.

    URIs stay as they are.
    """
    named = {
        ("data", key): relative_path(each, directory)
        if isinstance(each, str)
        else [relative_path(path, directory) for path in each]
        for key, each in named_tables(config).items()
    }
    for key in BUILT_IN_VECTORS:
        if isinstance(vectors := getattr(config.model, key), Path):
            named["model", key] = relative_path(str(vectors), directory)
    return named


def dump_config(
    config: Config, directory: Path, *, keys: Collection[str] | None = None, header: str = ""
) -> str:
    """Write a config as YAML, with the reasons of chosen values as comments.

    Args:
        config: The config, with absolute paths.
        directory: Where the YAML file will be; paths are written relative to it.
        keys: What to write, such as `model.pooling`; None writes every key.
        header: Comment at the top.

    Returns:
        YAML that `load_config` reads back from that directory as an equal config. `tune` is left
        out because it does not affect a training.
    """
    values = config.model_dump(mode="json", exclude={"tune"})
    for (section, key), paths in named_paths(config, directory).items():
        values[section][key] = paths
    for key in ("text", "label"):
        # As a plain word it would mean that the column is to be found.
        values["data"][key] = [AUTO] if values["data"][key] == AUTO else values["data"][key]
    seed = values.pop("seed")
    if keys is not None:
        values = {
            section: {key: value for key, value in content.items() if f"{section}.{key}" in keys}
            for section, content in values.items()
        }
    sections = {section: content for section, content in values.items() if content}
    if keys is None or "seed" in keys:
        sections["seed"] = seed
    comments: dict[KeyPath, str] = {
        tuple(path.split(".")): reason for path, reason in config.reasons.items()
    }
    return dump_yaml(sections, comments | {("data",): header})


def relative_path(file: str, directory: Path) -> str:
    """Return a path relative to a directory, as a config writes it; a URI stays as it is."""
    if is_uri(file):
        return file
    # `relative_to` has no `..` before Python 3.12, and forward slashes work on every system.
    path = Path(os.path.relpath(file, directory.absolute())).as_posix()
    # A leading tilde would mean the home directory, and `auto` a table to find.
    return f"./{path}" if path.startswith("~") or path == AUTO else path


def _validate(
    document: Document,
    path: Path,
    overrides: Iterable[str],
    options: Mapping[KeyPath, str] | None = None,
) -> Config:
    """Apply overrides to a document that was read from a path, and validate it.

    Faults of keys that options of the command line have set begin with these `options`.
    """
    overridden, lines = _apply_overrides(document, overrides)
    overridden = {**(options or {}), **overridden}
    twice = dict.fromkeys(document.duplicate_keys)
    faults = [ConfigFault(keys, "appears twice; keep one") for keys in twice]
    faults += _remove_auto(document)
    faults += _find_path_faults(document, path.parent, overridden)
    _resolve_paths(document, path.parent, overridden)
    unlisted = 0
    try:
        config = Config.model_validate(document.values)
    except ValidationError as error:
        # A key at fault is reported once.
        known = {fault.keys for fault in faults}
        described = describe_errors(error, Config, limit=_MAX_FAULTS)
        faults += [fault for fault in described if fault.keys not in known]
        unlisted = max(0, error.error_count() - _MAX_FAULTS)
    lines += _fault_lines(faults, document, path, overridden)
    if lines:
        if unlisted := unlisted + len(lines[_MAX_FAULTS:]):
            lines[_MAX_FAULTS:] = [f"{path}: and {format_count(unlisted, 'more fault')}"]
        raise ConfigError("\n".join(lines))
    return config


def _remove_auto(document: Document) -> list[ConfigFault]:
    """Leave out the keys that are `auto`, and return a fault for those that cannot be."""
    faults, possible = [], auto_keys()
    for section, key in [(s, key) for s in SECTIONS for key in _mapping(document, s)]:
        content, path = _mapping(document, section), f"{section}.{key}"
        if path in ("data.text", "data.label") and content[key] == [AUTO]:
            content[key] = AUTO  # a column of that name
        elif content[key] == AUTO and path in possible:
            del content[key]
        elif content[key] == AUTO and path != "training.device":
            faults += _describe_auto(section, key)
    return faults


def _describe_auto(section: str, key: str) -> list[ConfigFault]:
    field = SECTIONS[section].model_fields.get(key)
    if field is None:
        return []  # an unknown key is reported as such
    fix = "name one"
    if not field.is_required():
        fix = f"remove it to get {json.dumps(field.get_default(call_default_factory=True))}"
    return [ConfigFault((section, key), f"cannot be auto; {fix}")]


def _mapping(document: Document, section: str) -> dict[str, Any]:
    """Return a section of a document, or nothing if it is not a mapping."""
    content = document.values.get(section)
    return content if isinstance(content, dict) else {}


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
        place = escape_controls(f"-s {shorten(override, _MAX_SHOWN)}")
        keys = tuple(dotted.strip().split("."))
        if not equals or not all(keys):
            lines.append(f"{place}: not KEY=VALUE; write it like -s model.embedding_dim=64")
            continue
        try:
            document.set(keys, parse_value(value))
        except YamlError as error:
            lines.append(f"{place}: {error}")
        overridden[keys] = place
    return overridden, lines


def _find_path_faults(
    document: Document, directory: Path, overridden: Mapping[KeyPath, str]
) -> list[ConfigFault]:
    r"""Find paths that no file can have, or that have a character such as the `\n` of `C:\new`."""
    faults = []
    for keys in _PATH_KEYS:
        value = _mapping(document, keys[0]).get(keys[1])
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, str) and path not in BUILT_IN_VECTORS.get(keys[1], ()):
                location = _absolute(path, _base(keys, directory, overridden))
                if fault := _path_fault(path, location):
                    faults.append(ConfigFault(keys, fault))
    return faults


def _path_fault(path: str, location: str) -> str | None:
    """Return what is wrong with a path as it was written, which stands for a location."""
    written = undo_escapes(path)
    if written != path and not os.path.lexists(location):
        fix = f"write '{written}' in single quotes, or use /"
        return f"a backslash in double quotes is an escape; {fix}"
    fault = name_fault(location)
    return f"{display_path(Path(location))}: {fault}" if fault else None


def _resolve_paths(document: Document, directory: Path, overridden: Mapping[KeyPath, str]) -> None:
    """Make paths absolute, from the config's directory or, in overrides, the working directory."""
    for name, key in _PATH_KEYS:
        section = _mapping(document, name)
        value = section.get(key)
        if name == "model" and value in BUILT_IN_VECTORS[key]:
            continue
        base = _base((name, key), directory, overridden)
        if isinstance(value, str):
            section[key] = _absolute(value, base)
        elif name == "data" and isinstance(value, list):
            section[key] = [_absolute(each, base) for each in value]


def _base(keys: KeyPath, directory: Path, overridden: Mapping[KeyPath, str]) -> Path:
    """Return the directory at which the relative paths of a key start."""
    # A whole section can be overridden, too: -s 'data={train: rows.csv}'.
    return Path() if {keys, keys[:1]} & overridden.keys() else directory


def _absolute(path: Any, base: Path) -> Any:
    """Make a path absolute; URIs, and what is no path, stay as they are."""
    if not isinstance(path, str) or not path or is_uri(path):
        return path
    return os.path.abspath(base / os.path.expanduser(path))


def _fault_lines(
    faults: Iterable[ConfigFault], document: Document, path: Path, overridden: Mapping[KeyPath, str]
) -> list[str]:
    """Format each fault as a line that starts with its place, in the order of the file."""
    placed = []
    for fault in faults:
        overrides = (text for keys, text in overridden.items() if fault.keys[: len(keys)] == keys)
        line, column = document.position(fault.keys)
        place = next(overrides, escape_controls(f"{path}:{line}:{column}"))
        placed.append((line, column, f"{place}: {fault}"))
    # By position only, so faults at the same place stay in order.
    return [text for *_, text in sorted(placed, key=lambda entry: entry[:2])]
