"""A training, the list of runs, a summary -> text."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.reports.compact import compact_entries
from embedclf.reports.training import (
    coverage_entries,
    describe_vocabulary,
    unlabeled_entries,
)
from embedclf.runs.history import STOP_REASONS, describe_training
from embedclf.runs.known_files import CROSS_VALIDATION_FILE, LEARNING_CURVE_FILE
from embedclf.system.terminal import (
    display_path,
    format_count,
    format_definitions,
    format_duration,
    format_score,
    join_shortened,
    new_table,
    render,
    to_json,
    wrap_result,
)
from embedclf.tables.files import display_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.runs.run import Run
    from embedclf.runs.summary import NetworkSummary


def trained_text(run: Run, evaluation: RunEvaluation) -> str:
    """Show why a training ended, its scores next to baselines, the verdict, and the run's path."""
    from embedclf.evaluation.scores import read_scores
    from embedclf.reports.evaluation import unknown_labels_text
    from embedclf.reports.verdict import verdict_text

    splits = read_scores(run)
    columns: dict[str, Any] = {name: split.metrics for name, split in splits.items()}
    columns |= {baseline.name: baseline.metrics for baseline in evaluation.baselines}
    unknown = (unknown_labels_text(*each) for each in splits.items() if each[1].unknown_labels)
    training = [
        describe_training(run.record),
        *(f"refit {note}" for note in _refit_notes(run.record)),
        *(f"continued from {entry}" for _, entry in _start_entries(run.record)),
    ]
    notes = [
        verdict_text(evaluation),
        *(f"{name}: {note}" for name, note in _threshold_entries(run)),
        *unknown,
        *_start_cautions(run),
    ]
    if evaluation.baseline_missing:
        notes.append(f"no TF-IDF baseline: {evaluation.baseline_missing}")
    notes.append(f"run: {run.path}")
    lines = [*map(wrap_result, training), _score_table(columns), "", *map(wrap_result, notes)]
    return "\n".join(lines)


def trained_json(run: Run, evaluation: RunEvaluation | None) -> str:
    """A run's record and metrics as JSON, with the verdict and baselines if it was evaluated."""
    if evaluation is None:
        return to_json(_run_values(run))
    from embedclf.reports.evaluation import baselines_json
    from embedclf.reports.verdict import verdict_text

    return to_json(
        _run_values(run)
        | {"verdict": verdict_text(evaluation), "baselines": baselines_json(evaluation)}
    )


def next_steps(run: Run, config_file: Path | None) -> str:
    """The commands to run after a training, and the config of a table if it was written."""
    name = shlex.quote(str(run.path))
    entries = [] if config_file is None else [("config", str(config_file))]
    entries.append(("next", f"embedclf predict NEW.csv --run {name}"))
    return format_definitions([*entries, ("", f"embedclf report {name}")])


def run_details(record: dict[str, Any]) -> list[tuple[str, str]]:
    """List what a run was made with, and how long each phase took."""
    packages = ", ".join(f"{name} {version}" for name, version in record["packages"].items())
    phases = record["seconds"].items()
    durations = ", ".join(f"{phase} {format_duration(seconds)}" for phase, seconds in phases)
    parity = f"NumPy and Keras differ by at most {record['parity']:.1e} in a probability"
    return [
        ("versions", packages),
        *_start_entries(record),
        *_hold_out_entries(record),
        *unlabeled_entries(record),
        *(("refit", note) for note in _refit_notes(record)),
        ("time", durations),
        ("seed", str(record["seed"])),
        ("parity", parity),
    ]


def runs_text(runs: Sequence[Run]) -> str:
    """Return a table of the runs with their first score."""
    if not runs:
        return "no runs yet; train one with: embedclf train TABLE"
    titles = ("run", "created (UTC)", "rows", "score", "validation", "test", "")
    table = new_table(*titles, numbers=(2, 4, 5))
    for run in runs:
        record = run.record
        created = str(record["created"])[:16].replace("T", " ")  # ISO 8601, to the minute
        rows = f"{record['data']['train']['rows']:,}"
        name, values = _first_score(run)
        scores = [format_score(values.get(split)) for split in ("validation", "test")]
        notes = {"interrupted": run.interrupted, "compact": run.is_compact}
        note = ", ".join(each for each, applies in notes.items() if applies)
        table.add_row(str(run.path), created, rows, name, *scores, note)
    return render(table)


def runs_json(runs: Sequence[Run]) -> str:
    """Return the records and metrics of the runs as JSON."""
    return to_json({"runs": [_run_values(run) for run in runs]})


def summary_text(summary: NetworkSummary) -> str:
    """Return Keras's table and what each layer means; for a run, also how it was trained."""
    names = [layer.name for layer in summary.layers]
    meanings = [*zip(names, summary.descriptions, strict=True), ("memory", summary.memory)]
    meanings.append(("scoring", summary.scoring))
    title = ["", "What the layers do"] if names else []
    lines = [summary.table, *title, format_definitions(meanings)]
    if summary.run is not None:
        lines += ["", "Training", _training_text(summary.run)]
    return "\n".join(lines)


def summary_json(summary: NetworkSummary) -> str:
    """Return the layers as JSON; for a run, also its record and metrics."""
    layers = [
        {
            "name": layer.name,
            "class": layer.class_name,
            "output_shape": layer.output_shape,
            "parameters": layer.parameters,
            "meaning": meaning,
        }
        for layer, meaning in zip(summary.layers, summary.descriptions, strict=True)
    ]
    values = {
        "layers": layers,
        "parameters": summary.parameters,
        "memory": summary.memory,
        "trainable_parameters": summary.trainable_parameters,
        "scoring": summary.scoring,
    }
    return to_json(values if summary.run is None else values | _run_values(summary.run))


def _run_values(run: Run) -> dict[str, Any]:
    values = {"run": str(run.path), **run.record, "metrics": run.metrics()}
    files = {"cross_validation": CROSS_VALIDATION_FILE, "learning_curve": LEARNING_CURVE_FILE}
    additions = {key: run.read_addition(file) for key, file in files.items()}
    return values | {key: added for key, added in additions.items() if added is not None}


def _hold_out_entries(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How validation rows were held out, unless at random."""
    if held_out := record.get("held_out"):  # older runs lack it
        rows = format_count(record["data"]["validation"]["rows"], "validation row")
        yield "held out", f"{rows}: {held_out}"


def _refit_notes(record: dict[str, Any]) -> Iterator[str]:
    """Describe the refit on all rows, or why there is none; nothing if the config wants none."""
    refit = record.get("refit")
    if refit is None:
        return
    if refit["rows"] is None:
        missing = STOP_REASONS.get(refit["missing"], refit["missing"])
        yield f"not done: {missing}; kept the network that was validated"
        return
    epochs, rows = format_count(record["best_epoch"], "epoch"), format_count(refit["rows"], "row")
    duration = format_duration(record["seconds"]["refit"])
    yield f"on all {rows} for {epochs} in {duration}; validation scores are from before the refit"


def _start_entries(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Describe the run that a training continued from, if there is one."""
    start = record.get("from")
    if start is None:
        return
    added = f"{format_count(start['new_tokens'], 'new token')}"
    if record.get("phrases"):
        added += f", {format_count(start['new_ngrams'], 'new n-gram')}"
    if labels := start["new_labels"]:
        added += f", {format_count(len(labels), 'new label')} ({join_shortened(labels)})"
    yield "from", f"{display_path(Path(start['run']))}: {added}"


def _start_cautions(run: Run) -> Iterator[str]:
    """Say which scores are optimistic because training continued from a run."""
    from embedclf.runs.seen_tables import start_cautions

    for split in ("validation", "test"):
        for caution in start_cautions(run, split):
            yield f"scores on {split} rows: {caution}"


def _first_score(run: Run) -> tuple[str, dict[str, float | None]]:
    """Return the name of the first score, and its value by split."""
    metrics = run.metrics()
    # JSON objects keep their order, and the main metric is written first.
    name = next(iter(metrics["validation"]["scores"]))
    return name, {split: values["scores"][name] for split, values in metrics.items()}


def _training_text(run: Run) -> str:
    record = run.record
    train = record["data"]["train"]
    phases = record["seconds"].items()
    seconds = sum(spent for phase, spent in phases if phase != "checkpoints")  # within others
    ngrams = record.get("phrases")
    return format_definitions(
        [
            ("run", str(run.path)),
            *(compact_entries(record["compact"], run.size) if run.is_compact else ()),
            (
                "trained",
                f"{record['created']} in {format_duration(seconds)} on {record['device']['kind']}",
            ),
            ("epochs", describe_training(record)),
            ("rows", f"{train['rows']:,} of {display_tables(train['path'])}"),
            *_hold_out_entries(record),
            *unlabeled_entries(record),
            *(("refit", note) for note in _refit_notes(record)),
            *_start_entries(record),
            (
                "vocabulary",
                describe_vocabulary(record)
                + (f"; {format_count(ngrams, 'n-gram')}" if ngrams else ""),
            ),
            *coverage_entries(record),
            ("labels", f"{len(record['labels'])}: {join_shortened(record['labels'])}"),
            _score_entry(run),
            *_cross_validation_entries(run),
            *_learning_curve_entries(run),
            *_threshold_entries(run),
        ]
    )


def _score_entry(run: Run) -> tuple[str, str]:
    name, values = _first_score(run)
    scores = " · ".join(f"{split} {format_score(value)}" for split, value in values.items())
    majority = format_score(run.metrics()["validation"]["majority"][name])
    return name, f"{scores} · majority {majority}"


def _cross_validation_entries(run: Run) -> Iterator[tuple[str, str]]:
    """Yield mean and spread over folds, if the run was cross-validated."""
    from embedclf.evaluation.fold_scores import read_cross_validation
    from embedclf.reports.cross_validation import rule_note, summary_line

    validation = read_cross_validation(run)
    if validation is not None:
        parts = (summary_line(validation), rule_note(run, validation.rule))
        yield "cross-validation", "; ".join(filter(None, parts))


def _learning_curve_entries(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the score with all rows and the expected one with twice the rows, if measured."""
    from embedclf.reports.learning_curve import summary_line
    from embedclf.training.folds.curve_scores import read_learning_curve

    curve = read_learning_curve(run)
    if curve is not None:
        yield "learning curve", summary_line(curve)


def _score_table(columns: dict[str, dict[str, float | None]]) -> str:
    table = new_table("", *columns, numbers=tuple(range(1, len(columns) + 1)))
    for name in next(iter(columns.values())):
        table.add_row(name, *(format_score(scores.get(name)) for scores in columns.values()))
    return render(table)


def _threshold_entries(run: Run) -> list[tuple[str, str]]:
    """List the thresholds of a run; empty if all are 0.5, the default."""
    from embedclf.evaluation.thresholds import describe_rule, stored_rule
    from embedclf.reports.thresholds import format_thresholds

    settings = run.threshold_settings()
    rule = stored_rule(settings["rule"], run)
    # Also if there is no threshold, as with a softmax.
    if isinstance(rule, float) and not set(settings["thresholds"]) - {0.5}:
        return []
    thresholds = format_thresholds(run.record["labels"], settings["thresholds"])
    if isinstance(rule, float):
        return [("threshold", thresholds)]
    caution = "slightly optimistic: the validation rows chose the threshold"
    return [("threshold", f"{thresholds} ({describe_rule(rule)}), {caution}")]
