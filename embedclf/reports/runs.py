"""A training, the list of runs, a summary -> text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.reports.evaluation import thresholds, unknown_labels
from embedclf.reports.training import entries
from embedclf.runs.history import ENDS, ended, epochs
from embedclf.system.terminal import listing, new_table, rendered, score, shortened, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.evaluation.scores import Scores
    from embedclf.runs.run import Run
    from embedclf.runs.summary import NetworkSummary


def trained(run: Run) -> str:
    """What a training came to: why it ended, the scores beside guessing, where the run lies."""
    from embedclf.evaluation.scores import measured

    record, parts = run.record, measured(run)
    first = next(iter(parts.values()))
    columns: dict[str, Any] = {name: part.scores for name, part in parts.items()}
    columns |= {f"majority ({name})": part.majority for name, part in parts.items()}
    lines = [
        ended(record),
        *(f"refit {told}" for told in _refit_told(record)),
        _scores(columns),
        _majority(first),
        *(f"{name}: {told}" for name, told in _decision(run)),
        *(unknown_labels(name, part) for name, part in parts.items() if part.unknown_labels),
        f"run: {run.path}",
    ]
    return "\n".join(lines)


def trained_json(run: Run) -> str:
    """The same for programs."""
    return to_json({"run": str(run.path), **run.record, "metrics": run.metrics()})


def circumstances(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What a run was made with, and where the time went, by name."""
    packages = ", ".join(f"{name} {version}" for name, version in record["packages"].items())
    seconds = ", ".join(f"{phase} {spent:.1f}" for phase, spent in record["seconds"].items())
    return [
        ("versions", packages),
        *(("refit", told) for told in _refit_told(record)),
        ("seconds", seconds),
        ("seed", str(record["seed"])),
        (
            "parity",
            f"NumPy and Keras differ by at most {record['parity']:.1e} in a probability",
        ),
    ]


def _refit_told(record: dict[str, Any]) -> Iterator[str]:
    """That a run was trained on all rows in the end, or why not, where it was to be."""
    told = record.get("refit")
    if told is None:
        return
    if told["rows"] is None:
        missing = ENDS.get(told["missing"], told["missing"])
        yield f"not made: {missing}; the run is what was learned before"
        return
    yield (
        f"in {record['seconds']['refit']:.1f} s: {epochs(record['best_epoch'])} anew on all "
        f"{told['rows']:,} rows; validation scores are those from before"
    )


def runs(found: Sequence[Run]) -> str:
    """Every run with its scores, oldest first."""
    if not found:
        return "no runs here; `embedclf train CONFIG` makes one"
    table = new_table(
        "run",
        "created (UTC)",
        "rows",
        "score",
        "validation",
        "test",
        "ended",
        numbers=(2, 4, 5),
    )
    for run in found:
        record = run.record
        created = str(record["created"])[:16].replace("T", " ")
        rows = f"{record['data']['train']['rows']:,}"
        name, scores = _first_score(run)
        shown = [score(scores.get(part)) for part in ("validation", "test")]
        table.add_row(str(run.path), created, rows, name, *shown, record["ended"])
    return rendered(table)


def runs_json(found: Sequence[Run]) -> str:
    """The same for programs."""
    return to_json(
        {"runs": [{"run": str(run.path), **run.record, "metrics": run.metrics()} for run in found]}
    )


def _first_score(run: Run) -> tuple[str, dict[str, float | None]]:
    """The name of the first score, and its value for each part."""
    metrics = run.metrics()
    name = next(iter(metrics["validation"]["scores"]))
    return name, {part: measured["scores"][name] for part, measured in metrics.items()}


def summary(told: NetworkSummary) -> str:
    """Keras's table, what each line means and, of a run, what was learned."""
    names = [layer.name for layer in told.layers]
    meanings = [*zip(names, told.meanings, strict=True), ("memory", told.memory)]
    meanings.append(("scoring", told.scoring))
    lines = [told.table, "", "What the lines mean", listing(meanings)]
    if told.run is not None:
        lines += ["", "What was learned", _learned(told.run)]
    return "\n".join(lines)


def summary_json(told: NetworkSummary) -> str:
    """The same for programs."""
    layers = [
        {
            "name": layer.name,
            "class": layer.kind,
            "output_shape": layer.shape,
            "parameters": layer.parameters,
            "meaning": meaning,
        }
        for layer, meaning in zip(told.layers, told.meanings, strict=True)
    ]
    values = {"layers": layers, "parameters": told.parameters, "memory": told.memory}
    values |= {"trainable_parameters": told.trainable_parameters, "scoring": told.scoring}
    if told.run is not None:
        run = told.run
        values |= {"run": str(run.path), **run.record, "metrics": run.metrics()}
    return to_json(values)


def _learned(run: Run) -> str:
    record = run.record
    train = record["data"]["train"]
    name, scores = _first_score(run)
    majority = score(run.metrics()["validation"]["majority"][name])
    scored = " · ".join(f"{part} {score(value)}" for part, value in scores.items())
    phases = record["seconds"].items()
    seconds = sum(spent for phase, spent in phases if phase != "checkpoints")  # within others
    return listing(
        [
            ("run", str(run.path)),
            (
                "trained",
                f"{record['created']} in {seconds:.1f} s on {record['device']['kind']}",
            ),
            (
                "epochs",
                f"{record['epochs']}, {ENDS[record['ended']]}; epoch {record['best_epoch']} kept",
            ),
            ("rows", f"{train['rows']:,} of {_near(train['path'])}"),
            *(("refit", told) for told in _refit_told(record)),
            (
                "vocabulary",
                f"{record['vocabulary']:,} rows, padding and unknown included"
                + (f"; {phrases:,} phrases" if (phrases := record.get("phrases")) else ""),
            ),
            *entries(record),
            (
                "labels",
                shortened(f"{len(record['labels'])}: {', '.join(record['labels'])}"),
            ),
            (name, f"{scored} · majority {majority}"),
            *_decision(run),
        ]
    )


def _scores(columns: dict[str, dict[str, float | None]]) -> str:
    table = new_table("", *columns, numbers=tuple(range(1, len(columns) + 1)))
    for name in next(iter(columns.values())):
        table.add_row(name, *(score(scores.get(name)) for scores in columns.values()))
    return rendered(table)


def _majority(scored: Scores) -> str:
    return f"majority: always {scored.majority_label!r}, the commonest label in training"


def _decision(run: Run) -> list[tuple[str, str]]:
    """From which probability on labels are given, where that was chosen."""
    from embedclf.evaluation.thresholds import named, read_rule

    decision = run.decision()
    rule = read_rule(decision["rule"])
    if isinstance(rule, float) and not set(decision["thresholds"]) - {0.5}:
        return []
    chosen = thresholds(run.record["labels"], decision["thresholds"])
    if isinstance(rule, float):
        return [("threshold", chosen)]
    told = "chosen on validation rows, whose scores are therefore a little too good"
    return [("threshold", f"{chosen} ({named(rule)}), {told}")]


def _near(path: str) -> str:
    from embedclf.system.terminal import near

    return str(near(Path(path)))
