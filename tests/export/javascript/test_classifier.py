"""The module computes what the run computes, in Node.js and in Chromium."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.inference.explain import explain
from embedclf.runs.run import FORMAT, Run
from tests.export.javascript.engines import Chromium, Node, in_node, write_export
from tests.formats.make import TEXTS
from tests.reports.html.pages import in_chromium
from tests.test_formats import RUNS, name

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.model.classifier import Classifier
    from tests.conftest import Invoke

CURRENT = [run for run in RUNS if run.parent.name == str(FORMAT)]
EDGES = (
    *TEXTS,
    " \t\n",
    "na\u00efve",
    "nai\u0308ve",
    "great hotel " * 500,
    "don\u2019t 'quoted' rock'n'roll ''",
    "\u039f\u0394\u039f\u03a3 \u0130stanbul \u1e9e \ufb01",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd",
    "\U0001f1e9\U0001f1ea\U0001f1e9 \u2764\ufe0f",
    "1\u20e3 1\ufe0f\u20e3 #\u20e3 a\u20e3",
    "soft\u00adhyphen zero\u200bwidth \ufeffmark",
    "a\U00010000b \U0001fbf0 \uffff",
    "title=About\u00a0 great title=heat",
)
ADVERSE = [
    " \U0001f3f4\U000e0067\U000e007f\u200d ",
    "<scr\u0130pt>a</SCRIPT> <\u017fcript>b</\u017fcript> <script>c</script",
    "&#x80;&#0;&#xD800;&#1114112;&notin;&not;&AMP;&amp;lt;b&amp;gt;",
    ":-) :do <3 <3b C++ a+b a+++ ------ !!!!! .,",
]


def probabilities(classifier: Classifier, texts: list[str]) -> Any:
    return classifier.labels.label_probabilities(classifier.predict_proba(texts))


def assert_equal(engine: Node | Chromium, run: Path, folder: Path, texts: list[str]) -> None:
    classifier = Run.open(run).classifier()
    ids = classifier.tokenizer.encode(texts).ids
    assert engine.call(folder, "tokenIds", texts) == [each.tolist() for each in ids]
    found = np.array(engine.call(folder, "probabilities", texts))
    assert np.abs(found - probabilities(classifier, texts)).max() <= 1e-6


@in_node
@pytest.mark.parametrize("run", RUNS, ids=name)
def test_a_run_of_any_format_has_the_same_ids_and_probabilities(
    run: Path, node: Node, root: Path
) -> None:
    folder = write_export(Run.open(run), root / "node" / name(run))
    assert_equal(node, run, folder, [*EDGES, *ADVERSE])


@in_chromium
@in_node
@pytest.mark.parametrize("run", CURRENT, ids=name)
def test_a_run_has_the_same_ids_and_probabilities_in_a_browser(
    run: Path, chromium: Chromium, root: Path
) -> None:
    folder = write_export(Run.open(run), root / "chromium" / name(run))
    assert_equal(chromium, run, folder, [*EDGES, *ADVERSE])


@in_node
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_predictions_are_those_of_the_command(
    task: str, runs: dict[str, Run], node: Node, root: Path, invoke: Invoke
) -> None:
    texts = ["lovely hotel, it was lovely", "about heat and rude wind 3", "zzz", "a b 7 " * 40]
    folder = write_export(runs[task], root / f"predictions-{task}")
    args = [arg for text in texts for arg in ("-t", text)]
    command = ["predict", "--run", runs[task].path, *args, "-k", 2, "--json"]
    rows = json.loads(invoke(*command).stdout)["predictions"]
    for found, row in zip(node.call(folder, "predict", texts), rows, strict=True):
        assert found["label"] == row["prediction"]
        assert found["probability"] == pytest.approx(row["probability"], abs=2e-6)
        assert found["truncated"] == row["truncated"]
        assert found["unknownShare"] == pytest.approx(row["unknown_share"], abs=1e-6)
        assert found["noKnownToken"] == row["no_known_token"]
        for rank in (1, 2):
            assert found["labels"][rank - 1]["label"] == row[f"best_{rank}"]
        predicted = {each["label"] for each in found["labels"] if each["predicted"]}
        assert predicted == set(np.atleast_1d(row["prediction"]).tolist())


@in_node
@pytest.mark.parametrize("rule", ["f1", "recall=0.9", "precision=0.9"])
def test_a_threshold_decides(
    rule: str, workplace: Path, node: Node, root: Path, invoke: Invoke
) -> None:
    invoke("train", "multilabel.yaml", "-q")
    run = workplace / "runs" / "multilabel-1"
    invoke("threshold", "--run", run, "--metric", rule)
    texts = ["a b 7", "c", "heat"]
    folder = write_export(Run.open(run), root / f"threshold-{rule}")
    args = [arg for text in texts for arg in ("-t", text)]
    rows = json.loads(invoke("predict", "--run", run, *args, "--json").stdout)["predictions"]
    labels = [found["label"] for found in node.call(folder, "predict", texts)]
    assert labels == [row["prediction"] for row in rows]


@in_node
def test_the_columns_of_a_row_are_its_text(
    workplace: Path, node: Node, root: Path, invoke: Invoke
) -> None:
    numbers = [f"{n},{'great' if n % 2 else 'awful'} film,{n % 2}" for n in range(60)]
    table = "minutes,text,label\n" + "\n".join(numbers) + "\n"
    (workplace / "numbers.csv").write_text(table, encoding="utf-8")
    invoke("train", "numbers.csv", "-q", "-s", "data.fields=[minutes]", "-o", "numbers")
    run = Run.open(workplace / "numbers")
    assert run.classifier().tokenizer.numeric_fields
    folder = write_export(run, root / "columns")
    cells = ["1", " 25 ", "1e3", "", "1_0", "\u0665", "nan", "q2", ".5", "0x10"]
    rows = [{"minutes": cell, "text": "Great film"} for cell in cells]
    texts = [f"minutes={cell.strip()} Great film" for cell in cells]
    ids = [each.tolist() for each in run.classifier().tokenizer.encode(texts).ids]
    assert node.call(folder, "tokenIds", rows) == ids
    assert node.call(folder, "tokenIds", texts) == ids


@in_node
@pytest.mark.parametrize("pooling", ["average", "sqrt", "max", "flatten"])
def test_contributions_are_those_of_the_command(
    pooling: str, workplace: Path, node: Node, root: Path, invoke: Invoke
) -> None:
    ngrams = "1" if pooling == "flatten" else "2"
    settings = ["-s", f"model.pooling={pooling}", "-s", f"text.ngrams={ngrams}"]
    invoke("train", "binary.yaml", "-q", *settings, "-s", "model.hidden_units=[]")
    run = Run.open(workplace / "runs" / "binary-1")
    folder = write_export(run, root / f"contributions-{pooling}")
    text = "lovely hotel, it was lovely on day 3 zzz"
    (explanation,) = explain(run.classifier(), [text])
    (found,) = node.call(folder, "explain", [[text, explanation.label]])
    segments = [each for each in explanation.segments() if each.contribution is not None]
    assert [each["token"] for each in found] == [each.text for each in segments]
    expected = [each.contribution for each in segments]
    assert [each["contribution"] for each in found] == pytest.approx(expected, abs=1e-5)


@in_node
def test_hidden_layers_have_no_contributions(runs: dict[str, Run], node: Node, root: Path) -> None:
    folder = write_export(runs["multiclass"], root / "hidden")
    label = runs["multiclass"].classifier().labels.names[0]
    (tokens,) = node.call(folder, "explain", [["about heat zzz", label]])
    assert [(each["token"], each["known"]) for each in tokens] == [
        ("about", True),
        ("heat", True),
        ("zzz", False),
    ]
    assert {each["contribution"] for each in tokens} == {None}


@in_node
def test_half_a_character_is_a_replacement_character(
    runs: dict[str, Run], node: Node, root: Path
) -> None:
    folder = write_export(runs["multilabel"], root / "surrogates")
    broken, replaced = ["a\ud83db \ude00"], ["a\ufffdb \ufffd"]
    assert node.call(folder, "tokens", broken) == node.call(folder, "tokens", replaced)
    assert node.call(folder, "tokens", [None, ""]) == [[], []]
