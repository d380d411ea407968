"""SavedModels compute what their runs compute, without embedclf."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embedclf.export.export import export_run
from embedclf.runs.run import FORMAT, Run
from tests.export.tensors.texts import make_markup, make_texts

RUNS = Path(__file__).parents[2] / "formats" / str(FORMAT)
TEXTS = [
    *make_texts(300),
    *make_markup(300),
    "",
    "great hotel",
    "title=about_heat about heat",
    "don’t",
]

PROGRAM = """
import json, sys
import numpy as np, tensorflow as tf
predict = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
outputs = predict(texts=tf.constant(json.loads(sys.stdin.read())))
assert "embedclf" not in sys.modules
nothing = predict(texts=tf.constant([], tf.string))
assert {len(values) for values in nothing.values()} == {0}
np.savez(sys.argv[2], **{name: values.numpy() for name, values in outputs.items()})
"""


@pytest.mark.parametrize("name", ["binary-average-expression", "multiclass-average-symbols"])
def test_a_saved_model_is_proved_equal_to_its_run(name: str, tmp_path: Path) -> None:
    export = export_run(Run.open(RUNS / name), "savedmodel", tmp_path / name)
    assert export.proof.compares_ids
    assert export.proof.largest_difference <= 1e-6


def test_a_saved_model_needs_no_embedclf(tmp_path: Path) -> None:
    run = Run.open(RUNS / "multiclass-average-fields")
    export_run(run, "savedmodel", tmp_path / "model")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "model"), str(tmp_path / "found.npz")]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(command, input=json.dumps(TEXTS), text=True, env=environment, check=True)
    outputs, classifier = np.load(tmp_path / "found.npz", allow_pickle=True), run.classifier()
    ids = [row[row > 0].tolist() for row in outputs["token_ids"]]
    assert ids == [each.tolist() for each in classifier.tokenizer.encode(TEXTS).ids]
    probabilities = classifier.predict_proba(TEXTS)
    assert np.abs(outputs["probabilities"] - probabilities).max() <= 1e-6
    decided = classifier.labels.decide(probabilities).tolist()
    names = [classifier.labels.names[label].encode() for label in decided]
    assert outputs["label"].tolist() == names
