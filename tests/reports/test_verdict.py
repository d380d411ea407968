"""The verdict on a run in one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run
from embedclf.reports.verdict import verdict_text
from embedclf.runs.seen_tables import SEEN_CAUTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.runs.run import Run


@pytest.fixture(scope="module")
def evaluations(runs: dict[str, Run]) -> dict[str, RunEvaluation]:
    return {
        task: evaluate_run(runs[task], EvaluationRequest()) for task in ("binary", "multilabel")
    }


def lead(difference: float, low: float, high: float, score: float = 0.5) -> dict[str, Any]:
    """The run's lead over a baseline, its interval, and the score of the baseline."""
    return {"lead": difference, "interval": (low, high), "score": score}


ROWS = "40 test rows of binary-test.csv"

CASES: dict[str, tuple[list[Any], str]] = {
    "a clear lead": (
        ["binary", 0.988, lead(0.1, 0.05, 0.14), lead(0.011, 0.002, 0.021)],
        f"accuracy 98.8% (90.0-99.0%) on {ROWS}: better than TF-IDF + logistic regression by 1.1 "
        "points (0.2 to 2.1); pos: recall 88.0%",
    ),
    "a baseline that wins": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), lead(-0.05, -0.08, -0.02)],
        f"accuracy 80.0% (90.0-99.0%) on {ROWS}: worse than TF-IDF + logistic regression by 5.0 "
        "points (2.0 to 8.0); pos: recall 88.0%",
    ),
    "nothing clear": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), lead(0.01, -0.02, 0.04)],
        f"accuracy 80.0% (90.0-99.0%) on {ROWS}: no clear difference from TF-IDF + logistic "
        "regression (-2.0 to +4.0 points); pos: recall 88.0%",
    ),
    "barely above guessing": (
        ["binary", 0.905, lead(0.005, 0.001, 0.009, 0.9), None],
        f"accuracy 90.5% (90.0-99.0%) on {ROWS}: barely better than always predicting 'neg' "
        "(90.0%); pos: recall 88.0%",
    ),
    "no better than guessing": (
        ["binary", 0.9, lead(0.0, -0.01, 0.01, 0.9), lead(-0.05, -0.08, -0.02)],
        f"accuracy 90.0% (90.0-99.0%) on {ROWS}: no clear difference from always predicting 'neg' "
        "(-1.0 to +1.0 points), worse than TF-IDF + logistic regression by 5.0 points (2.0 to 8.0)"
        "; pos: recall 88.0%",
    ),
    "guessing alone": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), None],
        f"accuracy 80.0% (90.0-99.0%) on {ROWS}: better than always predicting 'neg' by 30.0 "
        "points (20.0 to 40.0); pos: recall 88.0%",
    ),
    "several labels a row": (
        ["multilabel", 0.5, lead(0.3, 0.2, 0.4), lead(0.01, 0.001, 0.02)],
        "micro F1 0.500 (0.900-0.990; slightly optimistic) on 24 validation rows of "
        "multilabel.csv: better than TF-IDF + logistic regression by 0.010 (0.001 to 0.020); "
        "weakest label: a (recall 88.0%, 12 rows)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_says_what_the_numbers_say(
    case: str, evaluations: dict[str, RunEvaluation], project: Path
) -> None:
    (task, score, *leads), expected = CASES[case]
    evaluation = evaluations[task]
    first: str = next(iter(evaluation.scores.metrics))
    baselines = [
        replace(
            baseline,
            metrics={first: values["score"]},
            lead=values["lead"],
            interval=values["interval"],
        )
        for baseline, values in zip(evaluation.baselines, leads, strict=True)
        if values is not None
    ]
    labels = [replace(label, rows=12, recall=0.88) for label in evaluation.scores.labels]
    scores = replace(evaluation.scores, metrics={first: score}, labels=tuple(labels))
    changed = replace(
        evaluation, scores=scores, intervals={first: (0.9, 0.99)}, baselines=tuple(baselines)
    )
    assert verdict_text(changed).replace(f"{project}/", "") == expected


def test_the_verdict_names_no_label_if_all_have_full_recall(
    evaluations: dict[str, RunEvaluation],
) -> None:
    evaluation = evaluations["multilabel"]
    labels = tuple(replace(label, recall=1.0) for label in evaluation.scores.labels)
    changed = replace(evaluation, scores=replace(evaluation.scores, labels=labels))
    assert "weakest label" not in verdict_text(changed)


def test_scores_on_training_rows_are_called_inflated(
    evaluations: dict[str, RunEvaluation],
) -> None:
    evaluation = evaluations["binary"]
    source = replace(evaluation.scored.source, caution=SEEN_CAUTIONS["train"])
    changed = replace(evaluation, scored=replace(evaluation.scored, source=source))
    assert "; inflated) on 40 " in verdict_text(changed)
