"""best.yaml and the run of the best trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from embedclf.config.loading import dump_config, named_paths, parse_config
from embedclf.config.yaml_file import parse_value
from embedclf.config.yaml_writer import dump_document, round_trip_yaml
from embedclf.errors import ConfigError
from embedclf.runs.run import Run
from embedclf.system.publishing.drafts import write_text
from embedclf.tables.files import hash_table
from embedclf.training import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.config.schema import Config
    from embedclf.tuning.space import Settings, Trial
    from embedclf.tuning.study import Study

    _StudyRun = tuple[int | None, str | None, str]
    """Trial number (None if Ctrl-C ended the training), SHA-256 of the test table, path."""

_RUNS_ATTRIBUTE = "best runs"

_NOT_TRAINED = "all trials are saved; run the same command to train the best config"


def find_or_train_best(
    study: Study, best: Trial, config: Config, *, name: str, on_event: Callable[[Any], None]
) -> Run:
    """Return the run of a trial that is scored on the test table, trained if it does not exist.

    Args:
        study: Stores the runs that were trained.
        best: The trial.
        config: Its config.
        name: Of the run, if one is trained.
        on_event: Called with the events of the training.

    Raises:
        KeyboardInterrupt: Ctrl-C; the study is complete.
    """
    runs, wanted = _study_runs(study), (best.number, _hash_test_table(config))
    for trial, test, path in runs:
        if (trial, test) == wanted and Path(path).is_dir():  # trained again if it was deleted
            return Run.open(Path(path))
    try:
        run = train.train(config, name=name, on_event=on_event)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_NOT_TRAINED) from None
    # An interrupted run is stored, too, as it may have been scored on the test table; None
    # makes sure that it is not taken for the finished run.
    number = None if run.interrupted else best.number
    test = run.record["data"].get("test", {}).get("sha256")
    study.set_attribute(_RUNS_ATTRIBUTE, [*runs, (number, test, str(run.path.absolute()))])
    if run.interrupted:
        raise KeyboardInterrupt(f"{run.path} has the finished epochs; {_NOT_TRAINED}")
    return run


def count_test_runs(study: Study, config: Config) -> int:
    """Count the runs of the study that have been scored on the config's test table."""
    expected = _hash_test_table(config)
    return sum(expected is not None and test == expected for _, test, _ in _study_runs(study))


def write_config(
    target: Path,
    config: Config,
    *,
    source: Path | None,
    overrides: Sequence[str],
    settings: Settings,
    comment: Sequence[str],
) -> None:
    """Write a config as an edited copy of the file that it came from, comments included.

    If the file cannot be edited, for example because anchors share its sections, the whole config
    is written with all defaults instead.

    Args:
        target: The file to write; an existing one is replaced.
        config: What the file must load as, apart from `tune:`.
        source: The config file to edit; None writes the whole config.
        overrides: What was overridden in it, `key=value` each.
        settings: What to change in it, by key.
        comment: Lines for the top of the file.
    """
    head = "".join(f"# {line}\n" for line in comment)
    try:
        text = "" if source is None else _edit(source, overrides, settings, config, target.parent)
    except (YAMLError, TypeError, AttributeError):
        text = ""
    if not _loads_as(config, head + text, target):
        text = dump_config(config, target.parent)
    write_text(target, [head, text])


def _study_runs(study: Study) -> list[_StudyRun]:
    """Return the runs that the study has trained of its best trials."""
    return [(trial, test, path) for trial, test, path in study.attribute(_RUNS_ATTRIBUTE) or []]


def _hash_test_table(config: Config) -> str | None:
    return None if config.data.test is None else hash_table(config.data.test)


def _loads_as(config: Config, text: str, target: Path) -> bool:
    """Whether a text in place of a file would load as the config, apart from `tune:`."""
    try:
        loaded = parse_config(text, target)
    except ConfigError:
        return False
    return loaded.model_copy(update={"tune": config.tune}) == config


def _edit(
    source: Path, overrides: Sequence[str], settings: Settings, config: Config, directory: Path
) -> str:
    # utf-8-sig drops the byte order mark that some Windows editors write.
    document = round_trip_yaml().load(source.read_text(encoding="utf-8-sig"))
    overridden = dict(override.partition("=")[::2] for override in overrides)
    values = {key.strip(): parse_value(value) for key, value in overridden.items()} | settings
    for key, value in values.items():
        _set(document, key.split("."), value)
    # Relative to the directory of the copy, which may not be that of the source.
    for keys, paths in named_paths(config, directory).items():
        _set(document, keys, paths)
    return dump_document(document)


def _set(document: Any, keys: Sequence[str], value: Any) -> None:
    *sections, key = keys
    for section in sections:
        if not isinstance(document.get(section), dict):  # missing, or empty (null)
            document[section] = CommentedMap()
        document = document[section]
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()  # on one line: [64, 32]
    document[key] = value
