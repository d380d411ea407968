"""A training, the list of runs, a summary -> text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.reports.training import coverage_entries
from embedclf.runs.history import STOP_REASONS, describe_training, format_epochs
from embedclf.system.terminal import (
    display_path,
    format_definitions,
    format_score,
    new_table,
    render,
    shorten,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.evaluation.scores import Scores
    from embedclf.runs.run import Run
    from embedclf.runs.summary import NetworkSummary


def run_text(run: Run) -> str:
    """Show why a training ended, its scores next to the majority baseline, and the run's path."""
    from embedclf.evaluation.scores import read_scores
    from embedclf.reports.evaluation import unknown_labels_text

    record, splits = run.record, read_scores(run)
    first = next(iter(splits.values()))
    columns: dict[str, Any] = {name: split.metrics for name, split in splits.items()}
    columns |= {f"majority ({name})": split.majority for name, split in splits.items()}
    lines = [
        describe_training(record),
        *(f"refit {note}" for note in _refit_notes(record)),
        _score_table(columns),
        _majority_line(first),
        *(f"{name}: {note}" for name, note in _threshold_entries(run)),
        *(
            unknown_labels_text(name, split)
            for name, split in splits.items()
            if split.unknown_labels
        ),
        f"run: {run.path}",
    ]
    return "\n".join(lines)


def run_json(run: Run) -> str:
    """A run's record and metrics as JSON."""
    return to_json(_run_values(run))


def run_details(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What a run was made with, and where the time went, for a listing."""
    packages = ", ".join(f"{name} {version}" for name, version in record["packages"].items())
    seconds = ", ".join(f"{phase} {spent:.1f}" for phase, spent in record["seconds"].items())
    parity = f"NumPy and Keras differ by at most {record['parity']:.1e} in a probability"
    return [
        ("versions", packages),
        *(("refit", note) for note in _refit_notes(record)),
        ("seconds", seconds),
        ("seed", str(record["seed"])),
        ("parity", parity),
    ]


def runs_text(runs: Sequence[Run]) -> str:
    """A table of the runs with their first score."""
    if not runs:
        return "no runs here; `embedclf train CONFIG` makes one"
    titles = ("run", "created (UTC)", "rows", "score", "validation", "test", "ended")
    table = new_table(*titles, numbers=(2, 4, 5))
    for run in runs:
        record = run.record
        created = str(record["created"])[:16].replace("T", " ")  # ISO 8601, to the minute
        rows = f"{record['data']['train']['rows']:,}"
        name, values = _first_score(run)
        scores = [format_score(values.get(split)) for split in ("validation", "test")]
        table.add_row(str(run.path), created, rows, name, *scores, record["ended"])
    return render(table)


def runs_json(runs: Sequence[Run]) -> str:
    """The records and metrics of the runs as JSON."""
    return to_json({"runs": [_run_values(run) for run in runs]})


def summary_text(summary: NetworkSummary) -> str:
    """Keras's table and what each layer means; of a run also what it learned."""
    names = [layer.name for layer in summary.layers]
    meanings = [*zip(names, summary.descriptions, strict=True), ("memory", summary.memory)]
    meanings.append(("scoring", summary.scoring))
    lines = [summary.table, "", "What the lines mean", format_definitions(meanings)]
    if summary.run is not None:
        lines += ["", "What was learned", _learned(summary.run)]
    return "\n".join(lines)


def summary_json(summary: NetworkSummary) -> str:
    """The layers as JSON; of a run also its record and metrics."""
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
    return {"run": str(run.path), **run.record, "metrics": run.metrics()}


def _refit_notes(record: dict[str, Any]) -> Iterator[str]:
    """Whether the run was refit on all rows, or why not; nothing if the config didn't ask."""
    refit = record.get("refit")
    if refit is None:
        return
    if refit["rows"] is None:
        missing = STOP_REASONS.get(refit["missing"], refit["missing"])
        yield f"not made: {missing}; the run is what was learned before"
        return
    yield (
        f"in {record['seconds']['refit']:.1f} s: {format_epochs(record['best_epoch'])} anew on all "
        f"{refit['rows']:,} rows; validation scores are those from before"
    )


def _first_score(run: Run) -> tuple[str, dict[str, float | None]]:
    """The name of the first score, and its value by split."""
    metrics = run.metrics()
    # JSON objects keep their order, and the main metric is written first.
    name = next(iter(metrics["validation"]["scores"]))
    return name, {split: values["scores"][name] for split, values in metrics.items()}


def _learned(run: Run) -> str:
    record = run.record
    train = record["data"]["train"]
    phases = record["seconds"].items()
    seconds = sum(spent for phase, spent in phases if phase != "checkpoints")  # within others
    stopped, ngrams = STOP_REASONS[record["ended"]], record.get("phrases")
    return format_definitions(
        [
            ("run", str(run.path)),
            ("trained", f"{record['created']} in {seconds:.1f} s on {record['device']['kind']}"),
            ("epochs", f"{record['epochs']}, {stopped}; epoch {record['best_epoch']} kept"),
            ("rows", f"{train['rows']:,} of {display_path(Path(train['path']))}"),
            *(("refit", note) for note in _refit_notes(record)),
            (
                "vocabulary",
                f"{record['vocabulary']:,} rows, padding and unknown included"
                + (f"; {ngrams:,} phrases" if ngrams else ""),
            ),
            *coverage_entries(record),
            ("labels", shorten(f"{len(record['labels'])}: {', '.join(record['labels'])}")),
            _score_entry(run),
            *_threshold_entries(run),
        ]
    )


def _score_entry(run: Run) -> tuple[str, str]:
    name, values = _first_score(run)
    scores = " · ".join(f"{split} {format_score(value)}" for split, value in values.items())
    majority = format_score(run.metrics()["validation"]["majority"][name])
    return name, f"{scores} · majority {majority}"


def _score_table(columns: dict[str, dict[str, float | None]]) -> str:
    table = new_table("", *columns, numbers=tuple(range(1, len(columns) + 1)))
    for name in next(iter(columns.values())):
        table.add_row(name, *(format_score(scores.get(name)) for scores in columns.values()))
    return render(table)


def _majority_line(scores: Scores) -> str:
    return f"majority: always {scores.majority_label!r}, the commonest label in training"


def _threshold_entries(run: Run) -> list[tuple[str, str]]:
    """The thresholds of a run, for a listing; empty while all are the usual 0.5."""
    from embedclf.evaluation.thresholds import describe_rule, rule_from_json
    from embedclf.reports.thresholds import format_thresholds

    settings = run.threshold_settings()
    rule = rule_from_json(settings["rule"])
    # Also without any threshold, as with a softmax.
    if isinstance(rule, float) and not set(settings["thresholds"]) - {0.5}:
        return []
    thresholds = format_thresholds(run.record["labels"], settings["thresholds"])
    if isinstance(rule, float):
        return [("threshold", thresholds)]
    caution = "chosen on validation rows, whose scores are therefore a little too good"
    return [("threshold", f"{thresholds} ({describe_rule(rule)}), {caution}")]
