"""The proof of an export: what differs is found, and named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.errors import ExportError
from embedclf.export.exporter import ExportOptions, ExportSource, Scores
from embedclf.export.proof import prove
from embedclf.model.classifier import Calibration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.runs.run import Run


def source_of(run: Run) -> ExportSource:
    columns = run.config().data.input_columns
    return ExportSource(run, run.classifier(), columns, ExportOptions())


def score_as(source: ExportSource) -> Callable[[Sequence[str]], Scores]:
    """Return what an export does that is right."""
    classifier = source.classifier

    def score(texts: Sequence[str]) -> Scores:
        ids = classifier.tokenizer.encode(texts).ids
        probabilities = classifier.predict_proba_ids(ids)
        of_labels = classifier.labels.label_probabilities(probabilities)
        return Scores(of_labels, [each.tolist() for each in ids])

    return score


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_what_is_equal_is_proved(task: str, runs: dict[str, Run]) -> None:
    proof = prove(source_of(runs[task]), score_as(source_of(runs[task])))
    assert proof.largest_difference == 0.0
    assert proof.compares_ids
    assert proof.own_texts > 20
    assert proof.rows > 10
    assert proof.missing_rows == ""


def test_rows_of_a_table_that_has_changed_are_not_compared(runs: dict[str, Run]) -> None:
    run = replace(runs["binary"], record=dict(runs["binary"].record))
    train = {**run.record["data"]["train"], "sha256": "0" * 64}
    run.record["data"] = {**run.record["data"], "train": train}
    source = replace(source_of(runs["binary"]), run=run)
    proof = prove(source, score_as(source))
    assert proof.rows == 0
    assert "has changed" in proof.missing_rows


def test_other_ids_are_found(runs: dict[str, Run]) -> None:
    source = source_of(runs["binary"])
    right = score_as(source)

    def score(texts: Sequence[str]) -> Scores:
        scores = right(texts)
        ids = [[*row, 1] if "\u2019" in text else row
               for text, row in zip(texts, scores.token_ids or [], strict=True)]  # fmt: skip
        return scores._replace(token_ids=ids)

    with pytest.raises(ExportError, match=r"text .*don\\u2019t.* gets other token ids"):
        prove(source, score)


@pytest.mark.parametrize("wrong", [2e-6, -1.0, np.nan, np.inf])
def test_other_probabilities_are_found(wrong: float, runs: dict[str, Run]) -> None:
    source = source_of(runs["multiclass"])
    right = score_as(source)

    def score(texts: Sequence[str]) -> Scores:
        probabilities = right(texts).probabilities.copy()
        probabilities[[text == "..." for text in texts], 1] += wrong
        return Scores(probabilities)

    with pytest.raises(ExportError, match=r"text '\.\.\.' differs by"):
        prove(source, score)


def test_missing_labels_are_found(runs: dict[str, Run]) -> None:
    source = source_of(runs["multiclass"])
    right = score_as(source)
    with pytest.raises(ExportError, match="other labels than in the run"):
        prove(source, lambda texts: Scores(right(texts).probabilities[:, :-1]))


def test_a_steep_calibration_may_enlarge_rounding(runs: dict[str, Run]) -> None:
    source = source_of(runs["multilabel"])
    plain = replace(source.classifier, calibration=None)
    [outputs] = plain.predict_proba(["..."]).astype(np.float64)
    knots = tuple(np.array([0.0, each - 1e-5, each + 1e-5, 1.0]) for each in outputs)
    curves = (np.array([0.1, 0.2, 0.8, 0.9]),) * len(knots)
    classifier = replace(plain, calibration=Calibration(knots, curves))

    def score(shift: float) -> Callable[[Sequence[str]], Scores]:
        def score_texts(texts: Sequence[str]) -> Scores:
            shifted = plain.predict_proba(texts) + np.float32(shift)
            return Scores(np.asarray(classifier.calibrate(shifted)))

        return score_texts

    proof = prove(replace(source, classifier=classifier), score(5e-7))
    assert proof.largest_difference > 1e-3
    with pytest.raises(ExportError, match="differs by"):
        prove(replace(source, classifier=classifier), score(1e-5))
