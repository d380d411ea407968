"""The ONNX model of a classifier."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from onnx import helper

from embedclf.export.onnx.nodes import BOOL, FLOAT, INT, STRING, Graph, Node
from embedclf.export.onnx.operations import OnnxOperations
from embedclf.export.tensors.interface import PROBABILITIES, TEXTS, TOKEN_IDS, label_output
from embedclf.export.tensors.scores import ScoreGraph
from embedclf.export.tensors.token_ids import TokenIdGraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onnx import ModelProto, ValueInfoProto

    from embedclf.model.classifier import Classifier

OPSETS = {"": 18, "ai.onnx.ml": 4, "com.microsoft": 1}

_IR_VERSION = 9
"""Of the file; that of ONNX 1.14, the first with `ai.onnx.ml` 4 is 1.15."""


def build_model(
    classifier: Classifier, metadata: Mapping[str, Any], *, of_texts: bool
) -> ModelProto:
    """Build the model of a classifier.

    Args:
        classifier: To export.
        metadata: Plain values, which are written as JSON.
        of_texts: Whether its input is texts; if not, token ids.
    """
    graph = Graph()
    ops = OnnxOperations(graph)
    scores = ScoreGraph(classifier)
    labels = len(classifier.labels.names)
    outputs: list[ValueInfoProto] = []
    if of_texts:
        inputs = [helper.make_tensor_value_info(TEXTS, STRING, ["texts"])]
        ids = TokenIdGraph(classifier.tokenizer).build(
            ops, Node(graph, TEXTS, STRING), scores.width
        )
        graph.output(ids, TOKEN_IDS)
        outputs.append(helper.make_tensor_value_info(TOKEN_IDS, INT, ["texts", "ids"]))
    else:
        width = scores.width or "ids"
        inputs = [helper.make_tensor_value_info(TOKEN_IDS, INT, ["texts", width])]
        ids = Node(graph, TOKEN_IDS, INT)
    predictions = scores.build(ops, ids)
    graph.output(predictions.probabilities, PROBABILITIES)
    outputs.insert(0, helper.make_tensor_value_info(PROBABILITIES, FLOAT, ["texts", labels]))
    name = label_output(classifier)
    graph.output(predictions.labels, name)
    several = name == "labels"
    shape: list[str | int | None] = ["texts", labels] if several else ["texts"]
    outputs.insert(0, helper.make_tensor_value_info(name, BOOL if several else STRING, shape))
    constants = graph.used_constants()
    built = helper.make_graph(graph.nodes, "embedclf", inputs, outputs, constants)
    opsets = [helper.make_opsetid(each, OPSETS[each]) for each in OPSETS if each in graph.domains]
    model = helper.make_model(
        built, opset_imports=opsets, producer_name="embedclf", ir_version=_IR_VERSION
    )
    helper.set_model_props(
        model,
        {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in metadata.items()
        },
    )
    return model
