"""Settings of trainings that continue from a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embedclf.autoconfig.resolve import Source
from embedclf.errors import ConfigError
from embedclf.runs.run import Run
from tests.conftest import reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from tests.conftest import Invoke


def settings(table: object, start: Run, *overrides: str) -> Config:
    return Source(str(table), overrides, start=start).resolve().config


@pytest.mark.usefixtures("workplace")
def test_settings_are_those_of_the_run_except_where_the_new_table_decides(
    runs: dict[str, Run],
) -> None:
    config, before = settings("multiclass.csv", runs["multiclass"]), runs["multiclass"].config()
    text = before.text.model_copy(
        update={"vocabulary_size": 200_002, "ngram_vocabulary_size": 1_000_000}
    )
    assert config.text == text
    assert config.model == before.model
    assert config.data.text == ["title", "body"]
    assert config.data.validation == 0.2
    assert config.training.class_weight == "balanced"
    assert config.training.learning_rate == pytest.approx(3 * before.training.learning_rate)
    assert config.training.refit
    assert config.reasons["model.pooling"] == f"as in {runs['multiclass'].path}"
    assert config.seed == before.seed


@pytest.mark.usefixtures("workplace")
def test_what_is_written_wins(runs: dict[str, Run]) -> None:
    overrides = ["training.learning_rate=0.5", "training.refit=false", "data.validation=0.3"]
    config = settings("multiclass.csv", runs["multiclass"], *overrides, "seed=7")
    training = config.training
    assert (training.learning_rate, training.refit) == (0.5, False)
    assert (config.data.validation, config.seed) == (0.3, 7)
    assert "data.validation" not in config.reasons


@pytest.mark.usefixtures("workplace")
def test_a_second_continuation_does_not_raise_the_learning_rate_again(
    runs: dict[str, Run],
) -> None:
    start = replace(runs["binary"], record=runs["binary"].record | {"from": {"tables": []}})
    rate = settings("binary.csv", start).training.learning_rate
    assert rate == runs["binary"].config().training.learning_rate


def test_tables_next_to_the_new_table_are_found(workplace: Path, runs: dict[str, Run]) -> None:
    folder = workplace / "new"
    folder.mkdir()
    for name in ("train", "dev", "test"):
        write_csv(folder / f"{name}.csv", ["text", "label"], reviews(40))
    config = settings(folder / "train.csv", runs["binary"])
    assert config.data.validation == str(folder / "dev.csv")
    assert config.data.test == str(folder / "test.csv")
    assert not config.training.refit


def test_a_new_table_can_be_laid_out_in_another_way(workplace: Path, runs: dict[str, Run]) -> None:
    lines = ["label\ttext", *(f"{label}\t{text}" for text, label in reviews(40))]
    (workplace / "other.tsv").write_text("\n".join(lines), encoding="utf-8")
    assert settings("other.tsv", runs["binary"]).data.text == "text"
    write_csv(workplace / "named.csv", ["review", "label"], reviews(40))
    assert settings("named.csv", runs["binary"], "data.text=review").data.text == "review"


def test_columns_of_labels_stay_in_the_order_of_the_run(workplace: Path, invoke: Invoke) -> None:
    rows = [(f"{word} {n}", str(n % 2), str(n % 3 % 2)) for n, word in enumerate("xy" * 30)]
    write_csv(workplace / "flags.csv", ["text", "b", "a"], rows)
    keys = ["-s", "training.epochs=1", "-s", "training.epochs_by=validation"]
    flags = ["--label", "b", "--label", "a", *keys, "-q", "--no-baseline"]
    invoke("train", "flags.csv", "--text", "text", *flags, "-o", "start")
    start = Run.open(Path("start"))
    write_csv(workplace / "more.csv", ["text", "a", "c", "b"], [(*row, "1") for row in rows])
    assert settings("more.csv", start).data.label == ["b", "a"]
    assert settings("more.csv", start, "data.label=[a, c, b]").data.label == ["b", "a", "c"]
    with pytest.raises(ConfigError, match="lacks 'b'"):
        settings("more.csv", start, "data.label=[a, c]")
    with pytest.raises(ConfigError, match="columns of 0 and 1"):
        settings("more.csv", start, "data.label=a")


def test_a_third_label_removes_the_threshold_of_two(workplace: Path, invoke: Invoke) -> None:
    flags = ["-s", "training.threshold=0.3", "-s", "training.epochs=1", "-q", "--no-baseline"]
    invoke("train", "binary.yaml", *flags, "-o", "start")
    start = Run.open(Path("start"))
    assert settings("binary.csv", start).training.threshold == 0.3
    rows = [*reviews(40), *((f"so so {n}", "mixed") for n in range(10))]
    write_csv(workplace / "three.csv", ["text", "label"], rows)
    assert settings("three.csv", start).training.threshold == 0.5


@pytest.mark.usefixtures("workplace")
def test_the_settings_shown_name_the_run(runs: dict[str, Run], invoke: Invoke) -> None:
    flags = ["-s", "training.epochs=1", "-s", "training.refit=false", "--no-baseline"]
    start = runs["binary"].path
    shown = invoke("train", "binary.csv", "--from", start, "-o", "next", *flags)
    assert "2 labels; new ones are added" in unwrapped(shown.stderr)
    assert f"as in {start}" in Path("next.yaml").read_text(encoding="utf-8")
    # The config that is written next to the run continues from it, too.
    invoke("train", "next.yaml", "--from", start, "-o", "again", "-q", *flags)
    first, second = (Run.open(Path(name)) for name in ("next", "again"))
    assert first.metrics() == second.metrics()
