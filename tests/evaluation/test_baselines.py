"""The TF-IDF baseline is scikit-learn's, on the same rows as the run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from embedclf.data.dataset import prepare_dataset
from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run, evaluate_training
from embedclf.runs.labeled_sources import ReadTables
from embedclf.runs.run import Run
from embedclf.system.progress import listening
from tests.conftest import BAD, GOOD, THINGS, reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.evaluate import BaselineComparison
    from tests.conftest import Invoke


def tfidf_baseline(run: Path, table: str | None = None) -> BaselineComparison:
    _, tfidf = evaluate_run(Run.open(run), EvaluationRequest(table)).baselines
    return tfidf


def test_the_baseline_is_scikit_learn_s(workplace: Path, invoke: Invoke) -> None:
    valid = write_csv(workplace / "valid.csv", ["text", "label"], [("great", "pos"), ("a", "neg")])
    flags = ("-s", f"data.validation={valid}", "-s", "training.epochs=1", "-s", "data.test=null")
    invoke("train", "binary.yaml", "-q", "-o", "whole", *flags)
    tfidf = tfidf_baseline(workplace / "whole", str(workplace / "binary-test.csv"))
    texts, labels = zip(*reviews(), strict=True)
    test_texts, test_labels = zip(*reviews(40), strict=True)
    vectorizer = TfidfVectorizer(tokenizer=re.compile(r"[\w']+").findall, token_pattern=None)
    model = LogisticRegression().fit(vectorizer.fit_transform(texts), labels)
    y_prob = model.predict_proba(vectorizer.transform(test_texts))[:, 1]
    loss = -np.log(np.where([label == "pos" for label in test_labels], y_prob, 1 - y_prob))
    assert tfidf.metrics["log_loss"] == pytest.approx(loss.mean(), rel=1e-4)
    assert "of 160 training rows" in tfidf.description


def test_a_better_baseline_is_reported(workplace: Path, invoke: Invoke) -> None:
    """The last word reveals the label, but the network reads only the first two."""
    rows = []
    for number in range(300):
        words, label = ((BAD, "neg"), (GOOD, "pos"))[number % 2]
        rows.append((f"a {THINGS[number % 7]} of {number} was {words[number % 9]}", label))
    write_csv(workplace / "last.csv", ["text", "label"], rows)
    flags = ("-s", "data.train=last.csv", "-s", "data.test=null", "-s", "text.sequence_length=2")
    invoke("train", "binary.yaml", "-q", *flags, "-s", "data.validation=0.4")
    shown = invoke("evaluate").stdout
    assert "; this run is worse: accuracy -" in unwrapped(shown)
    assert ", worse than TF-IDF + logistic regression by " in unwrapped(shown)
    values = json.loads(invoke("evaluate", "--json").stdout)
    assert values["baselines"]["tf-idf"]["verdict"] == "baseline"


@pytest.mark.parametrize(
    "overrides",
    [
        ("training.threshold=f1",),
        ("data.test=null", "training.threshold=f1"),
        ("data.test=null", "training.refit=true"),
        ("data.test=null", "data.validation=valid.csv"),
    ],
    ids=["test rows", "held-out rows", "held-out rows before a refit", "validation table"],
)
def test_tables_that_training_has_read_are_not_read_again(
    workplace: Path, invoke: Invoke, overrides: tuple[str, ...]
) -> None:
    write_csv(workplace / "valid.csv", ["text", "label"], reviews(30))
    flags = [flag for key in ("training.epochs=1", *overrides) for flag in ("-s", key)]
    invoke("train", "binary.yaml", "-q", "-o", "run", *flags)
    run = Run.open(workplace / "run")
    tables = ReadTables.of(prepare_dataset(run.config()))
    activities: list[str] = []
    with listening(lambda work: activities.append(work.name if work else "")):
        quick = evaluate_training(run, tables, baseline=True)
    assert "scoring rows" in activities
    assert not [name for name in activities if name.startswith("reading ")]
    slow = evaluate_training(run, baseline=True)
    assert (quick.scores, quick.intervals) == (slow.scores, slow.intervals)
    assert len(quick.baselines) == 2
    assert quick.baselines == slow.baselines
    assert quick.scored.source.name == slow.scored.source.name
    for ours, theirs in (
        (quick.scored.probabilities, slow.scored.probabilities),
        (quick.scored.lengths, slow.scored.lengths),
        (quick.scored.unknown, slow.scored.unknown),
        (quick.scored.labeled.positions, slow.scored.labeled.positions),
    ):
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_without_the_training_table_there_is_no_baseline(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    (workplace / "binary.csv").unlink()
    shown = invoke("evaluate").stdout
    assert "not fitted" in shown
    assert "binary.csv is missing, or has changed since training" in unwrapped(shown)
    assert "tf-idf" not in invoke("evaluate", "--no-baseline").stdout


def test_without_the_validation_table_there_is_no_baseline(workplace: Path, invoke: Invoke) -> None:
    valid = write_csv(workplace / "valid.csv", ["text", "label"], reviews(30))
    flags = ("-s", "data.validation=valid.csv", "-s", "training.threshold=f1")
    invoke("train", "binary.yaml", "-q", "-o", "run", "-s", "training.epochs=1", *flags)
    valid.unlink()
    shown = unwrapped(invoke("evaluate", "--run", "run").stdout)
    assert "valid.csv is missing, or has changed since training" in shown


def test_the_baseline_never_predicts_a_label_without_training_rows(
    workplace: Path, invoke: Invoke
) -> None:
    rows = [(text, str(int(label == "pos")), "1", "0") for text, label in reviews(80)]
    write_csv(workplace / "flags.csv", ["text", "a", "b", "z"], rows)
    flags = ("-s", "data.train=flags.csv", "-s", "data.test=null", "-s", "data.label=[a, b, z]")
    invoke("train", "binary.yaml", "-q", "-o", "run", "-s", "training.epochs=1", *flags)
    tfidf = tfidf_baseline(workplace / "run")
    assert tfidf.metrics["log_loss"] is not None
    assert tfidf.metrics["log_loss"] < 1.0


def test_the_baseline_s_threshold_is_chosen_by_the_run_s_rule(
    workplace: Path, invoke: Invoke
) -> None:
    invoke("train", "binary.yaml", "-q", "-o", "run", "-s", "training.epochs=2")
    accuracy = tfidf_baseline(workplace / "run").metrics["accuracy"]
    invoke("threshold", "--run", "run", "--metric", "recall=0.9")
    recall = tfidf_baseline(workplace / "run").metrics["recall"]
    assert accuracy is not None
    assert recall is not None
    assert recall >= 0.8
