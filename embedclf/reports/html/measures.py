"""Scores as bars with their intervals, and the three figures on top of a run's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.reports.evaluation import format_interval, format_short_interval
from embedclf.reports.verdict import metric_title, scored_rows_text
from embedclf.system.terminal import format_count, format_percent, format_score

if TYPE_CHECKING:
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.evaluate import RunEvaluation

Values = dict[str, Any]
"""What a part of a template shows."""

_BASELINE_NAMES = {"majority": "the majority baseline", "tf-idf": "TF-IDF"}

_COMPARISONS = {
    "run": "better than",
    "unclear": "no clear difference from",
    "baseline": "worse than",
}

_CARD_STATES = {"run": "better", "unclear": "unclear", "baseline": "worse"}
"""Classes of the style sheet, by verdict."""


def measure_values(
    score: float, interval: Interval | None, *, overall: float | None = None
) -> Values:
    """A score from 0 to 1 as a bar; one significantly below `overall` has another color."""
    return {
        "value": score,
        "interval": interval,
        "interval_text": format_short_interval(interval),
        "mark": overall,
        "below": bool(overall is not None and interval and interval[1] < overall),
    }


def card_values(title: str, figure: str, *lines: str, **others: Any) -> Values:
    """A figure on top of a page.

    Args:
        title: What the figure is.
        figure: In large letters.
        lines: Below the figure, each on its own line; empty ones are left out.
        others: `state` (a class of the style sheet), `name` (whether the figure is a name, which
            may be long), `measure` (a bar).
    """
    shown = {"title": title, "figure": figure, "lines": list(filter(None, lines))}
    return {"state": "", "name": False, "measure": None, **shown, **others}


def run_cards(evaluation: RunEvaluation) -> list[Values]:
    """The score, the gain over the best baseline, and the weakest label if any label has rows."""
    cards = [_score_card(evaluation), _gain_card(evaluation), _weakest_label_card(evaluation)]
    return [card for card in cards if card]


def _score_card(evaluation: RunEvaluation) -> Values:
    # The first metric, accuracy or micro F1, is always defined; `or` satisfies the type checker.
    name, value = next(iter(evaluation.scores.metrics.items()))
    interval = evaluation.intervals[name]
    between = f"95% interval: {_format_range(name, interval)}" if interval else ""
    return card_values(
        metric_title(name),
        _format_value(name, value or 0.0),
        between,
        scored_rows_text(evaluation),
        measure=measure_values(value or 0.0, interval),
    )


def _gain_card(evaluation: RunEvaluation) -> Values:
    metric = next(iter(evaluation.scores.metrics))
    # Not empty: the majority baseline always exists.
    best = max(evaluation.baselines, key=lambda baseline: baseline.metrics[metric] or 0.0)
    score = _format_value(metric, best.metrics[metric] or 0.0)
    low, high = (_format_gain(metric, edge) for edge in best.interval)
    return card_values(
        "Gain over the best baseline",
        _format_gain(metric, best.lead) + (" points" if metric == "accuracy" else ""),
        f"{_COMPARISONS[best.verdict]} {_BASELINE_NAMES[best.name]} ({score})",
        f"95% interval: {low} to {high}",
        state=_CARD_STATES[best.verdict],
    )


def _weakest_label_card(evaluation: RunEvaluation) -> Values | None:
    """The label of lowest recall; None if no row has a known label."""
    pairs = zip(evaluation.scores.labels, evaluation.label_intervals, strict=True)
    # Without rows, recall is 0 by convention and says nothing about the label.
    occurring = [(label, intervals) for label, intervals in pairs if label.rows]
    if not occurring:
        return None
    label, intervals = min(occurring, key=lambda pair: (pair[0].recall, pair[0].f1))
    if label.recall == 1.0:
        return card_values("Weakest label", "none", "every label has a recall of 100.0%")
    interval = intervals[1]  # of the recall
    between = f" ({_format_range('accuracy', interval)})" if interval else ""
    return card_values(
        "Weakest label",
        label.label,
        f"recall {format_percent(label.recall)}{between}",
        f"F1 {format_score(label.f1)} · {format_count(label.rows, 'row')}",
        name=True,
        measure=measure_values(label.recall, interval),
    )


def _format_value(metric: str, value: float) -> str:
    return format_percent(value) if metric == "accuracy" else format_score(value)


def _format_range(metric: str, interval: Interval) -> str:
    if metric != "accuracy":
        return format_interval(interval)
    return f"{format_percent(interval[0])} to {format_percent(interval[1])}"


def _format_gain(metric: str, value: float) -> str:
    return f"{100 * value:+.1f}" if metric == "accuracy" else f"{value:+.4f}"
