"""Plots of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.evaluation.metrics import reliability
from embedclf.evaluation.thresholds import ThresholdCurve
from embedclf.reports.html.page import name, plain, table
from embedclf.reports.html.plots import (
    confusion_matrix,
    learning_curve,
    precision_recall_curve,
    reliability_diagram,
    roc_curve,
)
from embedclf.reports.verdict import titled
from embedclf.runs.history import ended
from embedclf.system.terminal import percent, score

if TYPE_CHECKING:
    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.reports.html.report_data import ReportData

_CELLS = 20
"""Labels whose confusion matrix can be read; of more the most frequent confusions are told."""

_CONFUSIONS = 20
"""That are told."""


def confusion(told: RunEvaluation) -> str:
    """What is taken for what."""
    evaluation = told.evaluation
    if evaluation.confusion is None:
        return "<p>A row has several labels here, so that none is taken for another.</p>\n"
    if len(evaluation.labels) > _CELLS:
        return _confusions(told)
    names = [label.label for label in evaluation.labels]
    drawn = confusion_matrix("confusion", "confusion matrix", names, evaluation.confusion)
    return _figure(drawn, "Rows; the depth of colour is the share of the true label's rows.")


def ranking(told: RunEvaluation) -> str:
    """ROC and precision-recall curves, where a threshold decides.

    Of several labels a row all cells are one ranking (micro-average).
    """
    predicted, task = told.predicted, told.scored.classifier.labels.task
    if task == "multiclass":
        return (
            "<p>Of several labels the likeliest is given, whatever its probability: there is no "
            "threshold to move along a curve.</p>\n"
        )
    came, likely = predicted.came.ravel(), predicted.probabilities[predicted.known].ravel()
    if came.all() or not came.any():
        return "<p>The rows are all of one label, so that none can be ranked before another.</p>\n"
    curve = ThresholdCurve.of(came, likely)
    recall, precision, false = _at(told)
    pairs = curve.recall, curve.precision, (recall, precision), float(came.mean())
    drawn = [precision_recall_curve("pr", "precision-recall curve", *pairs)]
    captions = [f"Precision and recall; PR AUC {score(told.evaluation.scores['pr_auc'])}."]
    if task == "binary":
        rates = curve.false_positives / (curve.rows - curve.positives)
        drawn.insert(0, roc_curve("roc", "ROC curve", rates, curve.recall, (false, recall)))
        captions.insert(0, f"ROC; area {score(told.evaluation.scores['roc_auc'])}.")
    else:
        captions = [
            "Precision and recall of all labels together (micro-average). There is no ROC curve: "
            "nearly no label is true of a row, so that it would look good in any case."
        ]
    figures = "".join(map(_figure, drawn, captions))
    return f'<div class="side">\n{figures}</div>\n'


def calibration(told: RunEvaluation) -> str:
    """How often probabilities come true."""
    if not len(told.predicted.claims[0]):
        return "<p>No row has a label that the run knows.</p>\n"
    drawn = reliability_diagram("reliability", "reliability diagram", reliability(told.predicted))
    of = {
        "binary": f"of {told.evaluation.labels[-1].label!r}",
        "multiclass": "of the likeliest label",
        "multilabel": "of all labels",
    }[told.scored.classifier.labels.task]
    error = told.evaluation.scores["ece"]
    return _figure(
        drawn,
        f"Probabilities {of} in ten bins, with 95 % intervals, and how often each was said; "
        f"expected calibration error {score(error)}.",
    )


def learning(told: ReportData) -> str:
    """Loss and score of each epoch."""
    epochs, best = told.epochs, told.run.record["best_epoch"]
    shown = titled(told.appraisal.scored.classifier.labels.score_name)
    loss = [one.loss for one in epochs], [one.val_loss for one in epochs]
    scored = [one.score for one in epochs], [one.val_score for one in epochs]
    warm = told.appraisal.scored.place.config.training.calibration == "temperature"
    caption = "Loss; of validation, that which the best temperature leaves." if warm else "Loss."
    figures = [
        _figure(learning_curve("loss", "loss by epoch", *loss, best), caption),
        _figure(learning_curve("score", f"{shown} by epoch", *scored, best), f"{shown}."),
    ]
    sentence = f"<p>{plain(ended(told.run.record))}.</p>\n"
    return f'{sentence}<div class="side">\n{"".join(figures)}</div>\n'


def _confusions(told: RunEvaluation) -> str:
    """The labels that are most often taken for another, of very many."""
    cells = told.evaluation.confusion or ()
    found = [
        (count, told.evaluation.labels[true], told.evaluation.labels[given].label)
        for true, counts in enumerate(cells)
        for given, count in enumerate(counts)
        if count and given != true
    ]
    found.sort(key=lambda one: -one[0])
    rows = [
        [
            name(label.label),
            name(given),
            f"{count:,}",
            percent(count / label.rows),
        ]
        for count, label, given in found[:_CONFUSIONS]
    ]
    caption = f"the {len(rows)} most frequent of {len(found):,} confusions"
    return table(caption, ["true", "given", "rows", "of the true label's"], rows)


def _at(told: RunEvaluation) -> tuple[float, float, float]:
    """Recall, precision and false positive rate as it is decided, of the rows of known labels."""
    predicted = told.predicted
    came = predicted.came
    decided = predicted.labels.present(predicted.decided)[predicted.known]
    true, others = int(came.sum()), int((~came).sum())
    both, false = int((came & decided).sum()), int((~came & decided).sum())
    return both / max(true, 1), both / max(both + false, 1), false / max(others, 1)


def _figure(drawn: str, caption: str) -> str:
    return f"<figure>\n{drawn}<figcaption>{plain(caption)}</figcaption>\n</figure>\n"
