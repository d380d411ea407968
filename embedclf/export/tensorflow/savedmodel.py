"""The exporter of the format `savedmodel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.export.exporter import Scores
from embedclf.export.tensorflow.operations import TensorFlowOperations
from embedclf.export.tensors.interface import (
    PROBABILITIES,
    TEXTS,
    TOKEN_IDS,
    example_text,
    label_output,
)
from embedclf.export.tensors.limits import check_hashes, check_texts
from embedclf.export.tensors.scores import ScoreGraph
from embedclf.export.tensors.token_ids import TokenIdGraph
from embedclf.model.backend import tf
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from embedclf.export.exporter import ExportSource
    from embedclf.export.tensors.operations import Tensor
    from embedclf.model.classifier import Classifier

_SIGNATURE = "serving_default"


class SavedModelExporter:
    """Writes a SavedModel of TensorFlow, whose input is texts."""

    title = "SavedModel"

    def prepare(self, source: ExportSource) -> ExportSource:
        """Check that tensors can split texts as the run does.

        Raises:
            RequestError: They cannot.
        """
        check_texts(source, "--format litert")
        return source

    def write(self, source: ExportSource, folder: Path) -> dict[str, Any]:
        """Write the model, with a signature for serving."""
        check_hashes(source, TokenIdGraph(source.classifier.tokenizer))
        module = build_module(source.classifier)
        tf.saved_model.save(module, str(folder), signatures={_SIGNATURE: module.predict})
        # Differs between two exports of one run, and nothing reads it
        (folder / "fingerprint.pb").unlink(missing_ok=True)
        outputs = [label_output(source.classifier), PROBABILITIES, TOKEN_IDS]
        return {"example": example_text(source), "input": TEXTS, "outputs": outputs}

    def load(self, folder: Path, source: ExportSource) -> Callable[[Sequence[str]], Scores]:
        """Return what scores texts by the signature of the model."""
        del source
        model = tf.saved_model.load(str(folder))
        predict = model.signatures[_SIGNATURE]

        def score(texts: Sequence[str]) -> Scores:
            outputs = predict(texts=tf.constant(list(texts)))
            ids, probabilities = outputs[TOKEN_IDS].numpy(), outputs[PROBABILITIES].numpy()
            return Scores(probabilities, [row[row != PADDING].tolist() for row in ids])

        return score


def build_module(classifier: Classifier) -> Any:
    """Return a module whose `predict` turns texts into the outputs."""
    ops = TensorFlowOperations()
    ids_of, scores = TokenIdGraph(classifier.tokenizer), ScoreGraph(classifier)

    def predict(texts: Tensor) -> dict[str, Tensor]:
        ops.begin()
        ids = ids_of.build(ops, texts, scores.width)
        predictions = scores.build(ops, ids)
        return {
            label_output(classifier): predictions.labels,
            PROBABILITIES: predictions.probabilities,
            TOKEN_IDS: ids,
        }

    signature = [tf.TensorSpec([None], tf.string, name=TEXTS)]
    module = tf.Module()
    module.predict = tf.function(predict, input_signature=signature, autograph=False)
    module.predict.get_concrete_function()
    module.resources = ops.resources  # of the graph; the module has to keep them
    return module
