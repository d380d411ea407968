"""What tokens add, beside the logit, the gradients of Keras, and what people and programs see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.schema import ModelConfig
from embedclf.data.labels import Labels, Task
from embedclf.inference.explain import Explanation, TokenContribution, explain
from embedclf.model.backend import keras
from embedclf.model.classifier import Classifier
from embedclf.model.weights import read_weights
from embedclf.reports import inference as inference_report
from embedclf.reports.html import page
from embedclf.text.ngrams import Ngrams, slots
from embedclf.text.tokenizer import Tokenizer
from tests.conftest import Invoke, write_csv
from tests.model.test_classifier import LENGTH, ROWS, build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.runs.run import Run

WORDS = tuple(f"w{number}" for number in range(ROWS - 4))
W0, W1, W0_W1 = 2, 3, ROWS - 2
PHRASES = {
    1: Ngrams(),
    2: Ngrams.of(2, np.array([0, W0], np.int32), np.array([W1, W1], np.int32)),
    3: Ngrams.of(3, np.array([W0, W0_W1], np.int32), np.array([W1, 0], np.int32)),
}
SPELT = {1: (), 2: ("<s> w1", "w0 w1"), 3: ("w0 w1", "w0 w1 </s>")}
"""By their most tokens."""


def phrases_of(words: list[str], longest: int) -> list[str]:
    """The known phrases in what is read of a text, the shorter first."""
    padded = ["<s>", *words, "</s>"][: None if len(words) <= LENGTH else LENGTH + 1]
    runs = (
        " ".join(padded[start : start + length])
        for length in range(2, longest + 1)
        for start in range(len(padded) - length + 1)
    )
    return [run for run in runs if run in SPELT[longest]]


def classifier(
    folder: Path, task: Task, seed: int, known: Ngrams = PHRASES[1], **model: Any
) -> tuple[Classifier, Any]:
    config = ModelConfig.model_validate({"embedding_dim": 4, **model})
    net, labels = build(config, task, seed, slots(LENGTH, known.longest))
    net.save(folder / "model.keras")
    weights = read_weights((folder / "model.keras").read_bytes(), model["pooling"])
    return Classifier(Tokenizer("word", True, LENGTH, WORDS, known), labels, weights), net


@settings(max_examples=40)
@given(
    pooling=st.sampled_from(["flatten", "average", "sqrt", "max"]),
    hidden=st.lists(st.integers(1, 6), max_size=2),
    task=st.sampled_from(["binary", "multiclass", "multilabel"]),
    words=st.lists(st.sampled_from([*WORDS[:4], "other"]), max_size=12),
    ngrams=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_what_tokens_add_is_the_logit(
    tmp_path_factory: pytest.TempPathFactory,
    pooling: str,
    hidden: list[int],
    task: Task,
    words: list[str],
    ngrams: int,
    seed: int,
) -> None:
    known = PHRASES[1 if pooling == "flatten" else ngrams]
    judge, _ = classifier(
        tmp_path_factory.mktemp("model"),
        task,
        seed,
        known,
        pooling=pooling,
        hidden_units=hidden,
    )
    text = " ".join(words)
    shares = judge.labels.shares(judge.predict_proba([text]))[0]
    for label, share in zip(judge.labels.names, shares, strict=True):
        (told,) = explain(judge, [text], label)
        added = told.bias + told.padding + sum(contribution for _, contribution in told.added())
        assert told.error == pytest.approx(added - told.logit)
        assert abs(told.error) <= 1e-5 * max(1.0, abs(told.logit))
        assert bool(told.pieces) == bool(hidden)
        assert told.probability == pytest.approx(float(share), abs=1e-6)
        assert [token.token for token in told.tokens] == words[:LENGTH]
        assert [token.known for token in told.tokens] == [w != "other" for w in words[:LENGTH]]
        assert told.truncated == max(0, len(words) - LENGTH)
        assert [one.phrase for one in told.phrases] == phrases_of(words, known.longest)
        for one in told.phrases:
            inside = [word for word in one.phrase.split() if word not in {"<s>", "</s>"}]
            assert inside == words[one.start : one.start + one.tokens]
        assert pooling == "flatten" or told.padding == 0.0
        if task != "multiclass":
            assert 1 / (1 + np.exp(-told.logit)) == pytest.approx(told.probability, abs=1e-5)


@pytest.mark.parametrize("hidden", [[5], [5, 3]])
def test_contributions_are_the_integrated_gradients_of_keras(
    tmp_path: Path, hidden: list[int]
) -> None:
    import tensorflow as tf

    judge, net = classifier(tmp_path, "binary", 7, pooling="flatten", hidden_units=hidden)
    above = keras.Model(net.get_layer("embedding").output, net.output)
    net.get_layer("output").activation = keras.activations.linear
    text = "w1 w2 w3 w4 other"
    vectors = net.get_layer("embedding")(judge.tokenizer.encode([text]).ids)
    places = (tf.range(5000, dtype="float32") + 0.5) / 5000
    along = tf.reshape(places, (-1, 1, 1)) * vectors
    with tf.GradientTape() as tape:
        tape.watch(along)
        logits = above(along)
    gradients = tf.reduce_mean(tape.gradient(logits, along), axis=0)
    expected = tf.reduce_sum(vectors[0] * gradients, axis=1).numpy()
    (told,) = explain(judge, [text], "b")
    found = [token.contribution for token in told.tokens]
    assert found == pytest.approx(expected[:5].tolist(), abs=2e-3)
    assert told.padding == pytest.approx(float(expected[5:].sum()), abs=2e-3)


def test_a_linear_average_adds_each_tokens_share(tmp_path: Path) -> None:
    judge, net = classifier(tmp_path, "multiclass", 3, pooling="average")
    embedding, kernel, bias = net.get_weights()
    (told,) = explain(judge, ["w0 w1 w0 other"], "c")
    vectors = embedding[[2, 3, 2, 1]]
    expected = vectors @ kernel[:, 2] / 4
    assert [token.contribution for token in told.tokens] == pytest.approx(expected.tolist())
    assert told.bias == pytest.approx(float(bias[2]))
    assert told.unknown == pytest.approx(float(expected[3]))


def test_the_prediction_is_explained_unless_a_label_is_named(runs: dict[str, Run]) -> None:
    judge = runs["binary"].classifier()
    good, bad = explain(judge, ["great hotel, it was great", "awful film, it was awful"])
    assert (good.label, bad.label) == ("pos", "neg")
    assert min(good.probability, bad.probability) > 0.5
    (other,) = explain(judge, ["great hotel, it was great"], "neg")
    assert not other.prediction
    assert other.logit == -good.logit
    judge = runs["multilabel"].classifier()
    assert [one.label for one in explain(judge, ["b c 3"])] == ["b", "c"]
    assert all(one.prediction and one.separator == "" for one in explain(judge, ["b c 3"]))


TOLD = Explanation(
    row=1,
    text="Good, zyx good & <b>bad</b>",
    prediction=True,
    label="a <b>",
    probability=0.75,
    logit=1.0986,
    bias=0.5,
    padding=0.0986,
    tokens=(
        TokenContribution("good", True, 0.8),
        TokenContribution("zyx", False, -0.1),
        TokenContribution("good", True, 0.4),
        TokenContribution("b", True, 0.0),
        TokenContribution("bad", True, -0.6),
        TokenContribution("b", True, 0.0),
    ),
    truncated=3,
    pieces=0,
    separator=" ",
)


def test_explanations_are_shown_to_people(golden: Callable[[str, str], None]) -> None:
    many = tuple(TokenContribution(f"t{number:02}", True, 0.01 * number) for number in range(20))
    other = Explanation(2, "", False, "b", 0.5, 1.9, 0.0, 0.0, many, 0, 128, "")
    shown = "".join(inference_report.explanations([TOLD, other]))
    golden("explain.txt", shown)
    assert "\x1b[30;48;5;75mgood\x1b[0m" in shown


def test_explanations_are_a_page(golden: Callable[[str, str], None]) -> None:
    html = "".join(page.explanations("runs/<x>-1", [TOLD]))
    golden("explain.html", html)
    assert "<b>" not in html
    assert "http" not in html


def test_programs_get_one_object(runs: dict[str, Run], invoke: Invoke) -> None:
    run = runs["binary"].path
    told = json.loads(invoke("explain", "great hotel", "awful", "--run", run, "--json").stdout)
    assert told["run"] == str(run)
    first, second = told["explanations"]
    assert [token["token"] for token in first["tokens"]] == ["great", "hotel"]
    added = first["bias"] + first["padding"] + sum(t["contribution"] for t in first["tokens"])
    assert added == pytest.approx(first["logit"], abs=1e-5)
    assert second["label"] == "neg"
    asked = json.loads(invoke("predict", "-t", "great hotel", "--run", run, "--json").stdout)
    assert asked["predictions"][0]["probability"] == pytest.approx(first["probability"], abs=1e-6)


def test_a_table_of_texts_is_explained(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    run = runs["multiclass"].path
    rows = [("heat", "heat and great 3"), ("wind", "wind and awful 4")]
    table = write_csv(tmp_path / "in.csv", ["title", "body"], rows)
    told = json.loads(invoke("explain", "--file", table, "--run", run, "--json").stdout)
    assert [one["text"] for one in told["explanations"]] == [" ".join(row) for row in rows]
    assert [one["row"] for one in told["explanations"]] == [1, 2]
    page = tmp_path / "page.html"
    done = invoke("explain", "--file", table, "--run", run, "--html", page)
    assert done.stderr == f"{page}: written\n"
    assert page.read_text(encoding="utf-8").count("<article>") == 2
    assert invoke("explain", "--file", table, "--run", run, "--html", "-").stdout == (
        page.read_text(encoding="utf-8")
    )
    hint = invoke("explain", table, "--run", run).stderr
    assert hint == f"{table}: taken as a text; --file takes the file of that name\n"
    plain = invoke("explain", "--file", table, "--run", run).stdout
    assert "\x1b" not in plain
    assert plain.count("the sum misses the logit") == 2
    text = invoke("explain", "--file", "-", "--run", run, text="heat and great\n").stdout
    assert text.startswith("heat  ")


def test_a_bad_row_leaves_no_half_an_object(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "great"}\n' * 9000 + "{\n", encoding="utf-8")
    for command in (("explain", "--file", path), ("predict", path)):
        done = invoke(*command, "--run", runs["binary"].path, "--json", status=1)
        assert done.stdout == ""
        assert "in.jsonl:9001: not JSON" in done.stderr


def test_records_of_all_sorts_are_explained(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "great", "n": [1]}\n{"new": 1, "text": "awful"}\n', encoding="utf-8")
    run = runs["binary"].path
    told = json.loads(invoke("explain", "--file", path, "--run", run, "--json").stdout)
    assert [one["text"] for one in told["explanations"]] == ["great", "awful"]


def test_wrong_requests_are_refused(runs: dict[str, Run], tmp_path: Path, invoke: Invoke) -> None:
    run = runs["binary"].path
    told = invoke("explain", "a", "--run", run, "--html", "x.csv", status=2).stderr
    assert "--html x.csv: a page has a name in .html; see" in told
    for args in ([], ["a", "--file", "x.csv"]):
        told = invoke("explain", *args, "--run", run, status=2).stderr
        assert told.startswith("embedclf: Give one of TEXT and --file;")
    told = invoke("explain", "a", "--json", "--html", "x.html", "--run", run, status=2).stderr
    assert told.startswith("embedclf: Give --html or --json, not both;")
    told = invoke("explain", "a", "--label", "poss", "--run", run, status=2).stderr
    assert told == "embedclf: label 'poss': the run knows no such label; did you mean 'pos'?\n"
    page = tmp_path / "no" / "x.html"
    told = invoke("explain", "a", "--run", run, "--html", page, status=1).stderr
    assert "cannot be written: No such file or directory" in told


def test_labels_without_a_prediction_fall_back_to_the_likeliest(tmp_path: Path) -> None:
    judge, _ = classifier(tmp_path, "multilabel", 1, pooling="max")
    quiet = Classifier(
        judge.tokenizer, Labels("multilabel", ("a", "b", "c"), (1, 1, 1)), judge.weights
    )
    for text in ("", "w1", "w2 w3"):
        told = list(explain(quiet, [text]))
        probabilities = quiet.predict_proba([text])[0]
        if (probabilities < 0.5).all():
            assert [one.label for one in told] == [quiet.labels.names[probabilities.argmax()]]
            assert not told[0].prediction
        else:
            assert len(told) == (probabilities >= 0.5).sum()
