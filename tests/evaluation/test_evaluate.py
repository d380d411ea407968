"""A run evaluated: intervals and baselines next to its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run
from embedclf.evaluation.scores import read_scores
from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.evaluation.scores import Scores
    from embedclf.runs.run import Run


@pytest.fixture(scope="module")
def evaluations(runs: dict[str, Run]) -> dict[str, RunEvaluation]:
    """The evaluation of each task's run."""
    return {task: evaluate_run(run, EvaluationRequest()) for task, run in runs.items()}


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_each_score_lies_in_its_interval(task: str, evaluations: dict[str, RunEvaluation]) -> None:
    metrics, intervals = evaluations[task].scores.metrics, evaluations[task].intervals
    assert list(metrics) == list(intervals)
    for name, value in metrics.items():
        interval = intervals[name]
        assert value is not None
        assert interval is not None
        assert interval[0] - 1e-6 <= value <= interval[1] + 1e-6, name
        assert interval[0] < interval[1], name


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_run_is_compared_with_both_baselines(
    task: str, evaluations: dict[str, RunEvaluation]
) -> None:
    evaluation = evaluations[task]
    majority, tfidf = evaluation.baselines
    assert (majority.name, tfidf.name) == ("majority", "tf-idf")
    metrics = evaluation.scores.metrics
    assert set(tfidf.metrics) == set(metrics)
    first = next(iter(tfidf.metrics))
    assert majority.lead == pytest.approx((metrics[first] or 0) - (majority.metrics[first] or 0))
    assert majority.interval[0] <= majority.lead <= majority.interval[1]
    assert majority.verdict == "run"
    assert evaluation.baseline_missing == ""


def test_slices_by_length_and_by_oov_tokens_partition_the_rows(
    evaluations: dict[str, RunEvaluation],
) -> None:
    for evaluation in evaluations.values():
        rows: dict[str, int] = {}
        for row_slice in evaluation.slices:
            if not row_slice.name.startswith("truncated"):
                rows[row_slice.by] = rows.get(row_slice.by, 0) + row_slice.rows
            assert row_slice.interval[0] <= row_slice.score <= row_slice.interval[1]
        size = len(evaluation.scored)
        assert rows == {"length": size, "OOV tokens": size}


def test_a_run_is_scored_on_its_test_table_by_default(runs: dict[str, Run]) -> None:
    evaluation = evaluate_run(runs["binary"], EvaluationRequest(baseline=False))
    assert evaluation.scored.source.name.startswith("test rows of ")
    assert evaluation.scored.labeled.table.description == "comma, utf-8 (detected)"
    assert_includes(evaluation.scores, read_scores(runs["binary"])["test"])


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_without_a_test_table_the_validation_rows_are_scored(
    task: str, runs: dict[str, Run]
) -> None:
    evaluation = evaluate_run(runs[task], EvaluationRequest(baseline=False))
    assert evaluation.scored.source.name.startswith("validation rows of ")
    assert_includes(evaluation.scores, read_scores(runs[task])["validation"])


def assert_includes(scores: Scores, training_scores: Scores) -> None:
    """All metrics of an evaluation include the default ones of training."""
    assert scores.metrics.items() >= training_scores.metrics.items()
    assert scores.majority.items() >= training_scores.majority.items()
    assert scores.rows == training_scores.rows
    assert scores.labels == training_scores.labels
    assert scores.confusion == training_scores.confusion


def test_another_table_is_scored(runs: dict[str, Run], tmp_path: Path) -> None:
    rows = [*reviews(20), ("great", "odd"), ("", "odd")]
    path = write_csv(tmp_path / "own.csv", ["text", "label"], rows)
    evaluation = evaluate_run(runs["binary"], EvaluationRequest(str(path), baseline=False))
    assert evaluation.scored.source.name == str(path)
    assert evaluation.scores.rows == 22
    assert evaluation.scores.unknown_labels == {"odd": 2}
    assert evaluation.scores.metrics["accuracy"] == pytest.approx(20 / 22)


def test_the_same_seed_gives_the_same_intervals(runs: dict[str, Run]) -> None:
    once, again = (
        evaluate_run(runs["binary"], EvaluationRequest(baseline=False)) for _ in range(2)
    )
    assert once.intervals == again.intervals
    assert once.draws == 1000
