"""The exporter of the format `js`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import ExportError, RequestError
from embedclf.export.description import describe
from embedclf.export.exporter import Scores
from embedclf.export.javascript.expressions import UntranslatableError, translate
from embedclf.export.javascript.model_files import write_model
from embedclf.export.javascript.node import find_node, run_export
from embedclf.export.javascript.page import render_demo_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.export.exporter import ExportSource
    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.system.arrays import Floats

_TOLERANCE = 1e-6
"""Largest difference of two probabilities before the calibration."""

_MODULE = Path(__file__).parent / "files" / "classifier.mjs"


class JavaScriptExporter:
    """Writes an ES module with its data, its types and a page that tries it."""

    title = "JavaScript"

    def __init__(self) -> None:
        self.tolerance = _TOLERANCE

    def prepare(self, source: ExportSource) -> ExportSource:
        """Check that Node.js is installed, and that JavaScript can split texts as the run does."""
        find_node()
        self.tolerance = _calibrated_tolerance(source.classifier.calibration)
        rules = source.classifier.tokenizer.rules
        if rules.is_expression:
            try:
                translate(rules.pattern)
            except UntranslatableError as error:
                fault = f"JavaScript may find other tokens with it: {error}"
                raise RequestError(
                    f"{source.run.path}: text.token_pattern {rules.pattern!r}: {fault}; "
                    "train with a simpler one, or choose another --format"
                ) from error
        return source

    def write(self, source: ExportSource, folder: Path) -> dict[str, Any]:
        """Write the module, its types, its data and the page."""
        classifier = source.classifier
        description = describe(source)
        write_model(folder, description, classifier.tokenizer, classifier.weights)
        for file in (_MODULE, _MODULE.with_name("classifier.d.ts")):
            shutil.copyfile(file, folder / file.name)
        page = render_demo_page(description)
        (folder / "index.html").write_text(page, encoding="utf-8", newline="\n")
        return {"example": _example(description)}

    def load(self, folder: Path, source: ExportSource) -> Callable[[Sequence[str]], Scores]:
        """Return what scores texts in Node.js, and compares what is calibrated."""
        node, classifier = find_node(), source.classifier
        names = classifier.labels.names

        def score(texts: Sequence[str]) -> Scores:
            scores = run_export(node, folder, texts)
            found = Scores(
                _matrix([each["probabilities"] for each in scores], len(names)),
                [each["ids"] for each in scores],
            )
            if classifier.calibration is not None:
                outputs = [each["uncalibrated"] for each in scores]
                _compare(classifier, texts, _matrix(outputs, classifier.labels.outputs), found)
            return found

        return score


def _matrix(rows: list[list[float]], width: int) -> Floats:
    return np.array(rows, np.float32).reshape(len(rows), width)


def _calibrated_tolerance(calibration: Calibration | None) -> float:
    """Return how much probabilities may differ if those before the calibration may by `_TOLERANCE`.

    A curve that rises steeply between two knots enlarges the difference of rounding.
    """
    if calibration is None:
        return _TOLERANCE
    curves = zip(calibration.predicted, calibration.observed, strict=True)
    slopes = [float(np.max(np.diff(ys) / np.diff(xs), initial=1.0)) for xs, ys in curves]
    return min(1.0, 2.0 * max(slopes) * _TOLERANCE)


def _compare(classifier: Classifier, texts: Sequence[str], outputs: Floats, found: Scores) -> None:
    """Compare the network of an export, and then its calibration, with those of the run.

    Args:
        classifier: Of the run.
        texts: That the export has scored.
        outputs: (n, outputs) its probabilities before the calibration.
        found: Its scores.

    Raises:
        ExportError: One of the two differs.
    """
    ids = classifier.tokenizer.encode(texts).ids
    expected = classifier.probabilities(classifier.weights.logits(ids))
    calibrated = np.asarray(classifier.calibrate(outputs))
    by_label = classifier.labels.label_probabilities(calibrated)
    for name, wanted, scored in (
        ("network", np.asarray(expected), outputs),
        ("calibration", by_label, found.probabilities),
    ):
        difference = float(np.abs(wanted - scored).max(initial=0.0))
        if not difference <= _TOLERANCE:  # NaN is no match
            raise ExportError(f"its {name} differs by {difference:.2g} in a probability")


def _example(description: dict[str, Any]) -> str:
    """Return the argument of `predict` in the README."""
    of_run = description["columns"]
    columns = [each for each in of_run["fields"] if each not in of_run["constants"]]
    columns += of_run["text"]
    rows = dict.fromkeys(columns, "great")
    return json.dumps("great" if len(columns) == 1 else rows, ensure_ascii=False)
