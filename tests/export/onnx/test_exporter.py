"""ONNX models compute what their runs compute, from texts and from token ids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.config.sections import TextConfig
from embedclf.errors import RequestError
from embedclf.export.export import export_run
from embedclf.export.exporter import ExportOptions
from embedclf.model.classifier import Calibration
from embedclf.runs.run import FORMAT, Run
from embedclf.system.arrow import text_column
from embedclf.text.fields import NumericField
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.export.tensors.texts import all_characters, make_cells, make_markup, make_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.model.classifier import Classifier

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RUNS = Path(__file__).parents[2] / "formats" / str(FORMAT)
EXPORTED = sorted({file.stem for file in RUNS.glob("*.json")})
TEXTS = [
    *make_texts(300),
    *make_markup(300),
    "",
    "great hotel",
    "title=about_heat about heat",
    "don’t",
]


def open_session(classifier: Classifier) -> Any:
    """Open the ONNX model of a classifier."""
    from embedclf.export.onnx.model import build_model

    model = build_model(classifier, {}, of_texts=True).SerializeToString()
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def predict(session: Any, texts: Sequence[str]) -> dict[str, Any]:
    """Predict texts by an ONNX model."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"texts": np.array(texts, np.object_)}), strict=True))


def expected_ids(classifier: Classifier, texts: Sequence[str]) -> list[list[int]]:
    return [ids.tolist() for ids in classifier.tokenizer.encode(texts).ids]


def found_ids(outputs: dict[str, Any]) -> list[list[int]]:
    return [row[row > 0].tolist() for row in outputs["token_ids"]]


@pytest.mark.parametrize("name", EXPORTED)
def test_a_model_of_texts_equals_its_run(name: str) -> None:
    classifier = Run.open(RUNS / name).classifier()
    outputs = predict(open_session(classifier), TEXTS)
    assert found_ids(outputs) == expected_ids(classifier, TEXTS)
    probabilities = classifier.predict_proba(TEXTS)
    of_labels = classifier.labels.label_probabilities(probabilities)
    assert np.abs(outputs["probabilities"] - of_labels).max() <= 1e-6
    decided = classifier.labels.decide(probabilities)
    if classifier.labels.task == "multilabel":
        np.testing.assert_array_equal(outputs["labels"], decided == 1)
    else:
        assert outputs["label"].tolist() == [classifier.labels.names[each] for each in decided]


@pytest.mark.parametrize("model_input", ["text", "ids"])
def test_an_export_is_proved_and_describes_itself(model_input: str, tmp_path: Path) -> None:
    import onnx

    run = Run.open(RUNS / "binary-sqrt-ngrams-vectors")
    export = export_run(run, "onnx", tmp_path / "exported", ExportOptions(model_input))
    assert export.proof.largest_difference <= 1e-6
    assert export.proof.compares_ids == (model_input == "text")
    model = onnx.load(tmp_path / "exported" / "model.onnx")
    onnx.checker.check_model(model)
    metadata = {each.key: each.value for each in model.metadata_props}
    assert json.loads(metadata["labels"]) == list(run.classifier().labels.names)
    assert metadata["task"] == "binary"
    domains = {each.domain for each in model.opset_import}
    assert ("com.microsoft" in domains) == (model_input == "text")


@pytest.mark.parametrize("name", ["binary-flatten", "multilabel-max-vectors"])
@pytest.mark.parametrize("model_input", ["text", "ids"])
def test_the_program_of_the_readme_runs_without_a_locale(
    name: str, model_input: str, tmp_path: Path
) -> None:
    export_run(Run.open(RUNS / name), "onnx", tmp_path / name, ExportOptions(model_input))
    readme = (tmp_path / name / "README.md").read_text(encoding="utf-8")
    program = readme.split("```python\n")[1].split("```")[0]
    program = program.replace(f'load("{name}")', f'load("{(RUNS / name).as_posix()}")')
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "1"}
    paths = os.pathsep.join([str(RUNS.parents[2]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path / name,
        env=environment | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "probabilities [[" in done.stdout


def test_an_expression_that_no_automaton_stands_for_is_refused() -> None:
    from embedclf.export.exporter import ExportSource
    from embedclf.export.onnx.exporter import OnnxExporter

    run = Run.open(RUNS / "binary-average-expression")
    classifier = run.classifier()
    rules = replace(classifier.tokenizer.rules, pattern="(?:a*)+b")
    tokenizer = replace(classifier.tokenizer, rules=rules)
    columns = run.config().data.input_columns
    source = ExportSource(run, replace(classifier, tokenizer=tokenizer), columns, ExportOptions())
    way_out = "choose --input ids, or train with a simpler one"
    with pytest.raises(RequestError, match=rf"token_pattern '\(\?:a\*\)\+b'.*; {way_out}"):
        OnnxExporter().prepare(source)


def test_numbers_of_fields_are_binned() -> None:
    classifier = Run.open(RUNS / "multiclass-average-fields").classifier()
    numeric = (NumericField("title", (-1.5, 0.1, 7.0)),)
    tokens = ("title=", *(f"title=q{number}" for number in range(1, 5)))
    tokenizer = replace(classifier.tokenizer, numeric_fields=numeric)
    tokenizer = replace(tokenizer, tokens=(*tokenizer.tokens[: -len(tokens)], *tokens))
    classifier = replace(classifier, tokenizer=tokenizer)
    texts = [f"title={cell} great hotel" for cell in make_cells(500, (-1.5, 0.1, 7.0))]
    session = open_session(classifier)
    assert found_ids(predict(session, texts)) == expected_ids(classifier, texts)


def test_an_empty_batch_has_no_rows() -> None:
    for name in ("multiclass-average-fields", "multilabel-max-characters-html"):
        outputs = predict(open_session(Run.open(RUNS / name).classifier()), [])
        assert {len(values) for values in outputs.values()} == {0}


def test_steep_curves_thresholds_and_ties_are_kept() -> None:
    classifier = Run.open(RUNS / "multilabel-max-characters").classifier()
    plain = classifier.predict_proba(TEXTS)
    middles = np.sort(plain, axis=0)[len(plain) // 2].astype(np.float64)
    predicted = tuple(np.array([each - 1e-7, each, each + 1e-7]) for each in middles)
    curves = Calibration(predicted, (np.array([0.1, 0.5, 0.9]),) * len(predicted))
    calibrated = replace(classifier, calibration=curves).with_thresholds([0.5, 0.1, 0.9])
    expected = calibrated.predict_proba(TEXTS)
    # Where a probability is next to a step, its last digit decides: compare from those of ONNX
    raw = predict(open_session(replace(classifier, calibration=None)), TEXTS)["probabilities"]
    expected = curves.apply(raw, exclusive=False)
    outputs = predict(open_session(calibrated), TEXTS)
    assert np.abs(outputs["probabilities"] - expected).max() <= 1e-6
    np.testing.assert_array_equal(
        outputs["labels"], outputs["probabilities"] >= np.array([0.5, 0.1, 0.9])
    )


def test_every_code_point_has_the_same_ids() -> None:
    texts = [f"{character} a{character}b" for character in all_characters()]
    rules = TokenRules(pattern="words_and_symbols")
    learned = rules.tokenize(text_column(texts[::7]))
    config = TextConfig(vocabulary_size=200_000, sequence_length=9)
    tokenizer = Tokenizer.fit([learned.count()], rules, config)
    classifier = Run.open(RUNS / "binary-max-hidden").classifier()
    rows = np.zeros((tokenizer.vocabulary_rows, classifier.weights.trained.shape[1]), np.float32)
    weights = replace(classifier.weights, trained=rows)
    classifier = replace(classifier, tokenizer=tokenizer, weights=weights)
    session, differing = open_session(classifier), []
    for start in range(0, len(texts), 1 << 18):
        some = texts[start : start + (1 << 18)]
        found, expected = found_ids(predict(session, some)), expected_ids(classifier, some)
        rows_of = zip(some, found, expected, strict=True)
        differing += [ascii(text) for text, ids, others in rows_of if ids != others]
    assert differing == []
