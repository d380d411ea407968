"""The exporter of the format `js`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import RequestError
from embedclf.export.automata.syntax import UnsupportedExpressionError
from embedclf.export.description import describe
from embedclf.export.exporter import Scores
from embedclf.export.javascript.expressions import translate
from embedclf.export.javascript.model_files import write_model
from embedclf.export.javascript.node import find_node, run_export
from embedclf.export.javascript.page import render_demo_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.export.exporter import ExportSource

_MODULE = Path(__file__).parent / "files" / "classifier.mjs"


class JavaScriptExporter:
    """Writes an ES module with its data, its types and a page that tries it."""

    title = "JavaScript"

    def prepare(self, source: ExportSource) -> ExportSource:
        """Check that Node.js is installed, and that JavaScript can split texts as the run does."""
        find_node()
        rules = source.classifier.tokenizer.rules
        if rules.is_expression:
            try:
                translate(rules.pattern)
            except UnsupportedExpressionError as error:
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
        """Return what scores texts in Node.js."""
        node, labels = find_node(), source.classifier.labels.names

        def score(texts: Sequence[str]) -> Scores:
            scores = run_export(node, folder, texts)
            probabilities = np.array([each["probabilities"] for each in scores], np.float32)
            token_ids = [each["ids"] for each in scores]
            return Scores(probabilities.reshape(len(texts), len(labels)), token_ids)

        return score


def _example(description: dict[str, Any]) -> str:
    """Return the argument of `predict` in the README."""
    of_run = description["columns"]
    columns = [each for each in of_run["fields"] if each not in of_run["constants"]]
    columns += of_run["text"]
    rows = dict.fromkeys(columns, "great")
    return json.dumps("great" if len(columns) == 1 else rows, ensure_ascii=False)
