"""best.yaml and the run of the best trial."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from embedclf.config.loading import dump_config, load_config, named_files
from embedclf.config.yaml_file import parse_value
from embedclf.errors import ConfigError
from embedclf.runs.run import Run
from embedclf.system.files import sha256, write_text
from embedclf.training import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.config.schema import Config
    from embedclf.tuning.space import Settings, Trial
    from embedclf.tuning.study import Study

_NOTED = "best runs"
"""What they are noted under in a study."""

_UNTRAINED = "all trials are kept; the same command trains the best config"


def best_run(
    study: Study, best: Trial, config: Config, *, name: str, on_event: Callable[[Any], None]
) -> Run:
    """The run of a trial that was scored on the test table: the one that there is, or a new one.

    Args:
        study: Notes it.
        best: The trial.
        config: Its config.
        name: Of the run, if one is trained.
        on_event: Called with what there is to say on the way.

    Raises:
        KeyboardInterrupt: Ctrl-C; nothing of the study is lost.
    """
    runs, wanted = _noted(study), (best.number, _test(config))
    for trial, test, place in runs:
        if (trial, test) == wanted and Path(place).is_dir():
            return Run.open(Path(place))
    try:
        run = train.train(config, name=name, on_event=on_event)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_UNTRAINED) from None
    trial = None if run.interrupted else best.number
    test = run.record["data"].get("test", {}).get("sha256")
    study.note(_NOTED, [*runs, (trial, test, str(run.path.absolute()))])
    if run.interrupted:
        raise KeyboardInterrupt(f"{run.path} holds the epochs until then; {_UNTRAINED}")
    return run


def test_scorings(study: Study, config: Config) -> int:
    """How many runs of the study have been scored on the test table."""
    wanted = _test(config)
    return sum(wanted is not None and test == wanted for _, test, _ in _noted(study))


def _noted(study: Study) -> list[tuple[int | None, str | None, str]]:
    """Trial, SHA-256 of the test table, path; no trial where Ctrl-C ended the training."""
    return [(trial, test, place) for trial, test, place in study.noted(_NOTED) or []]


def _test(config: Config) -> str | None:
    """SHA-256 of the test table, if there is one."""
    return None if config.data.test is None else sha256(config.data.test)


_WIDTH = 100


def write_config(
    target: Path,
    config: Config,
    *,
    source: Path,
    overrides: Sequence[str],
    settings: Settings,
    comment: Sequence[str],
) -> None:
    """Write a config that loads as the one given, in the words of the file that it came from.

    Where that file cannot be edited so, as where anchors join its sections, the config is written
    anew, with all defaults.

    Args:
        target: The file; it is replaced, whole, if it is there.
        config: What it is to load as, but for `tune:`.
        source: The config file that was read.
        overrides: What was overridden in it, `key=value` each.
        settings: What is to be changed in it, by key.
        comment: Lines to stand at the top.
    """
    head = "".join(f"# {line}\n" for line in comment)
    try:
        text = _edited(source, overrides, settings, config, target.parent)
    except (YAMLError, TypeError, AttributeError):
        text = ""
    if not _loads_as(config, head + text, target):
        text = dump_config(config, target.parent)
    write_text(target, [head, text])


def _loads_as(config: Config, text: str, target: Path) -> bool:
    """Whether a text in place of a file would load as a config."""
    draft = target.with_name(f".{os.urandom(4).hex()}-{target.name}")
    try:
        write_text(draft, [text])
        loaded = load_config(draft)
    except ConfigError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return loaded.model_copy(update={"tune": config.tune}) == config


def _edited(
    source: Path, overrides: Sequence[str], settings: Settings, config: Config, folder: Path
) -> str:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.Representer = _Representer
    document = yaml.load(source.read_text(encoding="utf-8-sig"))
    given = dict(override.partition("=")[::2] for override in overrides)
    values = {key.strip(): parse_value(value) for key, value in given.items()} | settings
    for key, value in values.items():
        _set(document, key.split("."), value)
    for keys, file in named_files(config).items():
        _set(document, keys, Path(os.path.relpath(file, folder.absolute())).as_posix())
    written = io.StringIO()
    yaml.dump(document, written)
    return written.getvalue()


class _Representer(RoundTripRepresenter):
    """Writes null as a word, where ruamel.yaml leaves a blank that looks like something missing."""


_Representer.add_representer(
    type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _set(document: Any, keys: Sequence[str], value: Any) -> None:
    *sections, key = keys
    for section in sections:
        if not isinstance(document.get(section), dict):
            document[section] = CommentedMap()
        document = document[section]
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    document[key] = value
