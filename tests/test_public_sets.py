"""Public data sets, trained, evaluated and predicted through the command line."""

from __future__ import annotations

import csv
import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embedclf.runs.run import Run
from tests.benchmarks import suspects
from tests.benchmarks.public_sets import CASES, Case
from tests.conftest import write_csv

if TYPE_CHECKING:
    from tests.conftest import Invoke

pytestmark = pytest.mark.no_cover  # sets are not everywhere; lines that only they reach don't count

LEAST = {
    "IMDB": 0.875,
    "IMDB, flatten": 0.85,
    "SST-2": 0.79,
    "TREC": 0.80,
    "SMS Spam": 0.97,
    "GoEmotions": 0.35,
    "Waimai": 0.86,
    "NSMC": 0.84,
    "arXiv titles": 0.41,
}
"""Test scores that each set must reach."""
FOUND = {"SST-2": 0.6, "SST-2, first 10,000": 0.4, "SMS Spam": 0.85, "Banking77": 0.8}
"""Precision of the first rows, as many as labels were flipped; 0.05 is random."""
AVERAGE = (
    "text.min_count=1",
    "text.ngrams=1",
    "model.initialization=random",
    "model.pooling=average",
    "model.dropout=0.0",
    "training.schedule=linear",
    "training.refit=false",
    "training.calibration=none",
)
"""The mean of the words of a text, which trains faster than what is chosen."""
SETTINGS: dict[str, tuple[str, ...]] = {
    "IMDB": ("text.ngrams=2", "training.epochs=4"),
    "IMDB, flatten": ("training.epochs=2",),
    "NSMC": (
        *AVERAGE,
        "text.unit=word",
        "text.vocabulary_size=300000",
        "text.sequence_length=50",
        "model.embedding_dim=16",
        "training.epochs=2",
        "training.batch_size=512",
        "training.learning_rate=0.007",
    ),
    "arXiv titles": (
        *AVERAGE,
        "text.vocabulary_size=60000",
        "text.sequence_length=30",
        "model.embedding_dim=64",
        "training.epochs=2",
        "training.batch_size=256",
        "training.learning_rate=0.01",
    ),
    "SST-2": ("training.epochs=2",),
    "TREC": ("training.epochs=5",),
    "SMS Spam": ("training.epochs=8",),
    "GoEmotions": ("training.epochs=4",),
    "Waimai": ("training.epochs=5",),
}
"""Settings that take less time than those that are chosen, and suffice."""
EVERY = {"IMDB": (5, 5), "IMDB, flatten": (1, 5), "NSMC": (3, 5), "arXiv titles": (3, 9)}
"""Of large sets, which rows to train and to test on; `make bench-sets` takes all rows."""
QUICKER = {
    "SST-2": ("--folds", 3, "-s", "training.epochs=3"),
    "SST-2, first 10,000": ("-s", "training.epochs=5"),
    "Banking77": ("-s", "training.epochs=5"),
}
"""Options with which the flipped labels are found in less time."""


def datasets() -> Path:
    if "EMBEDCLF_DATASETS" not in os.environ:
        pytest.skip("EMBEDCLF_DATASETS names no folder of data sets")
    return Path(os.environ["EMBEDCLF_DATASETS"]).absolute()


def sampled(sets: Path, case: Case, folder: Path) -> Path:
    """Write every few rows of a set; those of the test table only if their label is learned."""
    (folder / case.folder).mkdir()
    labels: set[str] = set()
    for name, every in zip(("train.csv", case.test), EVERY[case.name], strict=True):
        with (sets / case.folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(itertools.islice(csv.reader(file), 1, None, every))
        labels = labels or {label for _, label in rows}
        known = [row for row in rows if row[1] in labels]
        write_csv(folder / case.folder / name, ["text", "label"], known)
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_public_set_reaches_its_score_and_keeps_its_rows(
    case: Case, tmp_path: Path, invoke: Invoke
) -> None:
    sets = datasets()
    if not (sets / case.folder).is_dir():
        pytest.skip(f"{case.folder} is not in EMBEDCLF_DATASETS")
    if case.name in EVERY:
        sets = sampled(sets, case, tmp_path)
    flags = [flag for setting in SETTINGS[case.name] for flag in ("-s", setting)]
    path = tmp_path / "run"
    invoke("train", *case.arguments(sets), *flags, "--no-baseline", "-q", "-o", path)
    run = Run.open(path)
    evaluation = json.loads(invoke("evaluate", "--run", path, "--no-baseline", "--json").stdout)
    score = next(iter(evaluation["scores"]))
    assert evaluation["scores"][score] >= LEAST[case.name]
    assert evaluation["scores"][score] > evaluation["majority"][score]
    before = run.metrics()["test"]["scores"]
    assert {name: evaluation["scores"][name] for name in before} == pytest.approx(before, rel=1e-6)
    assert run.record["parity"] <= 1e-5

    table, output = sets / case.folder / case.test, tmp_path / "out.csv"
    invoke("predict", table, "--run", path, "-o", output)
    with table.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    with output.open(encoding="utf-8", newline="") as written:
        assert [row["text"] for row in csv.DictReader(written)] == texts


@pytest.mark.parametrize("folder", ["trec", "sms_spam", "waimai_10k_zh"])
def test_the_config_of_init_beats_the_majority_baseline(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    table = datasets() / folder / "train.csv"
    if not table.is_file():
        pytest.skip(f"{folder} is not in EMBEDCLF_DATASETS")
    monkeypatch.chdir(tmp_path)
    invoke("init", table)
    invoke("check", f"{folder}.yaml")
    invoke("train", f"{folder}.yaml", "-q")
    evaluation = json.loads(invoke("evaluate", "--json").stdout)
    assert evaluation["data"].startswith("test rows of ")
    assert evaluation["baselines"]["majority"]["verdict"] == "run"
    assert evaluation["baselines"]["tf-idf"]["verdict"] in {"run", "unclear"}


def test_a_threshold_chosen_for_recall_raises_the_recall_of_spam(
    tmp_path: Path, invoke: Invoke
) -> None:
    case = next(case for case in CASES if case.folder == "sms_spam")
    if not (datasets() / case.folder).is_dir():
        pytest.skip("sms_spam is not in EMBEDCLF_DATASETS")
    path = tmp_path / "run"
    invoke("train", *case.arguments(datasets()), "-q", "-o", path)
    flags = ("--run", path, "--no-baseline", "--json")
    before = json.loads(invoke("evaluate", *flags).stdout)
    invoke("threshold", "--run", path, "--metric", "recall=0.98")
    after = json.loads(invoke("evaluate", *flags).stdout)
    assert after["scores"]["recall"] > before["scores"]["recall"]
    for evaluation in (before, after):
        low, high = evaluation["intervals"]["recall"]
        assert low < evaluation["scores"]["recall"] < high


@pytest.mark.parametrize("name", FOUND)
def test_suspects_finds_flipped_labels(name: str, tmp_path: Path, invoke: Invoke) -> None:
    case = next(case for case in suspects.CASES if case.name == name)
    if not (datasets() / case.folder).is_dir():
        pytest.skip(f"{case.folder} is not in EMBEDCLF_DATASETS")
    table, flipped = suspects.flip(datasets(), case, tmp_path, seed=0)
    output = tmp_path / "out.csv"
    invoke("suspects", table, *QUICKER.get(name, ()), "-q", "-n", 0, "-o", output)
    assert suspects.precision(output, flipped) >= FOUND[name]


def test_equal_texts_of_a_large_table_go_to_the_same_split() -> None:
    from embedclf.config.schema import Config
    from embedclf.data.dataset import prepare_dataset

    train = datasets() / "nsmc_korean_binary" / "train.csv"
    if not train.is_file():
        pytest.skip("nsmc_korean_binary is not in EMBEDCLF_DATASETS")
    config = Config.model_validate({"data": {"train": str(train)}, "text": {"unit": "character"}})
    dataset = prepare_dataset(config)
    splits = (dataset.train, dataset.validation)
    with train.open(encoding="utf-8", newline="") as file:
        texts = [row["text"].strip().lower() for row in csv.DictReader(file)]
    first, second = ({texts[row] for row in split.rows.positions.tolist()} for split in splits)
    assert not first & second
    fraction = len(dataset.validation) / (len(dataset.train) + len(dataset.validation))
    assert fraction == pytest.approx(0.1, abs=0.005)
    positive = [split.targets.mean() for split in splits]
    assert positive[0] == pytest.approx(positive[1], abs=0.02)
