"""The exporter of the format `litert`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.export.exporter import Scores
from embedclf.export.tensorflow.operations import TensorFlowOperations
from embedclf.export.tensors.interface import (
    PROBABILITIES,
    TOKEN_IDS,
    example_text,
    pad_ids,
    write_tokens,
)
from embedclf.export.tensors.limits import check_size
from embedclf.export.tensors.scores import ScoreGraph
from embedclf.model.backend import tf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from embedclf.export.exporter import ExportSource
    from embedclf.export.tensors.operations import Tensor
    from embedclf.model.classifier import Classifier

MODEL_FILE = "model.tflite"


class LiteRtExporter:
    """Writes a model of LiteRT (formerly TensorFlow Lite), whose input is token ids."""

    title = "LiteRT"

    def prepare(self, source: ExportSource) -> ExportSource:
        """Check that the file is not too large.

        Raises:
            RequestError: It is.
        """
        check_size(source)
        return source

    def write(self, source: ExportSource, folder: Path) -> dict[str, Any]:
        """Write the model, and the tokens in the order of their ids."""
        module = build_module(source.classifier)
        functions = [module.predict.get_concrete_function()]
        converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, module)
        (folder / MODEL_FILE).write_bytes(converter.convert())
        write_tokens(source, folder)
        return {
            "example": example_text(source),
            "input": TOKEN_IDS,
            "outputs": [PROBABILITIES],
            "width": ScoreGraph(source.classifier).width,
        }

    def load(self, folder: Path, source: ExportSource) -> Callable[[Sequence[str]], Scores]:
        """Return what scores the ids of texts by LiteRT's interpreter."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(folder / MODEL_FILE))
        [put], [got] = interpreter.get_input_details(), interpreter.get_output_details()

        def score(texts: Sequence[str]) -> Scores:
            ids = pad_ids(source, texts).astype(np.int32)
            interpreter.resize_tensor_input(put["index"], ids.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(put["index"], ids)
            interpreter.invoke()
            probabilities = interpreter.get_tensor(got["index"])
            return Scores(probabilities)

        return score


def build_module(classifier: Classifier) -> Any:
    """Return a module whose `predict` turns token ids into probabilities."""
    ops, scores = TensorFlowOperations(variables=False), ScoreGraph(classifier)

    def predict(token_ids: Tensor) -> dict[str, Tensor]:
        return {PROBABILITIES: scores.build(ops, tf.cast(token_ids, tf.int64)).probabilities}

    signature = [tf.TensorSpec([None, scores.width], tf.int32, name=TOKEN_IDS)]
    module = tf.Module()
    module.predict = tf.function(predict, input_signature=signature, autograph=False)
    return module
