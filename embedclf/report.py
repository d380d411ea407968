"""Results → text and JSON: pure functions that return strings."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.backend import Device
    from embedclf.config import Config
    from embedclf.description import Description
    from embedclf.evaluation import Evaluation
    from embedclf.history import Epoch
    from embedclf.run import Run

WIDTH = 100
MOST_LABELS = 12
"""Labels up to which a table of labels or a confusion matrix is shown whole."""

NONE = "–"  # noqa: RUF001 - the typographer's dash for a cell without a value
_ENDS = {
    "all_epochs": "all epochs done",
    "early_stopping": "the validation loss got no better",
    "interrupted": "INTERRUPTED by Ctrl-C",
}


def to_json(values: Any) -> str:
    """Plain values as JSON for people and programs."""
    return json.dumps(values, ensure_ascii=False, indent=2, default=str)


def prepared(facts: dict[str, Any], config: Config) -> str:
    """What training is about to read: rows, labels, vocabulary, what is lost."""
    parts = facts["data"]
    train = parts["train"]
    labels = ", ".join(f"{name} {count:,}" for name, count in train["labels"].items())
    rows = [f"{part['rows']:,} {name}" for name, part in parts.items()]
    skipped = sum(part["rows_skipped"] for part in parts.values())
    cut = [f"{name} {_percent(part['share_of_texts_cut'])}" for name, part in parts.items()]
    unknown = [
        f"{name} {_percent(part['share_of_tokens_unknown'])}" for name, part in parts.items()
    ]
    pairs = [
        ("data", train["path"]),
        ("read as", train["form"]),
        (
            "rows",
            " · ".join(rows) + (f" · {skipped:,} skipped: empty label" if skipped else ""),
        ),
        ("labels", _shorten(f"{len(train['labels'])} ({facts['task']}): {labels}")),
        (
            "vocabulary",
            f"{facts['vocabulary']:,} of at most {config.text.vocabulary_size:,} rows, padding "
            f"and unknown included; unit: {config.text.unit}",
        ),
        (
            "texts cut",
            f"{' · '.join(cut)} have more than {config.text.sequence_length} tokens",
        ),
        ("tokens unknown", " · ".join(unknown)),
    ]
    return _pairs(pairs)


def device(told: Device) -> str:
    """What the training runs on."""
    return _pairs([("device", f"{told.kind} {told.name}, {told.cores} cores")])


def epoch(told: Epoch, epochs: int, score_name: str) -> str:
    """One line an epoch."""
    return (
        f"epoch {told.epoch}/{epochs}  {told.seconds:.1f} s  {told.rows_per_second:,.0f} rows/s  "
        f"loss {told.loss:.4f}  val_loss {told.val_loss:.4f}  "
        f"val_{score_name} {told.val_score:.4f}"
    )


def trained(run: Run) -> str:
    """What a training came to: why it ended, the scores beside guessing, where the run lies."""
    from embedclf.evaluation import measured

    record, parts = run.record, measured(run)
    first = next(iter(parts.values()))
    columns: dict[str, Any] = {name: part.scores for name, part in parts.items()}
    columns |= {f"majority ({name})": part.majority for name, part in parts.items()}
    lines = [
        f"{record['epochs']} epochs in {record['seconds']['fit']:.1f} s: "
        f"{_ENDS[record['ended']]}; epoch {record['best_epoch']} kept",
        _scores(columns),
        f"majority: always {first.majority_label!r}",
        *(_unknown(name, part) for name, part in parts.items() if part.unknown_labels),
        f"run: {run.path}",
    ]
    return "\n".join(lines)


def trained_json(run: Run) -> str:
    """The same for programs."""
    return to_json({"run": str(run.path), **run.record, "metrics": run.metrics()})


def circumstances(record: dict[str, Any]) -> str:
    """What a run was made with, and where the time went."""
    packages = ", ".join(f"{name} {version}" for name, version in record["packages"].items())
    seconds = ", ".join(f"{phase} {spent:.1f}" for phase, spent in record["seconds"].items())
    return _pairs(
        [
            ("versions", packages),
            ("seconds", seconds),
            ("seed", str(record["seed"])),
            (
                "parity",
                f"NumPy and Keras differ by at most {record['parity']:.1e} in a probability",
            ),
        ]
    )


def evaluation(rows: str, scored: Evaluation) -> str:
    """Scores beside guessing, by label, and what is taken for what."""
    lines = [
        f"{rows}: {scored.rows:,} rows",
        _scores({"score": scored.scores, "majority": scored.majority}),
        f"majority: always {scored.majority_label!r}",
        "",
        _label_table(scored),
    ]
    if scored.confusion is not None and len(scored.labels) <= MOST_LABELS:
        lines += ["", _confusion(scored)]
    if scored.unknown_labels:
        lines += ["", _unknown(rows, scored)]
    return "\n".join(lines)


def evaluation_json(run: Path, rows: str, scored: Evaluation) -> str:
    """The same for programs; `rows` is their number."""
    return to_json({"run": str(run), "data": rows, **scored.to_json()})


def predictions(rows: Sequence[dict[str, str]]) -> str:
    """Predictions for people: a line a text."""
    table = _table("prediction", "probability", "text", numbers=(1,))
    for row in rows:
        table.add_row(row["prediction"] or NONE, row["probability"] or NONE, row["text"])
    return _render(table)


def runs(found: Sequence[Run]) -> str:
    """Every run with its scores, oldest first."""
    if not found:
        return "no runs here; `embedclf train CONFIG` makes one"
    table = _table(
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
        shown = [_number(scores.get(part)) for part in ("validation", "test")]
        table.add_row(str(run.path), created, rows, name, *shown, record["ended"])
    return _render(table)


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


def summary(told: Description) -> str:
    """Keras's table, what each line means and, of a run, what was learned."""
    names = [layer.name for layer in told.layers]
    meanings = [*zip(names, told.meanings, strict=True), ("memory", told.memory)]
    lines = [told.table, "", "What the lines mean", _pairs(meanings)]
    if told.run is not None:
        lines += ["", "What was learned", _learned(told.run)]
    return "\n".join(lines)


def summary_json(told: Description) -> str:
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
    if told.run is not None:
        run = told.run
        values |= {"run": str(run.path), **run.record, "metrics": run.metrics()}
    return to_json(values)


def _learned(run: Run) -> str:
    record = run.record
    train = record["data"]["train"]
    name, scores = _first_score(run)
    majority = _number(run.metrics()["validation"]["majority"][name])
    scored = " · ".join(f"{part} {_number(score)}" for part, score in scores.items())
    seconds = sum(record["seconds"].values())
    ended = _ENDS[record["ended"]]
    return _pairs(
        [
            ("run", str(run.path)),
            (
                "trained",
                f"{record['created']} in {seconds:.1f} s on {record['device']['kind']}",
            ),
            (
                "epochs",
                f"{record['epochs']}, {ended}; epoch {record['best_epoch']} kept",
            ),
            ("rows", f"{train['rows']:,} of {train['path']}"),
            (
                "vocabulary",
                f"{record['vocabulary']:,} rows, padding and unknown included",
            ),
            (
                "labels",
                _shorten(f"{len(record['labels'])}: {', '.join(record['labels'])}"),
            ),
            (name, f"{scored} · majority {majority}"),
        ]
    )


def _scores(columns: dict[str, dict[str, float | None]]) -> str:
    table = _table("", *columns, numbers=tuple(range(1, len(columns) + 1)))
    for name in next(iter(columns.values())):
        table.add_row(name, *(_number(scores.get(name)) for scores in columns.values()))
    return _render(table)


def _label_table(scored: Evaluation) -> str:
    table = _table("label", "rows", "precision", "recall", "f1", numbers=(1, 2, 3, 4))
    for label in scored.labels:
        shares = (label.precision, label.recall, label.f1)
        table.add_row(label.label, f"{label.rows:,}", *map(_number, shares))
    return _render(table)


def _confusion(scored: Evaluation) -> str:
    names = [label.label for label in scored.labels]
    table = _table("true \\ given", *names, numbers=tuple(range(1, len(names) + 1)))
    for name, cells in zip(names, scored.confusion or (), strict=True):
        table.add_row(name, *(f"{cell:,}" for cell in cells))
    return _render(table)


def _unknown(rows: str, scored: Evaluation) -> str:
    named = ", ".join(f"{name!r} {count:,}" for name, count in scored.unknown_labels.items())
    total = sum(scored.unknown_labels.values())
    return _shorten(
        f"{rows}: {total:,} labels were never seen in training and count as wrong: {named}"
    )


def _table(*columns: str, numbers: Sequence[int] = ()) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        number = index in numbers
        table.add_column(column, justify="right" if number else "left", no_wrap=number)
    return table


def _render(table: Any) -> str:
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=WIDTH,
        color_system=None,
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    from textwrap import wrap

    width = max(14, *(len(name) for name, _ in pairs)) + 2
    lines = []
    for name, text in pairs:
        parts = wrap(text, WIDTH - width, break_on_hyphens=False, break_long_words=False)
        first, *others = parts or [""]
        lines += [f"{name:<{width}}{first}", *(" " * width + other for other in others)]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _shorten(text: str, most: int = 400) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
