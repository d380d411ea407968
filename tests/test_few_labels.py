"""The benchmark of few labeled rows: which rows it draws, and how it sums up scores."""

from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.few_labels_sets import LabeledSet, Subset, read_table, write_subset
from tests.benchmarks.few_labels_summary import Result, print_summary, score


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder for tables; a set of 300 rows with a rare label is among the data sets."""
    labels = ["a"] * 200 + ["b"] * 90 + ["rare"] * 10
    folder = tmp_path / "sets" / "letters"
    folder.mkdir(parents=True)
    rows = [f"text {number},{label}" for number, label in enumerate(labels)]
    for name in ("train.csv", "test.csv"):
        (folder / name).write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    monkeypatch.setenv("EMBEDCLF_DATASETS", str(tmp_path / "sets"))
    return tmp_path / "tables"


def subset(size: str, number: int, place: Path) -> Subset:
    drawn = write_subset(LabeledSet("letters"), size, number, place)
    assert drawn is not None
    return drawn


def test_every_label_has_eight_rows(place: Path) -> None:
    table = read_table(subset("8 per label", 1, place).train)
    assert Counter(table["label"]) == {"a": 8, "b": 8, "rare": 8}


def test_random_rows_have_every_label_and_the_rest_is_unlabeled(place: Path) -> None:
    for number in (1, 2, 3):
        drawn = subset("100", number, place)
        table = read_table(drawn.train)
        assert drawn.unlabeled is not None
        rest = read_table(drawn.unlabeled)
        assert set(table["label"]) == {"a", "b", "rare"}
        assert list(rest.columns) == ["text"]
        assert len(table) == drawn.rows == 100
        assert sorted([*table["text"], *rest["text"]]) == sorted(f"text {n}" for n in range(300))


def test_another_number_draws_other_rows(place: Path) -> None:
    tables = [list(read_table(subset("100", number, place).train)["text"]) for number in (1, 1, 2)]
    assert tables[0] == tables[1] != tables[2]


def test_a_set_with_fewer_rows_has_no_subset(place: Path) -> None:
    assert write_subset(LabeledSet("letters"), "1000", 1, place) is None


def test_all_rows_leave_no_unlabeled_text(place: Path) -> None:
    drawn = subset("all", 1, place)
    assert (drawn.rows, drawn.unlabeled) == (300, None)


def test_a_label_that_is_never_predicted_lowers_macro_f1(place: Path) -> None:
    drawn = subset("100", 1, place)
    predictions = ["a"] * 200 + ["b"] * 90 + ["a"] * 10
    scored = score(drawn, "base", predictions, seconds=1.0, size=0)
    assert scored.accuracy == pytest.approx(290 / 300, abs=1e-4)
    assert scored.macro_f1 == pytest.approx((400 / 410 + 1 + 0) / 3, abs=1e-4)


def test_gains_are_paired_and_their_error_is_that_of_the_sets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    accuracies = {
        ("one", 1): (0.5, 0.6),
        ("one", 2): (0.7, 0.9),  # a mean gain of 15 points
        ("two", 1): (0.8, 0.85),  # of 5 points
    }
    results = [
        Result(folder, "100", number, method, 100, accuracy, 0.0, 1.0, 0)
        for (folder, number), pair in accuracies.items()
        for method, accuracy in zip(("base", "new"), pair, strict=True)
    ]
    results.append(Result("three", "100", 1, "new", 100, 0.1, 0.0, 1.0, 0))  # no base, no gain
    print_summary(results)
    assert "| base | 70.0 (10.0; 2) |\n| new | +10.0 (5.0; 2) |" in capsys.readouterr().out
