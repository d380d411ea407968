"""What `evaluate` tells beyond scores: intervals, baselines, slices, mistakes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run
from embedclf.runs.run import Run
from tests.conftest import BAD, GOOD, THINGS, reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.evaluate import RunEvaluation
    from tests.conftest import Invoke


@pytest.fixture(scope="module")
def told(runs: dict[str, Run]) -> dict[str, RunEvaluation]:
    """The appraisal of each task's run."""
    return {task: evaluate_run(run, EvaluationRequest()) for task, run in runs.items()}


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_each_score_lies_in_its_interval(task: str, told: dict[str, RunEvaluation]) -> None:
    scores, intervals = told[task].evaluation.scores, told[task].intervals
    assert list(scores) == list(intervals)
    for name, score in scores.items():
        interval = intervals[name]
        assert score is not None
        assert interval is not None
        assert interval[0] - 1e-6 <= score <= interval[1] + 1e-6, name
        assert interval[0] < interval[1], name


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_both_baselines_stand_beside(task: str, told: dict[str, RunEvaluation]) -> None:
    majority, tfidf = told[task].rivals
    assert (majority.name, tfidf.name) == ("majority", "tf-idf")
    assert set(tfidf.scores) == set(told[task].evaluation.scores)
    first = next(iter(tfidf.scores))
    assert majority.lead == pytest.approx(
        (told[task].evaluation.scores[first] or 0) - (majority.scores[first] or 0)
    )
    assert majority.interval[0] <= majority.lead <= majority.interval[1]
    assert majority.verdict == "run"
    assert told[task].missing == ""


def test_the_baseline_is_scikit_learn_s(workplace: Path, invoke: Invoke) -> None:
    valid = write_csv(workplace / "valid.csv", ["text", "label"], [("great", "pos"), ("a", "neg")])
    flags = ("-s", f"data.validation={valid}", "-s", "training.epochs=1", "-s", "data.test=null")
    invoke("train", "binary.yaml", "-q", "-o", "whole", *flags)
    found = evaluate_run(
        Run.open(workplace / "whole"), EvaluationRequest(workplace / "binary-test.csv")
    )
    texts, labels = zip(*reviews(), strict=True)
    others, _ = zip(*reviews(40), strict=True)
    vectorizer = TfidfVectorizer(tokenizer=re.compile(r"[\w']+").findall, token_pattern=None)
    model = LogisticRegression().fit(vectorizer.fit_transform(texts), labels)
    expected = model.predict_proba(vectorizer.transform(others))[:, 1]
    (_, tfidf) = found.rivals
    loss = -np.log(np.where([label == "pos" for _, label in reviews(40)], expected, 1 - expected))
    assert tfidf.scores["log_loss"] == pytest.approx(loss.mean(), rel=1e-4)
    assert "of 160 training rows" in tfidf.told


def test_a_baseline_that_wins_is_said_plainly(workplace: Path, invoke: Invoke) -> None:
    """The last word tells the label, and the network reads the first two."""
    rows = []
    for number in range(300):
        words, label = ((BAD, "neg"), (GOOD, "pos"))[number % 2]
        rows.append((f"a {THINGS[number % 7]} of {number} was {words[number % 9]}", label))
    write_csv(workplace / "last.csv", ["text", "label"], rows)
    flags = ("-s", "data.train=last.csv", "-s", "data.test=null", "-s", "text.sequence_length=2")
    invoke("train", "binary.yaml", "-q", *flags, "-s", "data.validation=0.4")
    shown = invoke("evaluate").stdout
    assert "tf-idf IS BETTER than this run: accuracy by" in shown
    values = json.loads(invoke("evaluate", "--json").stdout)
    assert values["baselines"]["tf-idf"]["verdict"] == "baseline"


def test_a_baseline_that_cannot_be_had_is_told(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    (workplace / "binary.csv").unlink()
    shown = invoke("evaluate").stdout
    assert "not fitted" in shown
    assert "binary.csv is not there as the run was trained on it" in " ".join(shown.split())
    assert "tf-idf" not in invoke("evaluate", "--no-baseline").stdout


def test_a_label_that_no_training_row_has_is_given_by_no_baseline(
    workplace: Path, invoke: Invoke
) -> None:
    rows = [(text, str(int(label == "pos")), "1", "0") for text, label in reviews(80)]
    write_csv(workplace / "flags.csv", ["text", "a", "b", "z"], rows)
    flags = ("-s", "data.train=flags.csv", "-s", "data.test=null", "-s", "data.label=[a, b, z]")
    invoke("train", "binary.yaml", "-q", "-o", "run", "-s", "training.epochs=1", *flags)
    (_, tfidf) = evaluate_run(Run.open(workplace / "run"), EvaluationRequest()).rivals
    assert tfidf.scores["log_loss"] is not None
    assert tfidf.scores["log_loss"] < 1.0


def test_the_baseline_s_threshold_is_chosen_by_the_run_s_rule(
    workplace: Path, invoke: Invoke
) -> None:
    invoke("train", "binary.yaml", "-q", "-o", "run", "-s", "training.epochs=2")
    before = (
        evaluate_run(Run.open(workplace / "run"), EvaluationRequest()).rivals[1].scores["accuracy"]
    )
    invoke("threshold", "--run", "run", "--metric", "recall=0.9")
    after = (
        evaluate_run(Run.open(workplace / "run"), EvaluationRequest()).rivals[1].scores["recall"]
    )
    assert before is not None
    assert after is not None
    assert after >= 0.8


def test_a_validation_table_that_is_gone_costs_the_baseline_alone(
    workplace: Path, invoke: Invoke
) -> None:
    valid = write_csv(workplace / "valid.csv", ["text", "label"], reviews(30))
    flags = ("-s", "data.validation=valid.csv", "-s", "training.threshold=f1")
    invoke("train", "binary.yaml", "-q", "-o", "run", "-s", "training.epochs=1", *flags)
    valid.unlink()
    shown = " ".join(invoke("evaluate", "--run", "run").stdout.split())
    assert "valid.csv is not there as the run was trained with it" in shown


def test_slices_part_the_rows(told: dict[str, RunEvaluation]) -> None:
    for one in told.values():
        parts: dict[str, int] = {}
        for piece in one.slices:
            if not piece.name.startswith("cut"):
                parts[piece.by] = parts.get(piece.by, 0) + piece.rows
            assert piece.interval[0] <= piece.score <= piece.interval[1]
        assert parts == {"length": len(one.scored), "unknown tokens": len(one.scored)}


def test_columns_make_slices(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=3")
    rows = [(text, label, f"shop {n % 14:02}", "") for n, (text, label) in enumerate(reviews(56))]
    wrong = [(text, "neg" if label == "pos" else "pos", "odd", "x") for text, label in reviews(8)]
    write_csv(workplace / "by.csv", ["text", "label", "shop", "note"], rows + wrong)
    flags = ("--data", "by.csv", "--by", "shop", "--by", "note", "--no-baseline")
    values = json.loads(invoke("evaluate", *flags, "--json").stdout)
    shops = {one["name"]: one for one in values["slices"] if one["by"] == "shop"}
    assert len(shops) == 11
    assert shops["odd"]["rows"] == 8
    assert shops["(5 others)"]["rows"] == 20
    notes = {one["name"]: one["rows"] for one in values["slices"] if one["by"] == "note"}
    assert notes == {"(empty)": 56, "x": 8}
    shown = invoke("evaluate", *flags).stdout
    assert "below all" in next(line for line in shown.splitlines() if " odd " in line)
    fault = invoke("evaluate", "--data", "by.csv", "--by", "shp", status=1).stderr
    assert "by.csv:1: not one column 'shp'; there are 'text', 'label', 'shop', 'note'" in fault


def test_the_worst_mistakes_come_first_with_their_places(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q")
    rows: list[tuple[str, str]] = [(text, label) for text, label in reviews(40)]
    rows[7] = ("great film,\nit was great on day 3", "neg")
    rows[20] = ("awful", "pos")
    write_csv(workplace / "wrong.csv", ["text", "label"], rows)
    values = json.loads(invoke("evaluate", "--data", "wrong.csv", "--no-baseline", "--json").stdout)
    places = {one["place"]: one for one in values["mistakes"]}
    assert set(places) == {"wrong.csv:9", "wrong.csv:23"}
    likely = [one["probability"] for one in values["mistakes"]]
    assert likely == sorted(likely, reverse=True)
    first = places["wrong.csv:9"]
    assert (first["true"], first["given"], first["label"]) == (["neg"], ["pos"], "pos")
    assert {token for token, _ in first["tokens"]} >= {"great", "film"}
    few = json.loads(
        invoke(
            "evaluate", "--data", "wrong.csv", "--no-baseline", "--json", "--mistakes", "1"
        ).stdout
    )
    assert few["mistakes"] == values["mistakes"][:1]


def test_mistakes_among_several_labels(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "multilabel.yaml", "-q")
    write_csv(workplace / "few.csv", ["text", "label"], [("a b 7", "c"), ("a 4", "a"), ("b 9", "")])
    flags = ("--data", "few.csv", "--no-baseline", "--json")
    invoke("evaluate", *flags, status=1)
    write_csv(workplace / "few.csv", ["text", "label"], [("a b 7", "c"), ("a 4", "a")])
    (worst, *_) = json.loads(invoke("evaluate", *flags).stdout)["mistakes"]
    assert worst["true"] == ["c"]
    assert worst["label"] in {"a", "b", "c"}


def test_rows_of_unknown_labels_alone_are_scored_without_a_traceback(
    workplace: Path, invoke: Invoke
) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    write_csv(workplace / "odd.csv", ["text", "label"], [("great", "odd"), ("awful", "odd")])
    values: Any = json.loads(invoke("evaluate", "--data", "odd.csv", "--json").stdout)
    assert values["scores"]["accuracy"] == 0.0
    assert values["scores"]["log_loss"] is None
    assert values["intervals"]["log_loss"] is None
    assert values["mistakes"] == []
    assert (
        "2 times a label that training never saw" in invoke("evaluate", "--data", "odd.csv").stdout
    )


def test_the_same_seed_gives_the_same_intervals(runs: dict[str, Run]) -> None:
    once, again = (
        evaluate_run(runs["binary"], EvaluationRequest(baseline=False)) for _ in range(2)
    )
    assert once.intervals == again.intervals
    assert once.draws == 1000
