"""The exporter of the format `onnx`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.export.description import describe
from embedclf.export.exporter import Scores
from embedclf.export.onnx.model import build_model
from embedclf.export.tensors.interface import (
    PROBABILITIES,
    TEXTS,
    TOKEN_IDS,
    example_text,
    pad_ids,
    write_tokens,
)
from embedclf.export.tensors.limits import check_hashes, check_size, check_texts
from embedclf.export.tensors.scores import ScoreGraph
from embedclf.export.tensors.token_ids import TokenIdGraph
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from embedclf.export.exporter import ExportSource

MODEL_FILE = "model.onnx"


class OnnxExporter:
    """Writes one file, whose input is texts or token ids."""

    title = "ONNX"

    def prepare(self, source: ExportSource) -> ExportSource:
        """Check that tensors can split texts as the run does, and that the file is not too large.

        Raises:
            RequestError: They cannot, or it is.
        """
        if source.options.input == "text":
            check_texts(source, "--input ids")
        check_size(source)
        return source

    def write(self, source: ExportSource, folder: Path) -> dict[str, Any]:
        """Write the model, with all that `embedclf.json` says about the classifier."""
        of_texts = source.options.input == "text"
        if of_texts:
            check_hashes(source, TokenIdGraph(source.classifier.tokenizer))
        model = build_model(source.classifier, describe(source), of_texts=of_texts)
        (folder / MODEL_FILE).write_bytes(model.SerializeToString())
        if not of_texts:
            write_tokens(source, folder)
        return {
            "example": example_text(source),
            "input": TEXTS if of_texts else TOKEN_IDS,
            "width": ScoreGraph(source.classifier).width,
            "opsets": {each.domain or "ai.onnx": each.version for each in model.opset_import},
            "outputs": [each.name for each in model.graph.output],
        }

    def load(self, folder: Path, source: ExportSource) -> Callable[[Sequence[str]], Scores]:
        """Return what scores texts by ONNX Runtime."""
        import onnxruntime

        session = onnxruntime.InferenceSession(
            str(folder / MODEL_FILE), providers=["CPUExecutionProvider"]
        )

        def score_texts(texts: Sequence[str]) -> Scores:
            column = np.array(texts, np.object_)
            outputs = session.run([PROBABILITIES, TOKEN_IDS], {TEXTS: column})
            return Scores(outputs[0], [row[row != PADDING].tolist() for row in outputs[1]])

        def score_ids(texts: Sequence[str]) -> Scores:
            ids = pad_ids(source, texts)
            [probabilities] = session.run([PROBABILITIES], {TOKEN_IDS: ids})
            return Scores(probabilities)

        return score_texts if source.options.input == "text" else score_ids
