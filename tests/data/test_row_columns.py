"""Weights of rows: what a cell means, and that a row of weight 2 counts as two rows everywhere."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.loading import load_config
from embedclf.data.dataset import Dataset, prepare_dataset, prepare_refit
from embedclf.data.row_columns import normalize_weights
from embedclf.errors import DataError
from embedclf.evaluation.metrics import DEFAULT_METRICS
from embedclf.runs.run import Run
from embedclf.training.divergence import label_divergence
from embedclf.training.initialization import initialize
from tests.conftest import reviews, unwrapped, write_csv, write_project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import Invoke

COLUMNS = ["text", "label", "times"]

SETTINGS = (
    "data.weight=times",
    "data.validation=0.3",
    "training.epochs=3",
    "training.class_weight=balanced",
    "training.calibration=temperature",
    "training.threshold=f1",
    "training.refit=true",
)


def noisy_reviews(rows: int) -> list[tuple[str, str]]:
    """Reviews of which every seventh has the wrong label."""
    other = {"pos": "neg", "neg": "pos"}
    return [
        (text, label if number % 7 else other[label])
        for number, (text, label) in enumerate(reviews(rows))
    ]


def weights_of(rows: int) -> list[int]:
    """0, 1, 2 or 5, not in the rhythm of the labels."""
    return [(0, 1, 2, 5)[number // 3 % 4] for number in range(rows)]


def write_weighted(path: Path, rows: int, factor: float = 1.0) -> Path:
    weighted = zip(noisy_reviews(rows), weights_of(rows), strict=True)
    return write_csv(path, COLUMNS, [(*row, str(factor * times)) for row, times in weighted])


def write_repeated(path: Path, rows: int) -> Path:
    """The rows of `write_weighted`, each as often as its weight says, with a weight of 1."""
    weighted = zip(noisy_reviews(rows), weights_of(rows), strict=True)
    return write_csv(path, COLUMNS, [(*row, "1") for row, times in weighted for _ in range(times)])


def prepare(folder: Path, cells: Sequence[str], *settings: str) -> Dataset:
    """Prepare the noisy reviews with these cells in the column of weights."""
    weighted = zip(noisy_reviews(len(cells)), cells, strict=True)
    return prepare_rows(folder, [(*row, cell) for row, cell in weighted], *settings)


def prepare_rows(folder: Path, rows: Sequence[tuple[str, str, str]], *settings: str) -> Dataset:
    write_csv(folder / "t.csv", COLUMNS, rows)
    (folder / "c.yaml").write_text(
        "data: {train: t.csv, weight: times}\n"
        "text: {sequence_length: 12}\n"
        "model: {embedding_dim: 2}\n"
    )
    return prepare_refit(prepare_dataset(load_config(folder / "c.yaml", settings)))


def test_weights_are_numbers_in_any_notation(tmp_path: Path) -> None:
    cells = ["2", " 0.5", "1e1", "0", "+3", "007", "1.", ".25"]
    weights = prepare(tmp_path, cells).train.weights
    assert weights is not None
    assert weights.tolist() == [2.0, 0.5, 10.0, 0.0, 3.0, 7.0, 1.0, 0.25]


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("", "empty weight"),
        ("  ", "empty weight"),
        *(
            (cell, f"{cell!r} is not a weight")
            for cell in ("-1", "nan", "inf", "1e300", "1,5", "many")
        ),
        ("1_0", "'1_0' is not a weight"),
    ],
)
def test_another_cell_is_an_error_with_its_line_and_the_way_out(
    tmp_path: Path, cell: str, fault: str
) -> None:
    with pytest.raises(DataError) as caught:
        # Skipping rows without a label does not skip those without a weight.
        prepare(tmp_path, ["1", "2", cell, cell], "data.skip_invalid=true")
    place = f"{tmp_path / 't.csv'}:4: 'times': {fault}"
    assert str(caught.value).startswith(f"{place}; write a number from 0, such as 1.5, or remove")


def test_some_row_must_count(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'times': a split of 4 rows has only weights of 0"):
        prepare(tmp_path, ["0", "0.0", "0", "0"])


def test_two_labels_must_count(tmp_path: Path) -> None:
    fault = "t.csv: 'times': all rows of label 'neg' have weight 0; a classifier needs at least two"
    with pytest.raises(DataError, match=fault):
        prepare(tmp_path, ["0", "1", "0", "2"])


@given(
    st.lists(st.just(0.0) | st.floats(1e-9, 1e9), min_size=1).filter(any),
    st.sampled_from([0.125, 1.0, 1024.0]),
)
def test_normalized_weights_have_a_mean_of_1_over_the_rows_that_count(
    weights: list[float], factor: float
) -> None:
    normalized = normalize_weights(np.array(weights))
    counted = normalized[np.array(weights) > 0.0]
    assert counted.mean() == pytest.approx(1.0)
    assert normalize_weights(factor * np.array(weights)).tolist() == normalized.tolist()


@pytest.mark.parametrize("class_weight", ["none", "balanced", "{pos: 3}"])
def test_a_training_starts_as_on_repeated_rows(tmp_path: Path, class_weight: str) -> None:
    """Labels' totals agree exactly; what smooths counts of rows does so up to the smoothing."""
    settings = (f"training.class_weight={class_weight}", "model.initialization=naive_bayes")
    times = weights_of(400)
    weighted = prepare(tmp_path, list(map(str, times)), *settings)
    pairs = zip(noisy_reviews(400), times, strict=True)
    rows = [(*row, "1") for row, each in pairs for _ in range(each)]
    repeated = prepare_rows(tmp_path, rows, *settings)
    assert weighted.labels.weights == repeated.labels.weights == repeated.labels.counts
    assert initialize(weighted).biases == pytest.approx(initialize(repeated).biases, abs=0.02)
    ids, same = (
        encoded.values[encoded.starts]
        for encoded in (
            each.tokenizer.encode(["lovely", "awful", "it"]).ids for each in (weighted, repeated)
        )
    )
    assert label_divergence(weighted)[ids] == pytest.approx(
        label_divergence(repeated)[same], abs=0.05
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Path:
    """A folder with runs of weighted rows: `once`, and `scaled` with weights in another unit."""
    folder = tmp_path_factory.mktemp("weighted")
    write_project(folder)
    with contextlib.chdir(folder):
        for name, factor in (("once", 1.0), ("scaled", 8.0)):
            write_weighted(folder / f"{name}.csv", 160, factor)
            write_weighted(folder / f"{name}-test.csv", 60, factor)
            settings = [*SETTINGS, f"data.train={name}.csv", f"data.test={name}-test.csv"]
            flags = [text for setting in settings for text in ("-s", setting)]
            invoke("train", "binary.yaml", "-q", "-o", name, "--no-baseline", *flags)
    return folder


@pytest.fixture
def weighted_runs(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


def evaluate(invoke: Invoke, run: str, *flags: object) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(invoke("evaluate", run, "--json", *flags).stdout)
    return values


def test_only_the_ratios_of_weights_matter(weighted_runs: Path, invoke: Invoke) -> None:
    """The runs are the same, apart from the totals that count rows by weight."""
    once, scaled = (Run.open(weighted_runs / name) for name in ("once", "scaled"))
    texts = [text for text, _ in reviews(20)]
    y_prob, same = (run.classifier().predict_proba(texts) for run in (once, scaled))
    assert (y_prob == same).all()
    assert once.threshold_settings() == scaled.threshold_settings()
    first, second = evaluate(invoke, "once"), evaluate(invoke, "scaled")
    for key in ("scores", "majority", "intervals", "baselines", "slices"):
        assert first[key] == second[key], key
    totals = [[label["rows"] for label in each["labels"]] for each in (first, second)]
    assert np.array(totals[1]).tolist() == (8 * np.array(totals[0])).tolist()


def test_a_row_counts_as_often_as_its_weight(weighted_runs: Path, invoke: Invoke) -> None:
    write_repeated(weighted_runs / "repeated.csv", 60)
    weighted = evaluate(invoke, "once", "--data", "once-test.csv")
    repeated = evaluate(invoke, "once", "--data", "repeated.csv")
    assert weighted["rows"] == 60
    assert repeated["rows"] == sum(weights_of(60))
    assert weighted["confusion"] == repeated["confusion"]
    for key in ("scores", "majority"):
        assert weighted[key] == pytest.approx(repeated[key], nan_ok=True), key
    for one, other in zip(weighted["labels"], repeated["labels"], strict=True):
        for key in ("rows", "precision", "recall", "f1"):
            assert one[key] == pytest.approx(other[key])
    tfidf = [each["baselines"]["tf-idf"]["scores"] for each in (weighted, repeated)]
    assert tfidf[0] == pytest.approx(tfidf[1])


def test_every_command_that_scores_rows_says_that_they_are_weighted(
    weighted_runs: Path, invoke: Invoke
) -> None:
    line = "weights rows are weighted by 'times'"
    assert line in unwrapped(invoke("evaluate", "once", "--no-baseline").stdout)
    assert line in unwrapped(invoke("compare", "once", "scaled", "--data", "once.csv").stdout)
    assert "rows of once.csv, weighted by 'times'" in unwrapped(invoke("threshold", "once").stdout)
    invoke("report", "once", "-o", "report.html", "--no-baseline")
    assert "rows are weighted by &#39;times&#39;" in (weighted_runs / "report.html").read_text()
    flags = (
        "-s",
        "training.epochs=1",
        "-s",
        "data.test=null",
        "-s",
        "data.weight=times",
        "--no-baseline",
    )
    shown = invoke("train", "binary.yaml", *flags, "-s", "data.train=once.csv")
    assert line in unwrapped(shown.stdout + shown.stderr)


@pytest.mark.usefixtures("weighted_runs")
def test_a_new_table_may_lack_the_weights_and_a_table_of_the_config_may_not(
    invoke: Invoke,
) -> None:
    shown = invoke("evaluate", "once", "--data", "binary-test.csv").stdout
    assert "no column 'times', so each row counts once" in unwrapped(shown)
    assert "rows are weighted" not in unwrapped(shown)
    for key in ("test", "validation"):
        flags = ("-s", "data.weight=times", "-s", f"data.{key}=binary-test.csv")
        refused = invoke("train", "binary.yaml", "-s", "data.train=once.csv", *flags, status=1)
        assert "binary-test.csv:1: no column 'times' for data.weight" in unwrapped(refused.stderr)
        assert "add it, or set data.weight: null" in unwrapped(refused.stderr)
    invoke("predict", "binary-test.csv", "--run", "once", "-o", "predicted.csv")


def test_a_training_scores_its_rows_as_evaluate_does(weighted_runs: Path, invoke: Invoke) -> None:
    scores = evaluate(invoke, "once")["scores"]
    stored = Run.open(weighted_runs / "once").metrics()["test"]["scores"]
    for name in DEFAULT_METRICS["binary"]:
        assert stored[name] == pytest.approx(scores[name]), name
