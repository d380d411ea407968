"""The Open Inference Protocol (KServe's V2): a text input, and outputs `label` and `probabilities`.

https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf import __version__
from embedclf.inference.predictor import DECIMALS
from embedclf.serving.requests import RefusedRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Probabilities
    from embedclf.serving.requests import InferInput, InferRequest
    from embedclf.serving.served_run import ServedRun

INPUT, LABEL, PROBABILITIES = "text", "label", "probabilities"


def server_metadata() -> dict[str, Any]:
    """Return the answer to `/v2`."""
    return {"name": "embedclf", "version": __version__, "extensions": []}


def model_metadata(served: ServedRun) -> dict[str, Any]:
    """Return the answer to `/v2/models/<name>`; the labels are in the order of probabilities."""
    names = served.classifier.labels.names
    return {
        "name": served.name,
        "versions": [],
        "platform": "embedclf",
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": LABEL, "datatype": "BYTES", "shape": [-1]},
            {"name": PROBABILITIES, "datatype": "FP32", "shape": [-1, len(names)]},
        ],
        "parameters": {"labels": list(names)},
    }


def read_texts(request: InferRequest) -> list[str]:
    """Return the texts of a request.

    Raises:
        RefusedRequest: It has other inputs, or its shape does not fit its data.
    """
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        raise RefusedRequest(422, f"pass one input, named {INPUT!r}", "inputs")
    tensor, place = request.inputs[0], "inputs[0]"
    if tensor.datatype != "BYTES":
        raise RefusedRequest(422, "the datatype must be BYTES", f"{place}.datatype")
    texts = _flatten(tensor)
    if not all(isinstance(text, str) for text in texts):
        raise RefusedRequest(422, "each element must be a string", f"{place}.data")
    if len(tensor.shape) not in (1, 2) or math.prod(tensor.shape) != len(texts):
        fault = f"the shape is {tensor.shape}, but the data has {len(texts):,} texts"
        raise RefusedRequest(422, fault, f"{place}.shape")
    if len(tensor.shape) == 2 and tensor.shape[1] != 1:
        raise RefusedRequest(422, "the shape must be [n] or [n, 1]", f"{place}.shape")
    return texts


def infer(served: ServedRun, request: InferRequest, texts: Sequence[str]) -> dict[str, Any]:
    """Return the answer to `/v2/models/<name>/infer`.

    Raises:
        RefusedRequest: It asks for an output that does not exist.
    """
    labels = served.classifier.labels
    probabilities = served.classifier.predict_proba(list(texts))
    by_label = labels.label_probabilities(probabilities)  # (n, labels)
    outputs = {
        LABEL: _tensor(LABEL, "BYTES", [len(texts)], _predicted(served, probabilities)),
        PROBABILITIES: _tensor(
            PROBABILITIES,
            "FP32",
            [len(texts), len(labels.names)],
            by_label.astype(np.float64).round(DECIMALS).ravel().tolist(),
        ),
    }
    asked = list(outputs) if request.outputs is None else [each.name for each in request.outputs]
    for index, name in enumerate(asked):
        if name not in outputs:
            fault = f"there is no output {name!r}; there are {LABEL!r} and {PROBABILITIES!r}"
            raise RefusedRequest(422, fault, f"outputs[{index}].name")
    answer = {"model_name": served.name, "outputs": [outputs[name] for name in asked]}
    return answer if request.id is None else {**answer, "id": request.id}


def _flatten(tensor: InferInput) -> list[Any]:
    """Return the elements of a tensor, whose data may be nested as its shape is."""
    elements: list[Any] = []
    for element in tensor.data:
        elements += element if isinstance(element, list) else [element]
    return elements


def _predicted(served: ServedRun, probabilities: Probabilities) -> list[str]:
    """Return the predicted label of each text; several are joined, as in CSV."""
    labels = served.classifier.labels
    decisions = labels.decide(probabilities)
    if labels.task != "multilabel":
        return [labels.names[index] for index in decisions.tolist()]
    return [
        served.label_separator.join(labels.names[index] for index in np.flatnonzero(row))
        for row in decisions
    ]


def _tensor(name: str, datatype: str, shape: list[int], values: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": values}
