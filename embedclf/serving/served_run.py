"""A loaded run, and its answers to requests."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from embedclf.inference.explain import explain
from embedclf.inference.few_rows import FEW_TEXTS, predict_few
from embedclf.inference.predictor import Predictor
from embedclf.inference.serialization import json_objects
from embedclf.inference.streams import line_batch
from embedclf.reports.inference import explanation_json
from embedclf.runs.run import Run
from embedclf.serving.records import read_records
from embedclf.serving.requests import PredictRequest, RefusedRequest
from embedclf.system.arrow import text_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from embedclf.model.classifier import Classifier
    from embedclf.system.fields import TextColumns


@dataclass(frozen=True)
class ServedRun:
    """A run whose classifier is in memory."""

    name: str
    classifier: Classifier
    columns: TextColumns
    """Of the records that it can predict."""
    label_separator: str
    """Between the labels of a text, where an answer has no lists."""

    @classmethod
    def load(cls, path: Path, name: str) -> ServedRun:
        """Open a run, check its files, and load its classifier.

        Args:
            path: Of the run.
            name: By which requests name it.

        Raises:
            RunError: There is none, or it is damaged.
        """
        run = Run.open(path)
        data = run.config().data
        served = cls(
            name,
            run.classifier(),
            data.input_columns,
            data.label_separator or "|",
        )
        # What is read at the first use is read now, not while the first client waits
        for explain_it in (False, True):
            served.answer(PredictRequest(text="a text", explain=explain_it))
        return served

    def answer(self, request: PredictRequest) -> tuple[bytes, int]:
        """Return the answer to a request, and how many rows it has.

        The predictions are those that `embedclf predict --json` prints.

        Raises:
            RefusedRequest: The request does not fit the run.
        """
        self._check(request)
        predictor = Predictor(self.classifier, top_k=request.top_k)
        if isinstance(request.records, list):
            batch = read_records(request.records, self.columns, predictor.added_columns)
        else:
            texts = request.texts if isinstance(request.texts, list) else [str(request.text)]
            if len(texts) <= FEW_TEXTS and not request.explain:
                rows = predict_few(predictor, texts)
                return msgspec.json.encode({"run": self.name, "predictions": rows}), len(rows)
            batch = line_batch(text_column(texts))
        objects = [
            line
            for part in predictor.split([batch])
            for line in json_objects(predictor.predict(part), part.records)
        ]
        if request.explain:
            objects = list(self._with_explanations(objects, batch.texts.to_pylist()))
        run = json.dumps(self.name, ensure_ascii=False)
        content = f'{{"run": {run}, "predictions": [{", ".join(objects)}]}}'
        return content.encode(), len(objects)

    def _check(self, request: PredictRequest) -> None:
        """Check that a request has texts or records, and fits the labels."""
        rows = (request.text, request.texts, request.records)
        if sum(each is not msgspec.UNSET for each in rows) != 1:
            raise RefusedRequest(422, "pass one of 'text', 'texts' and 'records'", "texts")
        label_count = len(self.classifier.labels.names)
        if request.top_k > label_count:
            fault = f"the run {self.name!r} has only {label_count:,} labels"
            raise RefusedRequest(422, fault, "top_k")

    def _with_explanations(self, objects: Sequence[str], texts: list[str]) -> Iterator[str]:
        explanations = defaultdict[int, list[str]](list)
        for explanation in explain(self.classifier, texts):
            explanations[explanation.row - 1].append(explanation_json(explanation))
        for row, line in enumerate(objects):
            added = ", ".join(explanations[row])
            yield f'{line.removesuffix("}")}, "explanations": [{added}]}}'
