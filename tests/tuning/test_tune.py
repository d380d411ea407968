"""`tune`: the best config gives its score again, nothing is lost, the test is seen once."""

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
from tests.reports.html.test_run_report import Outline

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
def searched(workplace: Path) -> Path:
    """The project, its binary config short and with a space of its own."""
    config = workplace / "binary.yaml"
    text = config.read_text(encoding="utf-8").replace("epochs: 12", "epochs: 3")
    config.write_text(f"# Reviews.\n{text.strip()}\n{SPACE.strip()}\n", encoding="utf-8")
    return workplace


def found(folder: Path, *overrides: str, **options: Any) -> TuningResult:
    path = folder / "binary.yaml"
    limits = Budget(options.pop("trials", 3), options.pop("minutes", None))
    return tune(
        ConfigSource(load_config(path, overrides), path, overrides), limits=limits, **options
    )


def scores_of(run: str) -> dict[str, Any]:
    from pathlib import Path as Place

    return dict(Run.open(Place(run)).metrics()["validation"]["scores"])


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_the_best_config_gives_its_score_again_to_the_last_digit(
    task: str, workplace: Path, invoke: Invoke
) -> None:
    extra = {
        "binary": ("training.calibration=isotonic", "training.threshold=f1"),
        "multiclass": ("training.calibration=temperature",),
        "multilabel": ("training.threshold={recall: 0.8}",),
    }[task]
    overrides = [arg for one in (*extra, "training.epochs=3") for arg in ("-s", one)]
    done = invoke("tune", f"{task}.yaml", *overrides, "--trials", 3, "--json", "-q")
    told = json.loads(done.stdout)
    assert done.stderr == ""
    assert told["trials"]["all"] == 3
    assert told["metrics"]["validation"]["scores"] == told["best"]["scores"]
    assert (
        told["own"]["settings"]["model.pooling"]
        == load_config(workplace / f"{task}.yaml").model.pooling
    )
    invoke("check", told["config"])
    invoke("train", told["config"], "-q", "-o", "again")
    assert scores_of("again") == told["best"]["scores"]
    assert scores_of("again")[told["metric"]] >= told["own"]["scores"][told["metric"]]
    assert (workplace / told["run"]).is_dir()


def test_what_is_told_and_left(
    searched: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    done = invoke("tune", "binary.yaml", "--trials", 4, "--progress", "plain", "-o", "kept")
    golden("tune.txt", masked(re.sub(r"(flatten|max|same)", "word", done.stdout)))
    lines = [line.split()[0] for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert (
        lines == "data read rows labels vocabulary texts tokens device study trial again:".split()
    )
    rows = [line for line in done.stderr.splitlines() if re.match(r" +\d+  ", line)]
    assert [int(row.split()[0]) for row in rows] == [1, 2, 3, 4]
    assert rows[0].endswith("  nothing")
    assert "*" in rows[0]
    kept = searched / "kept"
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
    assert sections == "settings scores history values trials".split()
    assert page.count("<svg") == 4
    assert "mathdefault" not in page


def test_a_search_that_goes_on_loses_nothing_and_looks_at_the_test_once(
    searched: Path,
) -> None:
    (searched / "binary-test.csv").write_text("no,column\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"binary-test\.csv"):
        found(searched, trials=4)
    write_csv(searched / "binary-test.csv", ["text", "label"], reviews(40))
    ended: list[SearchProgress] = []
    told = found(searched, trials=4, on_event=ended.append)
    assert not [one for one in ended if isinstance(one, SearchProgress)]
    assert len({str(one.settings) for one in told.trials}) == 4
    assert told.run is not None
    assert told.run.metrics()["test"]["rows"] == 40
    assert told.tested == 1
    again = found(searched, trials=4)
    assert again.run is not None
    assert again.run.path.samefile(told.run.path)
    assert len(list((searched / "runs").iterdir())) == 1
    whole = found(searched, trials=4, output=searched / "whole")
    assert [(one.settings, one.score) for one in whole.trials] == [
        (one.settings, one.score) for one in told.trials
    ]


def test_a_test_table_that_is_named_later_is_scored(searched: Path) -> None:
    without = found(searched, "data.test=null", trials=2)
    assert without.run is not None
    assert "test" not in without.run.metrics()
    assert without.tested == 0
    told = found(searched, trials=2)
    assert told.run is not None
    assert told.run.metrics()["test"]["rows"]
    assert told.tested == 1
    write_csv(searched / "binary-test.csv", ["text", "label"], reviews(44))
    other = found(searched, trials=2)
    assert other.run is not None
    assert other.run.metrics()["test"]["rows"] == 44
    assert other.tested == 1
    assert len({run.path for run in (without.run, told.run, other.run)}) == 3


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_a_trial_that_is_pruned_ends_the_search(searched: Path) -> None:
    def press(told: Any) -> None:
        if isinstance(told, Epoch):
            signal.raise_signal(signal.SIGINT)
            raise _Pruned

    with pytest.raises(KeyboardInterrupt, match="0 trials are kept"):
        found(searched, trials=4, on_event=press)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(searched: Path) -> None:
    kept: list[TuningResult] = []
    seen: list[Any] = []

    def stop(told: Any) -> None:
        begins = isinstance(told, SearchProgress) and not isinstance(told.trial, Trial)
        if begins and told.finished == 2:
            signal.raise_signal(signal.SIGINT)

    def stop_at_last(told: Any) -> None:
        seen.append(told)
        if isinstance(told, Dataset) and any(isinstance(one, SearchProgress) for one in seen):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"2 trials are kept in .*binary; the same"):
        found(searched, trials=4, on_event=stop, publish=kept.append)
    with pytest.raises(KeyboardInterrupt, match="the same command trains the best config"):
        found(searched, trials=4, on_event=stop_at_last)
    assert [len([one for one in told.trials if one.counts]) for told in kept] == [2]
    assert not (searched / "runs").exists()
    told = found(searched, trials=4)
    assert [one.state for one in told.trials] == [*["complete"] * 2, "given up", *["complete"] * 2]
    assert told.trials[2].settings == told.trials[3].settings


def started(folder: Path, *args: str) -> subprocess.Popen[str]:
    """Another process at work, seen to have finished a trial."""
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
    """What stands in the study's database."""
    study = optuna.load_study(
        study_name=None, storage=f"sqlite:///{folder / 'tunings' / 'binary' / 'study.db'}"
    )
    return {
        one.number + 1: (one.user_attrs["settings"], one.value)
        for one in study.trials
        if one.state.name == "COMPLETE"
    }


def test_a_kill_loses_no_finished_trial_and_two_processes_share_the_work(
    searched: Path,
) -> None:
    with started(searched, "--trials", "500") as killed:
        killed.kill()
    finished = finished_trials(searched)
    assert finished
    with started(searched, "--trials", "8") as other:
        told = found(searched, trials=8, output=searched / "tunings" / "binary")
        other.communicate()
        assert other.returncode == 0
    last = found(searched, trials=8)
    assert (
        finished.items() <= {one.number: (one.settings, one.score) for one in last.trials}.items()
    )
    assert sum(one.counts for one in last.trials) == 8
    assert not [one for one in last.trials if one.state == "running"]
    assert sum(one.state == "given up" for one in last.trials) <= 1
    assert len(list((searched / "runs").iterdir())) == 1
    assert {one.number for one in told.trials} <= {one.number for one in last.trials}


def test_the_study_of_another_table_or_space_is_refused(searched: Path) -> None:
    found(searched, trials=1)
    with pytest.raises(TuningError, match="tunings/binary: holds a study of another config; name"):
        found(searched, "seed=7")
    with pytest.raises(TuningError, match="another search space and metric"):
        found(searched, "tune.model.pooling=[max]", metric="f1")
    write_csv(searched / "binary.csv", ["text", "label"], reviews(80))
    with pytest.raises(TuningError, match="another table; name another folder with -o"):
        found(searched)


RATES = "learning_rate: [1.0e-7, 1.0e-6, 1.0e-5, 1.0e-4, 0.001, 0.002, 0.005, 0.01, 0.02]"


@pytest.mark.parametrize(
    ("space", "pruned"),
    [(f"{{{RATES}}}", True), (f"{{{RATES}, calibration: [none, temperature]}}", False)],
)
def test_trials_are_pruned_by_their_loss_where_all_losses_are_of_a_kind(
    space: str, pruned: bool, searched: Path
) -> None:
    told = found(searched, f"tune={{training: {space}}}", trials=10)
    assert any(one.state == "pruned" for one in told.trials) == pruned


def test_a_metric_is_one_of_the_task_and_its_way_is_known(searched: Path) -> None:
    with pytest.raises(RequestError, match=r"--metric acuracy: .* did you mean accuracy?"):
        found(searched, metric="acuracy")
    with pytest.raises(RequestError, match="is no score of a binary task; there are accuracy, "):
        found(searched, metric="zzz")
    told = found(searched, trials=2, metric="log_loss")
    scores = [one.score for one in told.trials if one.score is not None]
    assert told.best.score == min(scores)
    assert told.lower_is_better
    again = found(searched, trials=2)
    assert again.metric == "log_loss"


def test_a_trial_that_cannot_be_trained_is_told_and_the_search_goes_on(searched: Path) -> None:
    overrides = (
        "tune={training: {learning_rate: [1.0e+30], class_weight: [{nobody: 2}]}}",
        "training.epochs=1",
    )
    told = found(searched, *overrides, trials=50)
    assert len({str(one.settings) for one in told.trials}) == 4
    assert told.best.settings == told.own
    reasons = {one.reason.partition(";")[0] for one in told.trials}
    assert "training.class_weight: no training row has label 'nobody'" in reasons
    assert any("the loss is no longer a number" in reason for reason in reasons)


def test_where_the_config_itself_cannot_be_trained_nothing_is_searched(searched: Path) -> None:
    with pytest.raises(ConfigError, match="no training row has label 'nobody'"):
        found(searched, "training.class_weight={nobody: 2}")
    with pytest.raises(ConfigError, match="no such file"):
        found(searched, "data.test=none.csv")


def test_a_search_without_the_time_for_a_trial_says_so(searched: Path) -> None:
    with pytest.raises(TuningError, match="no trial has come to its end; give it more time"):
        found(searched, trials=None, minutes=1e-9)


def test_without_optuna_one_line_says_how_to_get_it(searched: Path) -> None:
    hidden = (
        "import importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda name, *rest: None if name == 'optuna' else real(name, *rest); "
        "from embedclf.__main__ import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden, "tune", "binary.yaml"],
        cwd=searched,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == (
        "embedclf: tune: Optuna is not installed; pip install 'embedclf[tune]'\n"
    )
    assert done.returncode == 1
