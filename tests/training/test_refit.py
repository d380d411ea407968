"""Refits: after the best epoch is known, a second network is trained on all rows."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset, prepare_refit
from embedclf.errors import RunError
from embedclf.evaluation.scored_rows import score_rows
from embedclf.runs.history import Epoch, RefitStarted, Resumed, Step
from embedclf.runs.labeled_sources import locate_validation_rows
from embedclf.runs.run import Run
from embedclf.runs.seen_tables import REFIT_CAUTION, VALIDATION_CAUTION
from embedclf.training.train import train as train_run
from tests.conftest import GOOD, reviews, unwrapped, write_csv
from tests.training.test_checkpoints import FLAGS as LONG
from tests.training.test_checkpoints import checkpoints, kill_after_a_checkpoint
from tests.training.test_train import weights_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.training.train import TrainEvent
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
    on_event: Callable[[TrainEvent], None] = lambda _: None,
    resume: bool = False,
) -> Run:
    given = ["model.pooling=average", "training.refit=true", *overrides]
    config = load_config(folder / "binary.yaml", given)
    return train_run(config, name="x", on_event=on_event, resume=resume)


def epochs_of(run: Run) -> tuple[Epoch, ...]:
    return run.epochs()


def test_a_refitted_run_was_trained_on_all_rows(refitted: Run) -> None:
    ready = prepare_dataset(refitted.config())
    everything = prepare_refit(ready)
    assert len(everything.train) == len(ready.train) + len(ready.validation) == 160
    assert not len(everything.validation)
    assert refitted.record["refit"] == {"rows": 160}
    assert refitted.record["data"]["train"]["rows"] == len(ready.train)
    assert refitted.classifier().tokenizer.tokens == everything.tokenizer.tokens
    validated = refitted.validated_rows()
    assert validated is not None
    assert validated.tokenizer == ready.tokenizer
    assert validated.labels.names == ready.labels.names
    assert len(everything.tokenizer.tokens) > len(ready.tokenizer.tokens)
    assert refitted.record["vocabulary"] == everything.tokenizer.first_ngram_id
    statistics = refitted.row_statistics()
    assert statistics is not None
    assert np.array_equal(statistics.counts, everything.counts)


def test_oov_tokens_of_test_rows_are_counted_with_the_refitted_vocabulary(workplace: Path) -> None:
    run = train(workplace, "data.test=binary.csv")
    dataset = prepare_dataset(run.config())
    before, after = dataset.test, prepare_refit(dataset).test
    assert before is not None
    assert after is not None
    assert after.unknown < before.unknown
    fraction = run.record["data"]["test"]["share_of_tokens_unknown"]
    assert fraction == after.unknown / after.tokens


@pytest.mark.usefixtures("workplace")
def test_validation_rows_are_scored_as_by_a_run_without_refit(
    refitted: Run, invoke: Invoke
) -> None:
    flags = ("-s", "model.pooling=average", "-s", "data.test=null")
    invoke("train", "binary.yaml", *flags, "-q")
    plain = Run.open(Path("runs/binary-1"))
    validated = refitted.path / "validated"
    assert {file.name for file in validated.iterdir()} == {
        "labels.json",
        "logits.npz",
        "text.json",
        "tokens.arrow",
    }
    for name in ("text.json", "tokens.arrow", "labels.json"):
        assert plain.read(name) == (validated / name).read_bytes()
    scored = [
        score_rows(run, locate_validation_rows(run, run.config())) for run in (plain, refitted)
    ]
    assert [rows.before_refit for rows in scored] == [False, True]
    assert np.array_equal(scored[0].probabilities, scored[1].probabilities)
    assert np.array_equal(scored[0].lengths, scored[1].lengths)
    assert np.array_equal(scored[0].unknown, scored[1].unknown)
    assert plain.metrics() == refitted.metrics()
    assert plain.read("history.csv").count(b"\n") == refitted.read("history.csv").count(b"\n")
    assert plain.validated_rows() is None


def test_a_refit_runs_for_the_best_number_of_epochs(workplace: Path) -> None:
    events: list[TrainEvent] = []
    run = train(workplace, on_event=events.append)
    begun = next(number for number, one in enumerate(events) if isinstance(one, RefitStarted))
    assert events[begun] == RefitStarted(160, run.record["best_epoch"])
    before, after = (
        [event for event in half if isinstance(event, Epoch)]
        for half in (events[:begun], events[begun:])
    )
    assert len(before) == run.record["epochs"]
    assert len(after) == run.record["best_epoch"]
    assert all(np.isnan(one.val_loss) for one in after)
    assert after[-1].loss < after[0].loss


def test_validation_rows_are_scored_by_the_network_that_has_not_seen_them(
    refitted: Run, invoke: Invoke
) -> None:
    evaluation = json.loads(invoke("evaluate", "--run", refitted.path, "--json").stdout)
    measured = refitted.metrics()["validation"]["scores"]
    assert {name: evaluation["scores"][name] for name in measured} == pytest.approx(measured)
    assert "measured before the refit on all rows" in evaluation["caution"]
    assert "144 training rows" in evaluation["baselines"]["tf-idf"]["description"]


def test_other_rows_are_scored_by_the_refitted_network(
    refitted: Run, tmp_path: Path, invoke: Invoke
) -> None:
    write_csv(tmp_path / "others.csv", ["text", "label"], reviews(40)[::-1])
    flags = ("--run", refitted.path, "--json", "--data", tmp_path / "others.csv")
    evaluation = json.loads(invoke("evaluate", *flags).stdout)
    y_prob = refitted.classifier().predict_proba([text for text, _ in reviews(40)])[:, 0]
    y_true = np.array([label == "pos" for _, label in reviews(40)])
    loss = -np.log(np.where(y_true, y_prob, 1 - y_prob)).mean()
    assert evaluation["scores"]["log_loss"] == pytest.approx(float(loss), abs=1e-5)
    assert "160 training rows" in evaluation["baselines"]["tf-idf"]["description"]


def test_test_rows_are_scored_by_the_refitted_network_with_validated_thresholds(
    workplace: Path, invoke: Invoke
) -> None:
    run = train(workplace, "training.threshold=f1", "training.epochs=2")
    decision, metrics = run.threshold_settings(), run.metrics()
    validated = run.validated_rows()
    assert validated is not None
    assert validated.labels.thresholds == tuple(decision["thresholds"])
    y_prob = run.classifier().predict_proba([text for text, _ in reviews(40)])[:, 0]
    y_true = np.array([label == "pos" for _, label in reviews(40)])
    loss = -np.log(np.where(y_true, y_prob, 1 - y_prob)).mean()
    assert metrics["test"]["scores"]["log_loss"] == pytest.approx(float(loss), abs=1e-5)
    invoke("threshold", "--run", run.path, "--metric", "f1", "-q")
    again = Run.open(run.path)
    assert again.threshold_settings() == decision
    for split, scored in again.metrics().items():
        assert scored["scores"] == pytest.approx(metrics[split]["scores"], abs=1e-6)


@pytest.mark.parametrize("calibration", ["temperature", "isotonic"])
def test_both_networks_use_the_calibration_learned_before_the_refit(
    workplace: Path, calibration: str
) -> None:
    run = train(workplace, f"training.calibration={calibration}", "training.epochs=3")
    plain = train(workplace, "training.epochs=3")
    texts = [text for text, _ in reviews(10)]
    calibrated, raw = (each.classifier().predict_proba(texts) for each in (run, plain))
    assert np.abs(calibrated - raw).max() > 1e-3
    before, raw = (
        np.asarray(score_rows(each, locate_validation_rows(each, each.config())).probabilities)
        for each in (run, plain)
    )
    assert np.abs(before - raw).max() > 1e-3
    assert run.record["parity"] <= 1e-5
    assert (run.path / "calibration.json").is_file() == (calibration == "isotonic")


def test_a_full_disk_during_a_refit_keeps_the_validated_network(
    workplace: Path, invoke: Invoke
) -> None:
    def on_event(event: TrainEvent) -> None:
        if isinstance(event, RefitStarted):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run = Run.open(train(workplace, on_event=on_event).path)
    assert not run.refitted
    stdout = invoke("summary", run.path).stdout
    assert "not done: scratch files: No space left on device; kept the network" in stdout


def test_a_damaged_refit_checkpoint_loses_nothing_of_the_first_training(workplace: Path) -> None:
    events: list[TrainEvent] = []

    def on_event(event: TrainEvent) -> None:
        events.append(event)
        if isinstance(event, RefitStarted):
            (first,) = Path("runs").glob(".unfinished-*")
            first.with_name(f"{first.name}-refit").write_bytes(b"nothing")

    run = train(workplace, on_event=on_event, resume=True)
    assert run.refitted
    assert run.record["seconds"]["fit"] >= sum(one.seconds for one in epochs_of(run))
    assert not list(Path("runs").glob(".unfinished-*"))
    assert [one.damaged for one in events if isinstance(one, Resumed)] == [False, True]


def test_ctrl_c_during_a_refit_keeps_the_validated_network(workplace: Path, invoke: Invoke) -> None:
    begun = False

    def on_event(event: TrainEvent) -> None:
        nonlocal begun
        begun = begun or isinstance(event, RefitStarted)
        if begun and isinstance(event, Step) and event.epoch == 2:
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
    stdout = invoke("summary", run.path).stdout
    assert "refit           not done: interrupted by Ctrl-C; kept the network" in stdout
    assert json.loads(invoke("evaluate", "--run", run.path, "--json").stdout)["scores"]


def test_an_interrupted_training_is_not_refitted(workplace: Path) -> None:
    def on_event(event: TrainEvent) -> None:
        assert not isinstance(event, RefitStarted)
        if isinstance(event, Step) and event.epoch == 3:
            raise KeyboardInterrupt

    run = train(workplace, on_event=on_event)
    assert run.record["ended"] == "interrupted"
    assert run.record["refit"] == {"rows": None, "missing": "interrupted"}
    assert "refit" not in run.record["seconds"]
    assert run.interrupted


@pytest.mark.parametrize("change", ["other rows", "no text", "gone"])
def test_a_table_that_changed_during_training_is_not_refitted_on(
    workplace: Path, change: str
) -> None:
    def on_event(event: TrainEvent) -> None:
        if not isinstance(event, Epoch) or event.epoch > 1:
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
        "no text": "a table has changed",
        "gone": "no such file",
    }
    assert why[change] in run.record["refit"]["missing"]
    assert "\n" not in run.record["refit"]["missing"]
    assert not checkpoints(workplace)


def test_a_diverging_refit_keeps_the_validated_network(workplace: Path) -> None:
    """Only the refit learns tokens of validation rows, and only those have enormous vectors."""
    dataset = prepare_dataset(load_config(workplace / "binary.yaml"))
    vectors = [f"{word}{' 0.1' * 8}" for word in GOOD]
    vectors += [f"{day}{' 1e10' * 8}" for day in dataset.validation.rows.positions.tolist()]
    (workplace / "enormous.txt").write_text("\n".join([*vectors, ""]), encoding="utf-8")
    run = train(
        workplace,
        "model.initialization=enormous.txt",
        "model.trainable_embedding=false",
        "model.hidden_units=[4]",
        "training.optimizer=sgd",
    )
    assert not Run.open(run.path).refitted
    missing = run.record["refit"]["missing"]
    assert "epoch 1: the loss is not finite (training nan); lower" in missing


def test_a_killed_refit_resumes_to_the_same_weights(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(200))
    flags = (*LONG, "-s", "training.refit=true", "-s", "model.vectors=own")
    invoke("train", "binary.yaml", *flags, "-o", "unbroken", "-q")
    kill_after_a_checkpoint(workplace, *flags, epochs=0, kind="*-refit")
    done = invoke("train", "binary.yaml", *flags, "-o", "runs/resumed", "--resume")
    assert done.stderr.count("resume          after epoch") == 2
    one, other = (Run.open(workplace / name) for name in ("unbroken", "runs/resumed"))
    assert weights_of(one) == weights_of(other)
    assert one.metrics() == other.metrics()
    assert not checkpoints(workplace)


def test_refit_with_a_validation_table_is_refused(workplace: Path, invoke: Invoke) -> None:
    flags = ("-s", "data.validation=binary-test.csv", "-s", "training.refit=true")
    stderr = invoke("train", "binary.yaml", *flags, status=2).stderr
    assert "training.refit: refit needs validation rows held out from data.train" in stderr
    assert not (workplace / "runs").exists()


def test_damaged_logits_of_validation_rows_are_reported(workplace: Path) -> None:
    run = train(workplace, "training.epochs=1")
    file = run.path / "validated" / "logits.npz"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(RunError, match=r"validated/logits\.npz: damaged"):
        Run.open(run.path)


def test_logits_of_other_validation_rows_are_refused(workplace: Path) -> None:
    run = train(workplace, "training.epochs=1")
    validated = run.validated_rows()
    assert validated is not None
    name = "validation rows of binary.csv"
    positions = validated.positions
    assert len(validated.probabilities(run.classifier(), positions, name)) == len(positions)
    with pytest.raises(RunError, match="not the rows that the run was validated on"):
        validated.probabilities(run.classifier(), positions + 1, name)


def test_mistakes_of_validation_rows_have_their_probability_before_the_refit(
    workplace: Path, invoke: Invoke
) -> None:
    # Hardly trained, so that there are mistakes
    settings = ("data.test=null", "training.epochs=1", "training.learning_rate=0.0001")
    run = train(workplace, *settings)
    evaluation = json.loads(invoke("evaluate", "--run", run.path, "--no-baseline", "--json").stdout)
    scored = score_rows(run, locate_validation_rows(run, run.config()))
    by_label = scored.classifier.labels.label_probabilities(np.asarray(scored.probabilities))
    known = {round(float(p), 6) for p in by_label.max(axis=1)}
    assert evaluation["mistakes"]
    for mistake in evaluation["mistakes"]:
        assert mistake["predicted"] == [mistake["label"]]
        assert round(mistake["probability"], 6) in known


@pytest.mark.usefixtures("workplace")
def test_a_refitted_run_is_compared_by_its_validated_network(
    refitted: Run, project: Path, invoke: Invoke
) -> None:
    flags = ("-s", "model.pooling=average", "-s", "data.test=null", "-q")
    invoke("train", project / "binary.yaml", *flags)
    done = invoke("compare", "runs/binary-1", refitted.path, "--json")
    comparison = json.loads(done.stdout)
    assert comparison["fixed"] == comparison["broken"] == 0
    assert comparison["scores"][0] == comparison["scores"][1]
    assert comparison["cautions"] == [VALIDATION_CAUTION, f"{VALIDATION_CAUTION}; {REFIT_CAUTION}"]
    stdout = unwrapped(invoke("compare", "runs/binary-1", refitted.path).stdout)
    assert f"caution second run: {VALIDATION_CAUTION}; {REFIT_CAUTION} " in stdout
    stdout = unwrapped(invoke("threshold", "--run", refitted.path).stdout)
    assert stdout.endswith(f"chose the threshold; {REFIT_CAUTION}")


@pytest.mark.usefixtures("workplace")
def test_train_summary_and_report_mention_the_refit(invoke: Invoke) -> None:
    done = invoke("train", "binary.yaml", *FLAGS, "--progress", "plain")
    assert re.search(r"refit +\d+ epochs? on all 160 rows\n", done.stderr)
    refit = r"refit +on all 160 rows for \d+ epochs? in \S+; validation scores are from before the"
    assert re.search(refit, done.stdout)
    assert re.search(refit, invoke("summary", "runs/binary-1").stdout)
    assert "on all 160 rows" in invoke("report", "-o", "-").stdout


def test_the_report_of_a_refitted_run_says_which_network_its_scores_are_of(
    refitted: Run, invoke: Invoke
) -> None:
    stdout = invoke("report", "--run", refitted.path, "-o", "-").stdout
    assert f"{VALIDATION_CAUTION}; {REFIT_CAUTION}"[1:] in stdout  # its first letter is a capital


def test_init_proposes_a_refit_if_many_rows_are_held_out(workplace: Path, invoke: Invoke) -> None:
    def proposed(*args: object) -> bool:
        proposal = json.loads(invoke("init", *args, "-o", "-", "-q", "--json").stdout)
        value: bool = proposal["settings"]["training.refit"]["value"]
        return value

    assert proposed("binary.csv") is True
    assert proposed("binary.csv", "--validation", "binary-test.csv") is False
    many = [(f"{text} {n}", label) for n in range(200) for text, label in reviews(150)]
    write_csv(workplace / "many.csv", ["text", "label"], many)
    assert proposed("many.csv") is False
