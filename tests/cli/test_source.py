"""TABLE|CONFIG: training and checking without a config, and what a config leaves out."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.autoconfig.resolve import Source, resolve
from embedclf.config.loading import load_config, table_config
from embedclf.config.schema import auto_keys
from embedclf.runs.run import Run
from tests.conftest import ROOT, Invoke, reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from embedclf.config.schema import Config

QUICK = ("-s", "training.epochs=3", "-s", "training.epochs_by=validation")
KEPT = ROOT / "tests" / "formats"


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of ten columns between semicolons, in the working directory."""
    header = "order_id;customer;email;date;price;review;sentiment;country;weight;url".split(";")
    with (tmp_path / "orders.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(header)
        for number, (text, label) in enumerate(reviews(120)):
            writer.writerow(
                [
                    f"{90_000 + number}",
                    f"customer {number % 9}",
                    f"c{number}@example.org",
                    f"2024-03-{number % 28 + 1:02d}",
                    f"{number * 7 % 90}.{number % 100:02d}",
                    text,
                    label,
                    "DE" if number % 3 else "FR",
                    f"{number % 13}.25",
                    f"https://example.org/orders/{number}",
                ]
            )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("orders")
def test_a_table_is_enough_to_train(invoke: Invoke) -> None:
    done = invoke("train", "orders.csv", *QUICK)
    data, text, training = done.stderr.splitlines()[:3]
    assert data.split("  ")[-1].strip() == (
        "text: review · label: sentiment · validation: 20% of the rows"
    )
    assert "· n-grams up to 2 ·" in text
    assert "up to 3 epochs, then a refit" in training
    assert "120 validation" not in done.stdout
    assert "on 24 validation rows of orders.csv" in done.stdout
    assert {"majority", "tf-idf"} <= set(done.stdout.split())
    assert done.stdout.endswith("run: runs/orders-1\n")
    *_, file, first, second = (line.split("  ")[-1].strip() for line in done.stderr.splitlines())
    assert file == "runs/orders-1.yaml"
    assert first == "embedclf predict NEW.csv --run runs/orders-1"
    assert second == "embedclf report runs/orders-1"
    invoke(*second.split()[1:])
    shutil.copy("orders.csv", "NEW.csv")
    invoke(*first.split()[1:])


def test_the_saved_config_trains_the_same_without_a_look_at_the_table(
    orders: Path, invoke: Invoke
) -> None:
    invoke("train", "orders.csv", "-q", *QUICK, "-s", "seed=7")
    run = Run.open(orders / "runs" / "orders-1")
    saved = Path("runs/orders-1.yaml")
    assert 'train: "../orders.csv"' in saved.read_text()
    assert "# word pairs are features too" in saved.read_text()
    assert "# word pairs are features too" in (run.path / "config.yaml").read_text()
    assert load_config(saved) == run.config() == Source(saved).resolve().config
    assert not set(auto_keys()) - load_config(saved).written()
    assert "chosen from" not in invoke("train", saved).stderr
    again = Run.open(orders / "runs" / "orders-1-1")
    assert again.metrics() == run.metrics()


def test_a_config_of_nothing_but_the_table_trains_the_same(orders: Path, invoke: Invoke) -> None:
    (orders / "least.yaml").write_text("data: {train: orders.csv}")
    written = "data: {train: orders.csv, text: auto, test: auto}\nmodel: {pooling: auto}"
    (orders / "auto.yaml").write_text(written)
    configs = [Source(Path(name)).resolve().config for name in ("orders.csv", "auto.yaml")]
    assert Source(Path("least.yaml")).resolve().config == configs[0] == configs[1]
    done = invoke("train", "least.yaml", *QUICK, "--no-baseline")
    assert done.stderr.startswith("chosen from the data: data.text, data.label, ")
    assert "training.epochs" not in done.stderr.splitlines()[0]
    assert "tf-idf" not in done.stdout
    config = (orders / "runs" / "least-1" / "config.yaml").read_text()
    assert "text: review" in config
    assert "pooling: sqrt" in config
    assert not (orders / "runs" / "least-1.yaml").exists()


@pytest.mark.usefixtures("orders")
def test_json_has_the_verdict_and_the_baselines(invoke: Invoke) -> None:
    values = json.loads(invoke("train", "orders.csv", "-q", "--json", *QUICK).stdout)
    assert set(values["baselines"]) == {"majority", "tf-idf"}
    assert "TF-IDF" in values["verdict"]
    assert values["run"] == "runs/orders-1"
    # The same draws, though `train` makes intervals of the first metric alone.
    assert values["verdict"] in unwrapped(invoke("evaluate", "orders-1").stdout)


def test_a_file_next_to_the_run_is_not_overwritten(orders: Path, invoke: Invoke) -> None:
    (orders / "runs").mkdir()
    (orders / "runs" / "orders-1.yaml").write_text("mine")
    done = invoke("train", "orders.csv", *QUICK, "--no-baseline")
    assert "runs/orders-1.yaml: already exists; the config is in runs/orders-1\n" in done.stderr
    assert (orders / "runs" / "orders-1.yaml").read_text() == "mine"
    invoke("train", "orders.csv", "-q", "-o", "here/mine", *QUICK, "--no-baseline")
    assert 'train: "../orders.csv"' in (orders / "here" / "mine.yaml").read_text()
    (orders / "here" / "link.yaml").symlink_to("nowhere")
    done = invoke("train", "orders.csv", "-o", "here/link", *QUICK, "--no-baseline")
    assert "here/link.yaml: already exists; the config is in here/link\n" in done.stderr
    assert done.stdout.endswith("run: here/link\n")


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize("command", ["train", "check", "suspects"])
def test_columns_of_a_table_can_be_named(invoke: Invoke, command: str) -> None:
    options = ("--text", "review", "--text", "customer", "--label", "country")
    invoke(command, "orders.csv", *options, *QUICK)
    error = invoke(command, "orders.csv", "--label", "sentimnt", *QUICK, status=1).stderr
    assert "orders.csv:1: no column 'sentimnt'" in error


@pytest.mark.parametrize("option", ["--text", "--label", "--delimiter", "--encoding"])
def test_a_config_has_keys_and_not_options(orders: Path, invoke: Invoke, option: str) -> None:
    (orders / "c.yaml").write_text("data: {train: orders.csv}")
    error = invoke("train", "c.yaml", option, "x", status=2).stderr
    assert f"{option} needs a table; with a config, write -s data.{option[2:]}=VALUE" in error


@pytest.mark.parametrize(
    ("option", "key"),
    [(("--input-format", "csv"), "data.format"), (("--columns", "a,b"), "data.columns")],
)
def test_options_are_named_with_their_keys(
    orders: Path, invoke: Invoke, option: tuple[str, str], key: str
) -> None:
    (orders / "c.yaml").write_text("data: {train: orders.csv}")
    error = invoke("train", "c.yaml", *option, status=2).stderr
    assert f"{option[0]} needs a table; with a config, write -s {key}=VALUE" in error


@pytest.mark.parametrize("command", ["check", "init"])
def test_a_table_without_a_header_gets_names_from_an_option(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{label};{text.replace(',', '')}\n" for text, label in reviews(60))
    Path("bare.dat").write_text(rows, encoding="utf-8")
    options = ("--columns", "mood, review", "--input-format", "csv")
    output = ("-o", "-") if command == "init" else ()
    done = invoke(command, "bare.dat", *options, *output)
    assert "review" in done.stderr
    if command == "init":
        assert "columns: [mood, review]" in done.stdout
        assert "format: csv" in done.stdout


def test_a_table_is_checked_without_a_config(orders: Path, invoke: Invoke) -> None:
    done = invoke("check", "orders.csv")
    assert "rows" in done.stdout
    assert done.stderr.endswith("orders.csv: ready to train\n")
    assert not (orders / "runs").exists()


@pytest.mark.parametrize("name", ["orders.txt", "orders.data", "orders", "orders.v2"])
def test_a_table_of_any_extension_is_recognized_by_its_content(
    orders: Path, invoke: Invoke, name: str
) -> None:
    (orders / "orders.csv").rename(orders / name)
    assert invoke("check", name).stderr.endswith(f"{name}: ready to train\n")
    settings = json.loads(invoke("init", name, "-o", "c.yaml", "-q", "--json").stdout)["settings"]
    assert settings["data.format"] == {"value": "csv", "reason": "recognized by the content"}
    assert load_config(orders / "c.yaml").data.text == "review"
    rows = [invoke("check", source, "--json").stdout for source in (name, "c.yaml")]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("command", ["train", "check", "init"])
def test_what_is_no_table_is_named_as_what_it_is(
    tmp_path: Path, invoke: Invoke, command: str
) -> None:
    page = tmp_path / "reviews.csv"
    page.write_text("<!DOCTYPE html>\n<html><body>Please log in, then try again</body></html>\n")
    assert "HTML page" in invoke(command, page, status=1).stderr
    (tmp_path / "empty").mkdir()
    error = invoke(command, tmp_path / "empty", status=1).stderr
    assert "empty: no table in this folder; it holds nothing" in error


def test_init_needs_a_table(orders: Path, invoke: Invoke) -> None:
    (orders / "c.yaml").write_text("data: {train: orders.csv}")
    error = invoke("init", "c.yaml", status=1).stderr
    assert error == "embedclf: c.yaml: this is a config; name a table\n"


def test_a_file_of_fasttext_is_a_table(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"__label__{label} {text}" for text, label in reviews(60)]
    Path("lines.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert "2 (binary): neg 24, pos 24" in invoke("check", "lines.txt").stdout
    assert "fasttext" in invoke("init", "lines.txt", "-o", "-").stdout
    lines[0] = '__label__pos __label__neg so "so"'
    Path("lines.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert "2 (multilabel)" in invoke("check", "lines.txt").stdout


@pytest.mark.usefixtures("orders")
def test_a_wrong_delimiter_is_reported_at_its_option(invoke: Invoke) -> None:
    for command in ("train", "check"):
        error = invoke(command, "orders.csv", "--delimiter", ";;;", status=2).stderr
        assert error.startswith("embedclf: --delimiter ;;;: data.delimiter: must have at most 2")
        option = ("-s", "data.delimiter=;;;")
        error = invoke(command, "orders.csv", "--delimiter", ";", *option, status=2).stderr
        assert error.startswith("embedclf: -s data.delimiter=;;;: data.delimiter: ")


def test_a_separator_does_not_fit_flags(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(f"word{n % 7} thing{n % 5} {n}", str(n % 2), str(n // 2 % 2)) for n in range(60)]
    write_csv(tmp_path / "flags.csv", ["text", "a", "b"], rows)
    Path("flags.yaml").write_text("data: {train: flags.csv, label_separator: '|'}")
    fault = "data.label_separator: it is for a single label column, but the table has a 0/1 column"
    option = "data.label_separator=|"
    error = invoke("check", "flags.csv", "-s", option, status=2).stderr
    assert error.startswith(f"embedclf: -s {option}: {fault} per label (a, b); leave it out, or ")
    assert invoke("check", "flags.yaml", status=2).stderr.startswith(
        f"embedclf: flags.yaml: {fault}"
    )


def test_a_label_that_nearly_every_row_has_alone_is_named(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(f"id{n}", text, label) for n, (text, label) in enumerate(reviews(60))]
    write_csv(tmp_path / "ids.csv", ["id", "text", "label"], [*rows, rows[0]])
    error = invoke("train", "ids.csv", "--label", "id", "-q", status=1).stderr
    assert error == (
        "embedclf: ids.csv: 59 of 60 labels in 'id' have a single row, so no validation rows can "
        "be held out; choose another label column (--label or data.label), or add rows\n"
    )


def test_labels_that_are_numbers_are_quoted(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(text, str(int(label == "pos"))) for text, label in reviews(100)]
    write_csv(tmp_path / "r.csv", ["text", "label"], rows)
    done = invoke("train", "r.csv", *QUICK)
    assert "2 (binary): '0' 40, '1' 40\n" in done.stdout + done.stderr
    assert "; '1': recall " in done.stdout


@pytest.mark.usefixtures("orders")
def test_a_missing_table_is_not_taken_for_a_config(invoke: Invoke) -> None:
    error = invoke("train", "order.csv", status=1).stderr
    assert error == "embedclf: order.csv: no such file; did you mean orders.csv?\n"
    error = invoke("train", "nowhere/order.csv", status=1).stderr
    assert error == "embedclf: nowhere/order.csv: no such file\n"


def test_every_auto_key_can_be_written_as_auto(orders: Path) -> None:
    sections: dict[str, list[str]] = {}
    for key in auto_keys():
        sections.setdefault(key.partition(".")[0], []).append(f"{key.partition('.')[2]}: auto")
    sections["data"].append("train: orders.csv")
    text = "".join(f"{name}: {{{', '.join(keys)}}}\n" for name, keys in sections.items())
    (orders / "all.yaml").write_text(text)
    assert Source(Path("all.yaml")).resolve().config == Source(Path("orders.csv")).resolve().config


WRITTEN: dict[str, st.SearchStrategy[Any]] = {
    "data.validation": st.sampled_from([0.1, 0.3]),
    "data.skip_invalid": st.booleans(),
    "data.test": st.none(),
    "data.label_separator": st.sampled_from([None, "|"]),
    "text.unit": st.sampled_from(["word", "character"]),
    "text.vocabulary_size": st.integers(3, 50),
    "text.min_count": st.integers(1, 3),
    "text.ngrams": st.integers(1, 3),
    "text.ngram_vocabulary_size": st.integers(1, 99),
    "text.sequence_length": st.integers(1, 20),
    "model.initialization": st.sampled_from(["random", "naive_bayes"]),
    "model.embedding_dim": st.integers(1, 40),
    "model.pooling": st.sampled_from(["average", "max", "sqrt"]),
    "model.dropout": st.sampled_from([0.0, 0.2]),
    "training.epochs": st.integers(1, 9),
    "training.batch_size": st.integers(1, 99),
    "training.learning_rate": st.sampled_from([0.01, 1e-5]),
    "training.schedule": st.sampled_from(["constant", "linear"]),
    "training.refit": st.booleans(),
    "training.class_weight": st.sampled_from(["none", "balanced"]),
    "training.calibration": st.sampled_from(["none", "isotonic"]),
    "training.threshold": st.sampled_from([0.5, 0.3]),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("table") / "t.csv", ["text", "label"], reviews(40))


def value_of(config: Config, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


@settings(max_examples=40)
@given(st.fixed_dictionaries({}, optional=WRITTEN))
def test_whatever_is_written_is_kept(table: Path, written: dict[str, Any]) -> None:
    overrides = [f"{key}={json.dumps(value)}" for key, value in written.items()]
    resolved = resolve(table_config(str(table), {}, overrides))
    assert {key: value_of(resolved, key) for key in written} == written
    assert not set(auto_keys()) - resolved.written()
    assert not written.keys() & resolved.reasons.keys() - {"data.validation"}


def test_flatten_needs_a_length_and_gets_no_ngrams(orders: Path, invoke: Invoke) -> None:
    (orders / "c.yaml").write_text("data: {train: orders.csv}\nmodel:\n  pooling: flatten\n")
    error = invoke("train", "c.yaml", status=2).stderr
    assert error == (
        "embedclf: c.yaml:3:3: model.pooling: flatten has weights for each position and needs a "
        "fixed length; add text.sequence_length: 10\n"
    )
    resolved = Source(Path("c.yaml"), ("text.sequence_length=10",)).resolve().config
    assert (resolved.text.ngrams, resolved.text.sequence_length) == (1, 10)


def test_vectors_decide_their_length(orders: Path) -> None:
    (orders / "vectors.txt").write_text("good 1 2 3\nbad 3 4 5\n")
    resolved = Source(Path("orders.csv"), ("model.initialization=vectors.txt",)).resolve().config
    assert resolved.model.embedding_dim == 3


def test_a_wish_for_a_refit_rules_out_a_validation_table(workplace: Path) -> None:
    for name in ("train.csv", "dev.csv"):
        write_csv(workplace / name, ["text", "label"], reviews(40))
    chosen = Source(Path("train.csv")).resolve().config
    assert (chosen.data.validation, chosen.training.refit) == (str(workplace / "dev.csv"), False)
    refit = Source(Path("train.csv"), ("training.refit=true",)).resolve().config
    assert (refit.data.validation, refit.training.refit) == (0.2, True)


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("model.optimizer=auto", "model.optimizer: unknown key"),
        ("training.optimizer=auto", 'training.optimizer: cannot be auto; remove it to get "adam"'),
        ("data.train=auto", "data.train: cannot be auto; name one"),
        ("text.lowercase=auto", "text.lowercase: cannot be auto; remove it to get true"),
    ],
)
def test_auto_is_refused_where_nothing_is_chosen(
    workplace: Path, invoke: Invoke, override: str, fault: str
) -> None:
    error = invoke("check", "binary.yaml", "-s", override, status=2).stderr
    assert error.startswith(f"embedclf: -s {override}: {fault}")
    assert error.count("\n") == 1
    assert (workplace / "binary.yaml").exists()


@pytest.mark.parametrize("key", ["text", "label"])
def test_a_column_can_be_called_auto(workplace: Path, invoke: Invoke, key: str) -> None:
    columns = {"text": ["auto", "label", "text"], "label": ["text", "auto", "label"]}[key]
    rows = [(text, label, "x") for text, label in reviews(40)]
    write_csv(workplace / "cars.csv", columns, rows)
    invoke("init", "cars.csv", f"--{key}", "auto", "-q")
    assert getattr(load_config(Path("cars.yaml")).data, key) == "auto"
    invoke("train", "cars.csv", f"--{key}", "auto", "-q", *QUICK, "--no-baseline")
    run = Run.open(workplace / "runs" / "cars-1")
    assert getattr(run.config().data, key) == "auto"


@pytest.mark.parametrize(
    "run", sorted(KEPT.glob("*/binary-flatten")), ids=lambda run: run.parts[-2]
)
def test_the_config_of_an_old_run_means_what_it_meant(run: Path) -> None:
    proposal = Source(run / "config.yaml").resolve()
    config = proposal.config
    assert proposal.chosen == []
    assert (config.model.pooling, config.text.ngrams, config.text.min_count) == ("flatten", 1, 1)
    assert (config.training.refit, config.training.calibration) == (False, "none")
    assert config.model.initialization == "random"


def test_the_config_of_a_run_can_ask_for_a_choice(orders: Path, invoke: Invoke) -> None:
    invoke("train", "orders.csv", "-q", *QUICK, "-s", "text.sequence_length=4", "--no-baseline")
    config = orders / "runs" / "orders-1" / "config.yaml"
    assert Source(config).resolve().config.text.sequence_length == 4
    asked = Source(config, ("text.sequence_length=auto",)).resolve()
    assert asked.chosen == ["text.sequence_length"]
    length = Source(Path("orders.csv")).resolve().config.text.sequence_length
    assert asked.config.text.sequence_length == length != 4


def test_broken_rows_are_all_listed_if_the_columns_are_known(
    workplace: Path, invoke: Invoke
) -> None:
    (workplace / "broken.csv").write_text("text,label\na,x\nb\nc,y,z\n")
    error = invoke("check", "broken.csv", "--text", "text", "--label", "label", status=1)
    assert "cannot read 2 rows of broken.csv" in error.stdout


@pytest.mark.usefixtures("orders")
def test_the_network_of_a_table_is_summarized(invoke: Invoke) -> None:
    done = invoke("summary", "orders.csv", "-s", "model.embedding_dim=3", "--json")
    embedding = next(
        layer for layer in json.loads(done.stdout)["layers"] if "embed" in layer["name"]
    )
    assert embedding["output_shape"][-1] == 3
    error = invoke("summary", "order.csv", status=1).stderr
    assert error == "embedclf: order.csv: no such file; did you mean orders.csv?\n"


def test_the_best_config_of_an_old_run_leaves_nothing_to_choose(
    workplace: Path, invoke: Invoke
) -> None:
    pytest.importorskip("optuna")
    shutil.copytree(KEPT / "1" / "binary-flatten", workplace / "old")
    write_csv(workplace / "now.csv", ["text", "label"], reviews(40))
    changes = ("data.train=now.csv", "data.validation=0.2", "data.test=null", "training.epochs=1")
    overrides = [part for change in changes for part in ("-s", change)]
    invoke("tune", "old/config.yaml", *overrides, "--trials", 1, "-q")
    (best,) = workplace.glob("tunings/*/best.yaml")
    assert set(auto_keys()) <= load_config(best).written()
    assert load_config(best).model.initialization == "random"


def test_tune_writes_what_was_chosen_into_the_best_config(orders: Path, invoke: Invoke) -> None:
    pytest.importorskip("optuna")
    config = orders / "c.yaml"
    config.write_text(
        "# mine\ndata: {train: orders.csv}\nmodel: {pooling: auto}\n"
        "training: {epochs: 2}\ntune:\n  model: {embedding_dim: [4, 8]}\n"
    )
    for source in ("c.yaml", "orders.csv"):
        invoke("tune", source, "--trials", 2, "-q", *QUICK)
    for name in ("c", "orders"):
        best = load_config(orders / "tunings" / name / "best.yaml")
        assert set(auto_keys()) <= best.written()
        assert (best.model.pooling, best.data.label) == ("sqrt", "sentiment")
    assert "# mine" in (orders / "tunings" / "c" / "best.yaml").read_text()
