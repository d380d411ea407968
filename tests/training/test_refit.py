"""Runs that were trained anew on all rows, once it was known how long that is best."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.errors import RunError
from embedclf.evaluation.scored_rows import BEFORE_REFIT, CHOSEN_ON
from embedclf.runs.history import Epoch, RefitStarted, Resumed, Step, read_epochs
from embedclf.runs.run import Run
from embedclf.training.losses import RunningLoss
from embedclf.training.train import train as train_run
from tests.conftest import reviews, write_csv
from tests.training.test_checkpoints import checkpoints, command, kill_after_a_checkpoint
from tests.training.test_train import weights_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.training.train import Told
    from tests.conftest import Invoke

FLAGS = ("-s", "model.pooling=average", "-s", "training.refit=true")


@pytest.fixture(scope="module")
def refitted(project: Path, invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A refitted run of two labels, whose config has no test table."""
    path = tmp_path_factory.mktemp("refitted") / "run"
    flags = (*FLAGS, "-s", "data.test=null", "-o", path, "-q")
    invoke("train", project / "binary.yaml", *flags)
    return Run.open(path)


def train(
    folder: Path,
    *overrides: str,
    on_event: Callable[[Told], None] = lambda _: None,
    resume: bool = False,
) -> Run:
    given = ["model.pooling=average", "training.refit=true", *overrides]
    config = load_config(folder / "binary.yaml", given)
    return train_run(config, name="x", on_event=on_event, resume=resume)


def epochs_of(run: Run) -> tuple[Epoch, ...]:
    return read_epochs(run.read("history.csv").decode())


def test_a_refitted_run_has_learned_from_all_rows(refitted: Run) -> None:
    ready = prepare_dataset(refitted.config())
    everything = prepare_dataset(refitted.config(), holds_out=False)
    assert len(everything.train) == len(ready.train) + len(ready.validation) == 160
    assert not len(everything.validation)
    assert refitted.record["refit"] == {"rows": 160}
    assert refitted.record["data"]["train"]["rows"] == len(ready.train)
    assert refitted.classifier().tokenizer.tokens == everything.tokenizer.tokens
    assert refitted.validated().tokenizer.tokens == ready.tokenizer.tokens
    assert len(everything.tokenizer.tokens) > len(ready.tokenizer.tokens)
    assert refitted.record["vocabulary"] == everything.tokenizer.first_ngram
    beginnings = refitted.beginnings()
    assert beginnings is not None
    assert np.array_equal(beginnings.counts, everything.counts)


def test_test_rows_are_told_by_the_tokens_that_the_last_network_knows(workplace: Path) -> None:
    run = train(workplace, "data.test=binary.csv")
    before, after = (prepare_dataset(run.config(), holds_out=held).test for held in (True, False))
    assert before is not None
    assert after is not None
    assert after.unknown < before.unknown
    told = run.record["data"]["test"]["share_of_tokens_unknown"]
    assert told == after.unknown / after.tokens


@pytest.mark.usefixtures("workplace")
def test_the_network_before_is_that_of_a_run_without_refit(refitted: Run, invoke: Invoke) -> None:
    flags = ("-s", "model.pooling=average", "-s", "data.test=null")
    invoke("train", "binary.yaml", *flags, "-q")
    plain = Run.open(Path("runs/binary-1"))
    validated = refitted.path / "validated"
    assert {file.name for file in validated.iterdir()} == {
        "labels.json",
        "model.keras",
        "text.json",
    }
    assert plain.read("text.json") == (validated / "text.json").read_bytes()
    assert weights_of(plain) == weights_of(Run(validated, {}))
    assert plain.metrics() == refitted.metrics()
    assert plain.read("history.csv").count(b"\n") == refitted.read("history.csv").count(b"\n")
    assert plain.validated().tokenizer.tokens == plain.classifier().tokenizer.tokens


def test_the_epochs_are_as_many_as_were_best(workplace: Path) -> None:
    told: list[Told] = []
    run = train(workplace, on_event=told.append)
    begun = next(number for number, one in enumerate(told) if isinstance(one, RefitStarted))
    assert told[begun] == RefitStarted(160, run.record["best_epoch"])
    before, after = (
        [one for one in part if isinstance(one, Epoch)] for part in (told[:begun], told[begun:])
    )
    assert len(before) == run.record["epochs"]
    assert len(after) == run.record["best_epoch"]
    assert all(np.isnan(one.val_loss) for one in after)
    assert after[-1].loss < after[0].loss


def test_validation_rows_are_scored_by_the_network_that_has_not_seen_them(
    refitted: Run, invoke: Invoke
) -> None:
    told = json.loads(invoke("evaluate", "--run", refitted.path, "--json").stdout)
    measured = refitted.metrics()["validation"]["scores"]
    assert {name: told["scores"][name] for name in measured} == pytest.approx(measured)
    assert "before it was trained on these, too" in told["caution"]
    assert "144 training rows" in told["baselines"]["tf-idf"]["told"]


def test_other_rows_are_scored_by_the_last_network(
    refitted: Run, tmp_path: Path, invoke: Invoke
) -> None:
    write_csv(tmp_path / "others.csv", ["text", "label"], reviews(40)[::-1])
    flags = ("--run", refitted.path, "--json", "--data", tmp_path / "others.csv")
    told = json.loads(invoke("evaluate", *flags).stdout)
    likely = refitted.classifier().predict_proba([text for text, _ in reviews(40)])[:, 0]
    came = np.array([label == "pos" for _, label in reviews(40)])
    loss = -np.log(np.where(came, likely, 1 - likely)).mean()
    assert told["scores"]["log_loss"] == pytest.approx(float(loss), abs=1e-5)
    assert "160 training rows" in told["baselines"]["tf-idf"]["told"]


def test_test_rows_are_scored_by_the_last_network_with_the_thresholds_of_the_first(
    workplace: Path, invoke: Invoke
) -> None:
    run = train(workplace, "training.threshold=f1", "training.epochs=2")
    decision, metrics = run.decision(), run.metrics()
    assert run.validated().labels.thresholds == tuple(decision["thresholds"])
    likely = run.classifier().predict_proba([text for text, _ in reviews(40)])[:, 0]
    came = np.array([label == "pos" for _, label in reviews(40)])
    loss = -np.log(np.where(came, likely, 1 - likely)).mean()
    assert metrics["test"]["scores"]["log_loss"] == pytest.approx(float(loss), abs=1e-5)
    invoke("threshold", "--run", run.path, "--metric", "f1", "-q")
    again = Run.open(run.path)
    assert again.decision() == decision
    for part, scored in again.metrics().items():
        assert scored["scores"] == pytest.approx(metrics[part]["scores"], abs=1e-6)


@pytest.mark.parametrize("calibration", ["temperature", "isotonic"])
def test_what_calibrates_is_learned_before_and_counts_for_both(
    workplace: Path, calibration: str
) -> None:
    run = train(workplace, f"training.calibration={calibration}", "training.epochs=3")
    plain = train(workplace, "training.epochs=3")
    texts = [text for text, _ in reviews(10)]
    for one in ("classifier", "validated"):
        calibrated, raw = (getattr(of, one)().predict_proba(texts) for of in (run, plain))
        assert np.abs(calibrated - raw).max() > 1e-3, one
    assert run.record["parity"] <= 1e-5
    assert (run.path / "validated" / "calibration.json").is_file() == (calibration == "isotonic")


def test_a_full_disk_in_a_refit_keeps_the_network_before(workplace: Path, invoke: Invoke) -> None:
    def on_event(told: Told) -> None:
        if isinstance(told, RefitStarted):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run = Run.open(train(workplace, on_event=on_event).path)
    assert not run.refitted
    told = invoke("summary", run.path).stdout
    assert "not made: scratch files: No space left on device; the run is what was learned" in told


def test_a_damaged_checkpoint_of_a_refit_loses_nothing(workplace: Path) -> None:
    def damage(told: Told) -> None:
        if isinstance(told, RefitStarted):
            (first,) = Path("runs").glob(".unfinished-*")
            first.with_name(f"{first.name}-refit").write_bytes(b"nothing")

    with pytest.raises(RunError, match="-refit: damaged; delete it"):
        train(workplace, on_event=damage, resume=True)
    begun, damaged = sorted(Path("runs").iterdir())
    damaged.unlink()
    told: list[Told] = []
    run = train(workplace, on_event=told.append, resume=True)
    assert run.refitted
    assert run.record["seconds"]["fit"] >= sum(one.seconds for one in epochs_of(run))
    assert not begun.exists()
    assert next(one for one in told if isinstance(one, Resumed)).epochs


def test_ctrl_c_in_a_refit_keeps_the_network_before(workplace: Path, invoke: Invoke) -> None:
    begun = False

    def on_event(told: Told) -> None:
        nonlocal begun
        begun = begun or isinstance(told, RefitStarted)
        if begun and isinstance(told, Step) and told.epoch == 2:
            raise KeyboardInterrupt

    run = Run.open(train(workplace, on_event=on_event).path)
    assert begun
    assert run.record["ended"] in {"all_epochs", "early_stopping"}
    assert run.record["refit"] == {"rows": None, "missing": "interrupted"}
    assert run.interrupted
    assert not run.refitted
    assert not (run.path / "validated").exists()
    assert not checkpoints(workplace)
    assert len(prepare_dataset(run.config()).tokenizer.tokens) == len(
        run.classifier().tokenizer.tokens
    )
    told = invoke("summary", run.path).stdout
    assert "refit           not made: interrupted by Ctrl-C; the run is what was learned" in told
    assert json.loads(invoke("evaluate", "--run", run.path, "--json").stdout)["scores"]


def test_a_training_that_was_interrupted_is_not_refitted(workplace: Path) -> None:
    def on_event(told: Told) -> None:
        assert not isinstance(told, RefitStarted)
        if isinstance(told, Step) and told.epoch == 3:
            raise KeyboardInterrupt

    run = train(workplace, on_event=on_event)
    assert run.record["ended"] == "interrupted"
    assert run.interrupted


@pytest.mark.parametrize("change", ["other rows", "no text", "gone"])
def test_a_table_that_changes_in_the_meantime_is_not_learned_from(
    workplace: Path, change: str
) -> None:
    def on_event(told: Told) -> None:
        if not isinstance(told, Epoch) or told.epoch > 1:
            return
        if change == "gone":
            (workplace / "binary.csv").unlink(missing_ok=True)
        else:
            header = ["text" if change == "other rows" else "texts", "label"]
            write_csv(workplace / "binary.csv", header, reviews(150))

    run = Run.open(train(workplace, on_event=on_event).path)
    assert not run.refitted
    assert not run.interrupted
    why = {
        "other rows": "a table has changed",
        "no text": "no column 'text'",
        "gone": "no such file",
    }
    assert why[change] in run.record["refit"]["missing"]
    assert "\n" not in run.record["refit"]["missing"]
    assert not checkpoints(workplace)


def test_a_refit_that_diverges_leaves_what_was_learned_before(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_event(told: Told) -> None:
        if isinstance(told, RefitStarted):
            monkeypatch.setattr(RunningLoss, "loss", float("nan"))

    run = Run.open(train(workplace, on_event=on_event).path)
    assert not run.refitted
    assert (
        "epoch 1: the loss is no longer a number (training nan); lower"
        in (run.record["refit"]["missing"])
    )


def test_a_refit_that_was_killed_goes_on_to_the_same_weights(workplace: Path) -> None:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(200))
    flag = ("-s", "training.refit=true")
    subprocess.run(command("-o", "unbroken", "-q", *flag), cwd=workplace, check=True)
    kill_after_a_checkpoint(workplace, *flag, seconds=0.0, kind="*-refit")
    resumed = command("-o", "runs/resumed", "--resume", *flag)
    done = subprocess.run(resumed, cwd=workplace, check=True, capture_output=True, text=True)
    assert done.stderr.count("goes on         after epoch") == 2
    one, other = (Run.open(workplace / name) for name in ("unbroken", "runs/resumed"))
    assert weights_of(one) == weights_of(other)
    assert one.metrics() == other.metrics()
    assert not checkpoints(workplace)


def test_a_table_to_validate_on_is_not_refitted_on(workplace: Path, invoke: Invoke) -> None:
    flags = ("-s", "data.validation=binary-test.csv", "-s", "training.refit=true")
    told = invoke("train", "binary.yaml", *flags, status=2).stderr
    assert "training.refit goes with a share of the rows in data.validation" in told
    assert not (workplace / "runs").exists()


def test_damage_to_the_network_before_is_found(workplace: Path) -> None:
    run = train(workplace, "training.epochs=1")
    file = run.path / "validated" / "text.json"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(RunError, match=r"validated/text\.json: damaged"):
        Run.open(run.path)


@pytest.mark.usefixtures("workplace")
def test_a_refitted_run_is_compared_by_the_network_before(
    refitted: Run, project: Path, invoke: Invoke
) -> None:
    flags = ("-s", "model.pooling=average", "-s", "data.test=null", "-q")
    invoke("train", project / "binary.yaml", *flags)
    told = json.loads(invoke("compare", "runs/binary-1", refitted.path, "--json").stdout)
    assert told["mended"] == told["broken"] == 0
    assert told["scores"][0] == told["scores"][1]
    assert told["cautions"] == [CHOSEN_ON, f"{CHOSEN_ON}; {BEFORE_REFIT}"]
    told = invoke("compare", "runs/binary-1", refitted.path).stdout
    assert f"of these rows and the second: {CHOSEN_ON}; {BEFORE_REFIT}\n" in told
    assert f"scores others; {BEFORE_REFIT}\n" in invoke("threshold", "--run", refitted.path).stdout


@pytest.mark.usefixtures("workplace")
def test_a_refit_is_told(invoke: Invoke) -> None:
    done = invoke("train", "binary.yaml", *FLAGS, "--progress", "plain")
    assert "anew on all 160 rows\n" in done.stderr
    assert "anew on all 160 rows; validation scores are those from before" in done.stdout
    assert "anew on all 160 rows" in invoke("summary", "runs/binary-1").stdout
    assert "anew on all 160 rows" in invoke("report", "-o", "-").stdout


def test_the_page_of_a_refitted_run_tells_what_its_scores_are_of(
    refitted: Run, invoke: Invoke
) -> None:
    told = invoke("report", "--run", refitted.path, "-o", "-").stdout
    assert f"Of these rows: {CHOSEN_ON}; {BEFORE_REFIT}; those of a test table" in told


def test_init_proposes_it_where_much_is_held_out(workplace: Path, invoke: Invoke) -> None:
    def proposed(*args: object) -> bool | None:
        told = json.loads(invoke("init", *args, "-o", "-", "-q", "--json").stdout)
        value: bool | None = told["settings"].get("training.refit", {}).get("value")
        return value

    assert proposed("binary.csv") is True
    assert proposed("binary.csv", "--validation", "binary-test.csv") is None
    many = [(f"{text} {n}", label) for n in range(200) for text, label in reviews(150)]
    write_csv(workplace / "many.csv", ["text", "label"], many)
    assert proposed("many.csv") is None
