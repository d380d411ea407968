"""Contributions add up to the logit, equal the gradients of Keras, and are printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.sections import ModelConfig
from embedclf.data.labels import Labels, Task
from embedclf.inference.explain import explain
from embedclf.inference.explanation import Explanation, TokenContribution
from embedclf.model.backend import keras
from embedclf.model.classifier import Classifier
from embedclf.model.stored_weights import read_weights
from embedclf.reports.inference import contribution_level, explanations_text
from embedclf.text.ngrams import Ngrams, input_length
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.conftest import Invoke, write_csv
from tests.model.test_network import LENGTH, ROWS, build_random

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.runs.run import Run

WORDS = tuple(f"w{number}" for number in range(ROWS - 4))
W0, W1, W0_W1 = 2, 3, ROWS - 2
NGRAMS = {
    1: Ngrams(),
    2: Ngrams.from_pairs(2, np.array([0, W0], np.int32), np.array([W1, W1], np.int32)),
    3: Ngrams.from_pairs(3, np.array([W0, W0_W1], np.int32), np.array([W1, 0], np.int32)),
}
NGRAM_NAMES = {1: (), 2: ("<s> w1", "w0 w1"), 3: ("w0 w1", "w0 w1 </s>")}
"""By the length of the longest."""


def ngrams_in(words: list[str], max_n: int) -> list[str]:
    """The known n-grams in the part of a text that the network reads, the shorter first."""
    padded = ["<s>", *words, "</s>"][: None if len(words) <= LENGTH else LENGTH + 1]
    runs = (
        " ".join(padded[start : start + length])
        for length in range(2, max_n + 1)
        for start in range(len(padded) - length + 1)
    )
    return [run for run in runs if run in NGRAM_NAMES[max_n]]


def make_classifier(
    folder: Path, task: Task, seed: int, ngrams: Ngrams = NGRAMS[1], **model: Any
) -> tuple[Classifier, Any]:
    config = ModelConfig.model_validate({"embedding_dim": 4, **model})
    net, labels = build_random(config, task, seed, input_length(LENGTH, ngrams.max_n))
    net.save(folder / "model.keras")
    weights = read_weights((folder / "model.keras").read_bytes(), model["pooling"])
    return Classifier(Tokenizer(TokenRules(), LENGTH, WORDS, ngrams), labels, weights), net


@settings(max_examples=40)
@given(
    pooling=st.sampled_from(["flatten", "average", "sqrt", "max"]),
    hidden=st.lists(st.integers(1, 6), max_size=2),
    task=st.sampled_from(["binary", "multiclass", "multilabel"]),
    words=st.lists(st.sampled_from([*WORDS[:4], "other"]), max_size=12),
    max_n=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_contributions_add_up_to_the_logit(
    tmp_path_factory: pytest.TempPathFactory,
    pooling: str,
    hidden: list[int],
    task: Task,
    words: list[str],
    max_n: int,
    seed: int,
) -> None:
    ngrams = NGRAMS[1 if pooling == "flatten" else max_n]
    classifier, _ = make_classifier(
        tmp_path_factory.mktemp("model"),
        task,
        seed,
        ngrams,
        pooling=pooling,
        hidden_units=hidden,
    )
    text = " ".join(words)
    probabilities = classifier.labels.label_probabilities(classifier.predict_proba([text]))[0]
    for label, probability in zip(classifier.labels.names, probabilities, strict=True):
        (explanation,) = explain(classifier, [text], label)
        added = (
            explanation.bias
            + explanation.padding
            + sum(contribution for _, contribution in explanation.named_contributions())
        )
        assert explanation.error == pytest.approx(added - explanation.logit)
        assert abs(explanation.error) <= 1e-5 * max(1.0, abs(explanation.logit))
        assert bool(explanation.pieces) == bool(hidden)
        assert explanation.probability == pytest.approx(float(probability), abs=1e-6)
        assert [token.token for token in explanation.tokens] == words[:LENGTH]
        assert [text[slice(*token.span)] for token in explanation.tokens] == words[:LENGTH]
        assert "".join(segment.text for segment in explanation.segments()) == (
            " ".join(words[:LENGTH])
        )
        assert explanation.no_known_token == (not {*words[:LENGTH]} - {"other"})
        assert [token.known for token in explanation.tokens] == [
            w != "other" for w in words[:LENGTH]
        ]
        assert explanation.truncated == max(0, len(words) - LENGTH)
        assert [ngram.ngram for ngram in explanation.ngrams] == ngrams_in(words, ngrams.max_n)
        for ngram in explanation.ngrams:
            inside = [word for word in ngram.ngram.split() if word not in {"<s>", "</s>"}]
            assert inside == words[ngram.start : ngram.start + ngram.token_count]
        assert pooling == "flatten" or explanation.padding == 0.0
        if task != "multiclass":
            assert 1 / (1 + np.exp(-explanation.logit)) == pytest.approx(
                explanation.probability, abs=1e-5
            )


@pytest.mark.parametrize("hidden", [[5], [5, 3]])
def test_contributions_are_the_integrated_gradients_of_keras(
    tmp_path: Path, hidden: list[int]
) -> None:
    import tensorflow as tf

    classifier, net = make_classifier(tmp_path, "binary", 7, pooling="flatten", hidden_units=hidden)
    above = keras.Model(net.get_layer("embedding").output, net.output)
    net.get_layer("output").activation = keras.activations.linear
    text = "w1 w2 w3 w4 other"
    vectors = net.get_layer("embedding")(classifier.tokenizer.encode([text]).ids.pad(LENGTH))
    places = (tf.range(5000, dtype="float32") + 0.5) / 5000
    along = tf.reshape(places, (-1, 1, 1)) * vectors
    with tf.GradientTape() as tape:
        tape.watch(along)
        logits = above(along)
    gradients = tf.reduce_mean(tape.gradient(logits, along), axis=0)
    expected = tf.reduce_sum(vectors[0] * gradients, axis=1).numpy()
    (explanation,) = explain(classifier, [text], "b")
    found = [token.contribution for token in explanation.tokens]
    assert found == pytest.approx(expected[:5].tolist(), abs=2e-3)
    assert explanation.padding == pytest.approx(float(expected[5:].sum()), abs=2e-3)


def test_with_average_pooling_each_token_adds_its_part_of_the_mean(tmp_path: Path) -> None:
    classifier, net = make_classifier(tmp_path, "multiclass", 3, pooling="average")
    embedding, kernel, bias = net.get_weights()
    (explanation,) = explain(classifier, ["w0 w1 w0 other"], "c")
    vectors = embedding[[2, 3, 2, 1]]
    expected = vectors @ kernel[:, 2] / 4
    assert [token.contribution for token in explanation.tokens] == pytest.approx(expected.tolist())
    assert explanation.bias == pytest.approx(float(bias[2]))
    assert explanation.unknown_contribution == pytest.approx(float(expected[3]))


def test_the_predicted_labels_are_explained_unless_one_is_named(runs: dict[str, Run]) -> None:
    classifier = runs["binary"].classifier()
    good, bad = explain(classifier, ["great hotel, it was great", "awful film, it was awful"])
    assert (good.label, bad.label) == ("pos", "neg")
    assert min(good.probability, bad.probability) > 0.5
    (other,) = explain(classifier, ["great hotel, it was great"], "neg")
    assert not other.predicted
    assert other.logit == -good.logit
    classifier = runs["multilabel"].classifier()
    assert [one.label for one in explain(classifier, ["b c 3"])] == ["b", "c"]
    assert all(one.predicted and one.separator == "" for one in explain(classifier, ["b c 3"]))


EXPLANATION = Explanation(
    row=1,
    text="Good, ZYX Good & <b>bad</b>!\nSee the End",
    prediction="a <b>",
    predicted=True,
    label="a <b>",
    probability=0.75,
    logit=1.0986,
    bias=0.5,
    padding=0.0986,
    tokens=(
        TokenContribution("good", True, 0.8, (0, 4)),
        TokenContribution("zyx", False, -0.1, (6, 9)),
        TokenContribution("good", True, 0.4, (10, 14)),
        TokenContribution("b", True, 0.0, (18, 19)),
        TokenContribution("bad", True, -0.6, (20, 23)),
        TokenContribution("b", True, 0.0, (25, 26)),
    ),
    truncated=3,
    pieces=0,
    separator=" ",
)


def test_explanations_are_printed_as_text(golden: Callable[[str, str], None]) -> None:
    many = tuple(
        TokenContribution(f"t{number:02}", True, 0.05 * number, (3 * number, 3 * number + 3))
        for number in range(20)
    )
    text = "".join(token.token.upper() for token in many)
    other = Explanation(2, text, (), False, "b", 0.5, 9.5, 0.0, 0.0, many, 0, 128, "")
    unread = Explanation(3, "Zyx!", "b", True, "b", 0.5, 0.1, 0.1, 0.0, (), 0, 0, " ")
    shown = "".join(explanations_text([EXPLANATION, other, unread], legend=True))
    golden("explain.txt", shown)
    assert (
        "".join(explanations_text([EXPLANATION, other, unread])) == (shown.rpartition("\ncolor")[0])
    )


def test_a_contribution_has_the_same_color_in_every_text() -> None:
    levels = [contribution_level(value) for value in (0.0, -0.09, 0.1, -0.3, 0.99, -1.0, 3.0, 9.0)]
    assert levels == [0, 0, 1, 2, 2, 3, 4, 4]
    weak = replace(EXPLANATION.tokens[0], contribution=0.2)
    for tokens in ((weak,), (weak, *EXPLANATION.tokens[1:])):
        explanation = replace(EXPLANATION, tokens=tokens, truncated=0)
        assert "\x1b[30;48;5;195mGood\x1b[0m" in "".join(explanations_text([explanation]))


@pytest.mark.parametrize(
    ("environment", "has_colors"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False)],
)
def test_a_terminal_shows_colors_with_a_legend(
    runs: dict[str, Run], environment: dict[str, str], has_colors: bool
) -> None:
    pty = pytest.importorskip("pty")
    theirs, ours = pty.openpty()
    command = [sys.executable, "-m", "embedclf", "explain", "Great!", "--run"]
    subprocess.run(
        [*command, str(runs["binary"].path)],
        stdout=ours,
        check=True,
        env={"TERM": "xterm", **{k: v for k, v in os.environ.items() if k != "NO_COLOR"}}
        | environment,
    )
    os.close(ours)
    shown = os.read(theirs, 1 << 16).decode()
    os.close(theirs)
    assert ("color: contribution to the logit" in shown) == has_colors
    assert ("\x1b[30;48;5;" in shown) == has_colors
    assert "Great" in shown


def test_a_text_without_a_known_token_says_so_in_every_form(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    run, page = runs["binary"].path, tmp_path / "page.html"
    for text, is_marked in (("qwx zzv", True), ("", True), ("great qwx", False)):
        args = ("explain", "-t", text, "--run", run)
        assert ("no known token: " in invoke(*args).stdout) == is_marked
        (printed,) = json.loads(invoke(*args, "--json").stdout)["explanations"]
        assert printed["no_known_token"] == is_marked
        invoke(*args, "--html", page)
        assert ("No known token: " in page.read_text(encoding="utf-8")) == is_marked


def test_the_text_keeps_its_case_accents_and_line_breaks(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    text = "A GREAT Cafe\u0301,\n  it’s Lovely!"
    shown = invoke("explain", text, "--run", runs["binary"].path).stdout
    assert f"\n{text}\n" in shown
    for word in ("great", "caf\u00e9 (OOV)", "it's", "lovely"):
        assert f"\n{word} " in shown


def test_explanations_are_printed_as_one_json_object(runs: dict[str, Run], invoke: Invoke) -> None:
    run = runs["binary"].path
    printed = json.loads(
        invoke("explain", "great hotel", "-t", "awful", "--run", run, "--json").stdout
    )
    assert printed["run"] == str(run)
    first, second = printed["explanations"]
    assert [token["token"] for token in first["tokens"]] == ["great", "hotel"]
    added = first["bias"] + first["padding"] + sum(t["contribution"] for t in first["tokens"])
    assert added == pytest.approx(first["logit"], abs=1e-5)
    assert second["label"] == "neg"
    asked = json.loads(invoke("predict", "-t", "great hotel", "--run", run, "--json").stdout)
    assert asked["predictions"][0]["probability"] == pytest.approx(first["probability"], abs=1e-6)


def test_json_has_the_published_names(tmp_path: Path) -> None:
    classifier, _ = make_classifier(tmp_path, "binary", 1, NGRAMS[2], pooling="average")
    (explanation,) = explain(classifier, ["w0 w1"])
    values = explanation.to_json()
    assert [*values] == (
        "row text prediction predicted label probability logit bias padding tokens truncated "
        "pieces separator ngrams no_known_token unknown error"
    ).split()
    keys = ["token", "known", "contribution", "span"]
    assert [[*token] for token in values["tokens"]] == [keys] * 2
    (ngram,) = values["ngrams"]
    assert {*ngram} == {"ngram", "start", "tokens", "contribution"}
    assert (ngram["ngram"], ngram["start"], ngram["tokens"]) == ("w0 w1", 0, 2)


def test_the_prediction_is_a_label_or_a_list_of_labels(
    runs: dict[str, Run], invoke: Invoke
) -> None:
    def predictions(task: str, text: str) -> list[Any]:
        args = ("explain", "-t", text, "--run", runs[task].path, "--json")
        return [each["prediction"] for each in json.loads(invoke(*args).stdout)["explanations"]]

    assert predictions("binary", "great") == ["pos"]
    assert predictions("multilabel", "b c 3") == [["b", "c"], ["b", "c"]]
    assert predictions("multilabel", "7") == [[]]


def test_a_table_of_texts_is_explained(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    run = runs["multiclass"].path
    rows = [("heat", "heat and great 3"), ("wind", "wind and awful 4")]
    table = write_csv(tmp_path / "in.csv", ["title", "body"], rows)
    printed = json.loads(invoke("explain", "--file", table, "--run", run, "--json").stdout)
    assert [one["text"] for one in printed["explanations"]] == [" ".join(row) for row in rows]
    assert [one["row"] for one in printed["explanations"]] == [1, 2]
    page = tmp_path / "page.html"
    done = invoke("explain", "--file", table, "--run", run, "--html", page)
    assert done.stderr == f"{page}: written\n"
    assert page.read_text(encoding="utf-8").count("<article>") == 2
    assert invoke("explain", "--file", table, "--run", run, "--html", "-").stdout == (
        page.read_text(encoding="utf-8")
    )
    hint = invoke("explain", table, "--run", run).stderr
    assert hint == f"{table}: explained as a text; to explain the file, write --file {table}\n"
    plain = invoke("explain", "--file", table, "--run", run).stdout
    assert "\x1b" not in plain
    assert plain.count("contributions add up to the logit") == 2
    text = invoke("explain", "--file", "-", "--run", run, text="heat and great\n").stdout
    assert text.startswith("prediction heat (")


def test_a_broken_row_prints_no_incomplete_object(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "great"}\n' * 9000 + "{\n", encoding="utf-8")
    for command in (("explain", "--file", path), ("predict", path)):
        done = invoke(*command, "--run", runs["binary"].path, "--json", status=1)
        assert done.stdout == ""
        assert "in.jsonl:9001: not JSON" in done.stderr


def test_json_records_may_have_different_keys(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "great", "n": [1]}\n{"new": 1, "text": "awful"}\n', encoding="utf-8")
    run = runs["binary"].path
    printed = json.loads(invoke("explain", "--file", path, "--run", run, "--json").stdout)
    assert [one["text"] for one in printed["explanations"]] == ["great", "awful"]


def test_contradicting_options_are_refused(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    run = runs["binary"].path
    stderr = invoke("explain", "a", "--run", run, "--html", "x.csv", status=2).stderr
    assert "--html x.csv: must end in .html; see" in stderr
    for args in ([], ["a", "--file", "x.csv"]):
        stderr = invoke("explain", *args, "--run", run, status=2).stderr
        assert stderr.startswith("embedclf: pass a TEXT or --file;")
    stderr = invoke("explain", "a", "--json", "--html", "x.html", "--run", run, status=2).stderr
    assert stderr.startswith("embedclf: pass --html or --json, not both;")
    stderr = invoke("explain", "a", "--label", "poss", "--run", run, status=2).stderr
    assert stderr == "embedclf: --label poss: the run has no such label; did you mean 'pos'?\n"
    page = tmp_path / "no" / "x.html"
    stderr = invoke("explain", "a", "--run", run, "--html", page, status=1).stderr
    assert "cannot be written: No such file or directory" in stderr


def test_without_a_predicted_label_the_most_probable_is_explained(tmp_path: Path) -> None:
    classifier, _ = make_classifier(tmp_path, "multilabel", 1, pooling="max")
    quiet = Classifier(
        classifier.tokenizer, Labels("multilabel", ("a", "b", "c"), (1, 1, 1)), classifier.weights
    )
    for text in ("", "w1", "w2 w3"):
        listed = list(explain(quiet, [text]))
        probabilities = quiet.predict_proba([text])[0]
        if (probabilities < 0.5).all():
            assert [one.label for one in listed] == [quiet.labels.names[probabilities.argmax()]]
            assert not listed[0].predicted
        else:
            assert len(listed) == (probabilities >= 0.5).sum()
