"""The verdict on a run in one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run
from embedclf.reports.verdict import verdict_text

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


CASES: dict[str, tuple[list[Any], str]] = {
    "a clear lead": (
        ["binary", 0.988, lead(0.1, 0.05, 0.14), lead(0.011, 0.002, 0.021)],
        "Right for 98.8 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), better than TF-IDF "
        "with logistic regression by 1.1 points (0.2 to 2.1); 88.0 % of 'pos' is found.",
    ),
    "a baseline that wins": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), lead(-0.05, -0.08, -0.02)],
        "Right for 80.0 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), WORSE than TF-IDF "
        "with logistic regression by 5.0 points (2.0 to 8.0); 88.0 % of 'pos' is found.",
    ),
    "nothing clear": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), lead(0.01, -0.02, 0.04)],
        "Right for 80.0 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), not clearly better "
        "or worse than TF-IDF with logistic regression (-2.0 points to +4.0 points); 88.0 % of "
        "'pos' is found.",
    ),
    "hardly above guessing": (
        ["binary", 0.905, lead(0.005, 0.001, 0.009, 0.9), None],
        "Right for 90.5 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), hardly better than "
        "always saying 'neg', which is right for 90.0 %; 88.0 % of 'pos' is found.",
    ),
    "no better than guessing": (
        ["binary", 0.9, lead(0.0, -0.01, 0.01, 0.9), lead(-0.05, -0.08, -0.02)],
        "Right for 90.0 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), not clearly better "
        "or worse than always saying 'neg' (-1.0 points to +1.0 points), WORSE than TF-IDF with "
        "logistic regression by 5.0 points (2.0 to 8.0); 88.0 % of 'pos' is found.",
    ),
    "guessing alone": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), None],
        "Right for 80.0 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), better than always "
        "saying 'neg' by 30.0 points (20.0 to 40.0); 88.0 % of 'pos' is found.",
    ),
    "several labels a row": (
        ["multilabel", 0.5, lead(0.3, 0.2, 0.4), lead(0.01, 0.001, 0.02)],
        "Micro F1 0.500 (0.900 to 0.990) on 24 validation rows of multilabel.csv, better than "
        "TF-IDF with logistic regression by 0.010 (0.001 to 0.020); least found is 'a': 88.0 % of "
        "its 12 rows.",
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


def test_the_verdict_names_no_label_if_all_are_found(
    evaluations: dict[str, RunEvaluation],
) -> None:
    evaluation = evaluations["multilabel"]
    labels = tuple(replace(label, recall=1.0) for label in evaluation.scores.labels)
    changed = replace(evaluation, scores=replace(evaluation.scores, labels=labels))
    assert "found" not in verdict_text(changed)
