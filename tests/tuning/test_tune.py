"""`tune`: the best config reproduces its score, no trial is lost, the test table is read once."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import optuna
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import Dataset
from embedclf.errors import ConfigError, DataError, RequestError, TuningError
from embedclf.runs.history import Epoch
from embedclf.runs.run import Run
from embedclf.tuning.search import SearchProgress, _Pruned
from embedclf.tuning.space import Trial
from embedclf.tuning.tune import Budget, ConfigSource, tune
from tests.conftest import masked, reviews, write_csv
from tests.reports.html.pages import Outline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.tuning.tune import TuningResult
    from tests.conftest import Invoke

SPACE = """
tune:
  model: {pooling: [flatten, max], embedding_dim: [4, 8]}
  training: {learning_rate: {low: 0.001, high: 0.1, log: true}}
"""


@pytest.fixture
def project(workplace: Path) -> Path:
    """The workplace, whose binary config trains briefly and has a search space."""
    config = workplace / "binary.yaml"
    text = config.read_text(encoding="utf-8").replace("epochs: 12", "epochs: 3")
    config.write_text(f"# Reviews.\n{text.strip()}\n{SPACE.strip()}\n", encoding="utf-8")
    return workplace


def search(folder: Path, *overrides: str, **options: Any) -> TuningResult:
    path = folder / "binary.yaml"
    budget = Budget(options.pop("trials", 3), options.pop("minutes", None))
    source = ConfigSource(load_config(path, overrides), str(path), overrides)
    return tune(source, budget=budget, **options)


def scores_of(run: Path) -> dict[str, Any]:
    return dict(Run.open(run).metrics()["validation"]["scores"])


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_the_best_config_reproduces_its_score_to_the_last_digit(
    task: str, workplace: Path, invoke: Invoke
) -> None:
    extra = {
        "binary": ("training.calibration=isotonic", "training.threshold=f1"),
        "multiclass": ("training.calibration=temperature",),
        "multilabel": ("training.threshold={recall: 0.8}",),
    }[task]
    overrides = [arg for override in (*extra, "training.epochs=3") for arg in ("-s", override)]
    done = invoke("tune", f"{task}.yaml", *overrides, "--trials", 3, "--json", "-q")
    printed = json.loads(done.stdout)
    assert done.stderr == ""
    assert printed["trials"]["all"] == 3
    assert printed["metrics"]["validation"]["scores"] == printed["best"]["scores"]
    assert (
        printed["own"]["settings"]["model.pooling"]
        == load_config(workplace / f"{task}.yaml").model.pooling
    )
    invoke("check", printed["config"])
    invoke("train", printed["config"], "-q", "-o", "again")
    assert scores_of(workplace / "again") == printed["best"]["scores"]
    assert (
        scores_of(workplace / "again")[printed["metric"]]
        >= printed["own"]["scores"][printed["metric"]]
    )
    own, best = (printed[key]["scores"][printed["metric"]] for key in ("own", "best"))
    assert printed["improved"] is (best > own)
    assert (workplace / printed["run"]).is_dir()


def test_the_output_and_the_files_of_a_search(
    project: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    done = invoke("tune", "binary.yaml", "--trials", 4, "--progress", "plain", "-o", "kept")
    golden("tune.txt", masked(re.sub(r"(?<=  )(flatten|max|same)\b", "word", done.stdout)))
    lines = [line.split()[0] for line in done.stderr.splitlines() if not line.startswith(" ")]
    facts = "data format rows labels vocabulary truncated OOV device study trial train"
    assert [line for line in lines if line in facts.split()] == facts.split()
    phases = [line for line in done.stderr.splitlines() if line.endswith(("Optuna", "report"))]
    assert phases == ["importing Optuna", "drawing the report"]
    rows = [line for line in done.stderr.splitlines() if re.match(r" +\d+  ", line)]
    assert [int(row.split()[0]) for row in rows] == [1, 2, 3, 4]
    assert rows[0].endswith("  none")
    assert "*" in rows[0]
    kept = project / "kept"
    assert sorted(file.name for file in kept.iterdir() if not file.name.startswith(".")) == [
        *("best.yaml", "report.html", "study.db", "trials.csv")
    ]
    assert "# Reviews." in (kept / "best.yaml").read_text(encoding="utf-8")
    with (kept / "trials.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["trial"] for row in table] == list("1234")
    assert table[0]["training.learning_rate"] == "0.05"
    page = (kept / "report.html").read_text(encoding="utf-8")
    sections = [tag["id"] for tag in Outline(page).all("section")]
    assert sections == "settings scores history slices trials".split()
    assert page.count("<svg") == 4
    assert "mathdefault" not in page


def test_a_resumed_search_loses_no_trial_and_reads_the_test_table_once(
    project: Path,
) -> None:
    (project / "binary-test.csv").write_text("no,column\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"binary-test\.csv"):
        search(project, trials=4)
    write_csv(project / "binary-test.csv", ["text", "label"], reviews(40))
    events: list[Any] = []
    result = search(project, trials=4, on_event=events.append)
    assert not [event for event in events if isinstance(event, SearchProgress)]
    assert len({str(trial.settings) for trial in result.trials}) == 4
    assert result.run is not None
    assert result.run.metrics()["test"]["rows"] == 40
    assert result.test_runs == 1
    again = search(project, trials=4)
    assert again.run is not None
    assert again.run.path.samefile(result.run.path)
    assert len(list((project / "runs").iterdir())) == 1
    whole = search(project, trials=4, output=project / "whole")
    assert [(trial.settings, trial.score) for trial in whole.trials] == [
        (trial.settings, trial.score) for trial in result.trials
    ]


def test_a_test_table_that_is_added_later_is_scored(project: Path) -> None:
    without = search(project, "data.test=null", trials=2)
    assert without.run is not None
    assert "test" not in without.run.metrics()
    assert without.test_runs == 0
    result = search(project, trials=2)
    assert result.run is not None
    assert result.run.metrics()["test"]["rows"]
    assert result.test_runs == 1
    write_csv(project / "binary-test.csv", ["text", "label"], reviews(44))
    other = search(project, trials=2)
    assert other.run is not None
    assert other.run.metrics()["test"]["rows"] == 44
    assert other.test_runs == 1
    assert len({run.path for run in (without.run, result.run, other.run)}) == 3


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_a_pruned_trial_ends_the_search(project: Path) -> None:
    def press(event: Any) -> None:
        if isinstance(event, Epoch):
            signal.raise_signal(signal.SIGINT)
            raise _Pruned

    with pytest.raises(KeyboardInterrupt, match="0 trials saved in"):
        search(project, trials=4, on_event=press)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_keeps_finished_trials_and_says_how_to_resume(project: Path) -> None:
    written: list[TuningResult] = []
    seen: list[Any] = []

    def stop(event: Any) -> None:
        starts = isinstance(event, SearchProgress) and not isinstance(event.trial, Trial)
        if starts and event.finished_trials == 2:
            signal.raise_signal(signal.SIGINT)

    def stop_in_last_training(event: Any) -> None:
        seen.append(event)
        if isinstance(event, Dataset) and any(
            isinstance(earlier, SearchProgress) for earlier in seen
        ):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"2 trials saved in .*binary; run the same"):
        search(project, trials=4, on_event=stop, on_result=written.append)
    with pytest.raises(KeyboardInterrupt, match="run the same command to train the best config"):
        search(project, trials=4, on_event=stop_in_last_training)
    assert [sum(trial.is_finished for trial in result.trials) for result in written] == [2]
    assert not (project / "runs").exists()
    result = search(project, trials=4)
    assert [trial.state for trial in result.trials] == [
        *["complete"] * 2,
        "given up",
        *["complete"] * 2,
    ]
    assert result.trials[2].settings == result.trials[3].settings


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    """Start another process and wait until it has finished a trial."""
    command = [
        sys.executable,
        "-m",
        "embedclf",
        "tune",
        "binary.yaml",
        "--progress",
        "plain",
        *args,
    ]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while not re.match(r" +\d+  ", line := process.stderr.readline()):
        assert line, process.wait()
    return process


def finished_trials(folder: Path) -> dict[int, tuple[Any, Any]]:
    """Settings and score of each complete trial in the study's database."""
    study = optuna.load_study(
        study_name=None, storage=f"sqlite:///{folder / 'tunings' / 'binary' / 'study.db'}"
    )
    return {
        trial.number + 1: (trial.user_attrs["settings"], trial.value)
        for trial in study.trials
        if trial.state.name == "COMPLETE"
    }


def test_a_kill_loses_no_finished_trial_and_two_processes_share_the_work(
    project: Path,
) -> None:
    with start(project, "--trials", "500") as killed:
        killed.kill()
    finished = finished_trials(project)
    assert finished
    with start(project, "--trials", "8") as other:
        result = search(project, trials=8, output=project / "tunings" / "binary")
        other.communicate()
        assert other.returncode == 0
    last = search(project, trials=8)
    assert (
        finished.items()
        <= {trial.number: (trial.settings, trial.score) for trial in last.trials}.items()
    )
    assert sum(trial.is_finished for trial in last.trials) == 8
    assert not [trial for trial in last.trials if trial.state == "running"]
    assert sum(trial.state == "given up" for trial in last.trials) <= 1
    assert len(list((project / "runs").iterdir())) == 1
    assert {trial.number for trial in result.trials} <= {trial.number for trial in last.trials}


def test_the_study_of_another_table_or_space_is_refused(project: Path) -> None:
    search(project, trials=1)
    with pytest.raises(TuningError, match="tunings/binary: this study has another config; name"):
        search(project, "seed=7")
    with pytest.raises(TuningError, match="another search space and metric"):
        search(project, "tune.model.pooling=[max]", metric="f1")
    write_csv(project / "binary.csv", ["text", "label"], reviews(80))
    with pytest.raises(TuningError, match="another table; name another folder with -o"):
        search(project)


RATES = "learning_rate: [1.0e-7, 1.0e-6, 1.0e-5, 1.0e-4, 0.001, 0.002, 0.005, 0.01, 0.02]"


@pytest.mark.parametrize(
    ("space", "pruned"),
    [(f"{{{RATES}}}", True), (f"{{{RATES}, calibration: [none, temperature]}}", False)],
)
def test_trials_are_pruned_by_their_loss_if_all_losses_are_comparable(
    space: str, pruned: bool, project: Path
) -> None:
    result = search(project, f"tune={{training: {space}}}", trials=10)
    assert any(trial.state == "pruned" for trial in result.trials) == pruned


def test_a_metric_belongs_to_the_task_and_has_a_direction(project: Path) -> None:
    with pytest.raises(RequestError, match=r"--metric acuracy: .* did you mean accuracy?"):
        search(project, metric="acuracy")
    with pytest.raises(RequestError, match="not a metric of binary tasks; choose one of accuracy"):
        search(project, metric="zzz")
    result = search(project, trials=2, metric="log_loss")
    own, best = result.baseline_trial, result.best.score
    assert own is not None
    assert own.score is not None
    assert best is not None
    assert result.gain == own.score - best >= 0  # a lower loss is a gain
    scores = [trial.score for trial in result.trials if trial.score is not None]
    assert result.best.score == min(scores)
    assert result.lower_is_better
    again = search(project, trials=2)
    assert again.metric == "log_loss"


def test_a_trial_that_cannot_be_trained_is_reported_and_the_search_continues(project: Path) -> None:
    overrides = (
        "tune={training: {learning_rate: [1.0e+30], class_weight: [{nobody: 2}]}}",
        "training.epochs=1",
    )
    result = search(project, *overrides, trials=50)
    assert len({str(trial.settings) for trial in result.trials}) == 4
    assert result.best.settings == result.baseline
    reasons = {trial.reason.partition(";")[0] for trial in result.trials}
    assert "training.class_weight: no training row has label 'nobody'" in reasons
    assert any("the loss is not finite" in reason for reason in reasons)


def test_a_config_that_cannot_be_trained_is_an_error(project: Path) -> None:
    with pytest.raises(ConfigError, match="no training row has label 'nobody'"):
        search(project, "training.class_weight={nobody: 2}")
    with pytest.raises(ConfigError, match="no such file"):
        search(project, "data.test=none.csv")


def test_a_search_without_time_for_a_trial_says_so(project: Path) -> None:
    with pytest.raises(TuningError, match="no trial is complete; allow more time"):
        search(project, trials=None, minutes=1e-9)


def test_without_optuna_one_line_says_how_to_install_it(project: Path) -> None:
    hidden = (
        "import importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda name, *rest: None if name == 'optuna' else real(name, *rest); "
        "from embedclf.__main__ import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden, "tune", "binary.yaml"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == (
        "embedclf: tune needs optuna, which is not installed: pip install 'embedclf[tune]'\n"
    )
    assert done.returncode == 1
