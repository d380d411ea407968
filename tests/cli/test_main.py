"""What people see, and how each command ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from embedclf import __version__
from embedclf.cli.main import main
from tests.conftest import ROOT, Invoke, masked, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.runs.run import Run


def commands(of: click.Group = main, before: str = "") -> Iterator[str]:
    """All commands, those of groups too."""
    for name, command in sorted(of.commands.items()):
        yield f"{before}{name}"
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


COMMANDS = [*commands()]
CLOSED = 124


def embedclf(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "embedclf", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command: str, invoke: Invoke, golden: Callable[[str, str], None]) -> None:
    told = invoke(*command.split(), "--help").stdout
    golden(f"help-{command.replace(' ', '-') or 'embedclf'}.txt", told.replace("main", "embedclf"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_help(command: str) -> None:
    found: click.Command = main
    for name in command.split():
        assert isinstance(found, click.Group)
        found = found.commands[name]
    for parameter in found.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), parameter.name


def test_version(invoke: Invoke) -> None:
    assert invoke("--version").stdout == f"embedclf {__version__}\n"


def test_check(workplace: Path, invoke: Invoke, golden: Callable[[str, str], None]) -> None:
    shown = ""
    for task in ("binary", "multiclass", "multilabel"):
        done = invoke("check", f"{task}.yaml")
        shown += done.stdout.replace(str(workplace), "DATA")
        assert done.stderr == f"{task}.yaml: config and data can be used\n"
        assert invoke("check", f"{task}.yaml", "-q").stderr == ""
    golden("check.txt", shown)
    facts = json.loads(invoke("check", "binary.yaml", "--json").stdout)
    assert facts["data"]["train"]["rows"] + facts["data"]["validation"]["rows"] == 160
    assert facts["data"]["test"]["rows"] == 40
    assert not (workplace / "runs").exists()


def test_skipped_rows_are_told(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "gaps.csv", ["text", "label"], [*reviews(40), ("x", ""), ("y", " ")])
    told = invoke("check", "binary.yaml", "-s", "data.train=gaps.csv", status=1).stderr
    assert "gaps.csv:42, 43: empty label; mend the rows" in told
    shown = invoke(
        "check", "binary.yaml", "-s", "data.train=gaps.csv", "-s", "data.skip_invalid=true"
    ).stdout
    assert "2 skipped: no valid label" in shown


def test_train_tells_what_it_reads_does_and_leaves(
    workplace: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    done = invoke(
        "train", "multiclass.yaml", "--progress", "plain", "-v", "-s", "training.epochs=2"
    )
    golden("train-stdout.txt", masked(done.stdout))
    told = masked(done.stderr.replace(str(workplace), "DATA"))
    told = re.sub(r"device .*", "device ...", told)
    golden("train-stderr.txt", re.sub(r"versions [^\n]*\n[^\n]*\n", "versions ...\n", told))


def test_train_is_silent_on_request_and_in_a_pipe_shows_no_progress(
    workplace: Path, invoke: Invoke
) -> None:
    quiet = invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    assert quiet.stderr == ""
    assert quiet.stdout.splitlines()[-1] == "run: runs/binary-1"
    piped = invoke("train", "binary.yaml", "-s", "training.epochs=1")
    assert "epoch" not in piped.stderr
    assert "rows" in piped.stderr
    none = invoke("train", "binary.yaml", "--progress", "none", "-s", "training.epochs=1")
    assert "epoch" not in none.stderr
    assert len(list((workplace / "runs").iterdir())) == 3


def test_train_tells_programs_everything(workplace: Path, invoke: Invoke) -> None:
    told = json.loads(invoke("train", "multilabel.yaml", "-q", "--json").stdout)
    assert Path(told["run"]).resolve() == workplace / "runs" / "multilabel-1"
    assert told["task"] == "multilabel"
    assert set(told["metrics"]) == {"validation"}
    assert told["metrics"]["validation"]["scores"]["micro_f1"] > 0.5


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_evaluate(
    task: str,
    runs: dict[str, Run],
    project: Path,
    invoke: Invoke,
    golden: Callable[[str, str], None],
) -> None:
    run = runs[task].path
    shown = invoke("evaluate", "--run", run).stdout
    golden(f"evaluate-{task}.txt", masked(shown.replace(str(project), "DATA")))
    told = json.loads(invoke("evaluate", "--run", run, "--json").stdout)
    part = "test" if task == "binary" else "validation"
    assert told["rows"] == runs[task].record["data"][part]["rows"]
    assert told["scores"].items() >= runs[task].metrics()[part]["scores"].items()


def test_evaluate_names_labels_it_does_not_know(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = write_csv(tmp_path / "odd.csv", ["text", "label"], [*reviews(8), ("x", "odd")])
    shown = invoke("evaluate", "--run", runs["binary"].path, "--data", path).stdout
    assert "1 times a label that training never saw, which is always wrong: 'odd' 1" in shown


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_summary_of_a_run(
    task: str,
    runs: dict[str, Run],
    project: Path,
    invoke: Invoke,
    golden: Callable[[str, str], None],
) -> None:
    shown = invoke("summary", runs[task].path).stdout.replace(str(project), "DATA")
    network, learned = shown.split("What was learned")
    learned = re.sub("epochs .*", "epochs ...", masked(learned))
    golden(f"summary-run-{task}.txt", f"{network}What was learned{learned}")
    told = json.loads(invoke("summary", runs[task].path, "--json").stdout)
    assert told["parameters"] == runs[task].record["parameters"]
    assert told["metrics"] == runs[task].metrics()


def test_summary_of_the_classic_config(invoke: Invoke, golden: Callable[[str, str], None]) -> None:
    config = ROOT / "configs" / "reviews.yaml"
    shown = invoke("summary", config).stdout
    golden("summary-config.txt", shown)
    for fact in (
        "(None, 10, 128)",
        "1,280,000",
        "(None, 1280)",
        "(None, 1)",
        "1,281",
        "1,281,281",
        "(32, 10, 128)",
        "78 times narrower",
    ):
        assert fact in shown
    told = json.loads(invoke("summary", config, "--json", "-s", "model.embedding_dim=2").stdout)
    assert told["parameters"] == 10_000 * 2 + 10 * 2 + 1
    assert "run" not in told


def test_summary_takes_overrides_with_a_config_alone(runs: dict[str, Run], invoke: Invoke) -> None:
    told = invoke("summary", runs["binary"].path, "-s", "seed=1", status=2).stderr
    assert "-s goes with a config" in told


def test_runs_and_the_newest_run(
    workplace: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    assert "no runs here" in invoke("runs").stdout
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    invoke("train", "multilabel.yaml", "-q", "-s", "training.epochs=1")
    (workplace / "runs" / "foreign").mkdir()
    (workplace / "runs" / "foreign" / "run.json").write_text("{}")
    done = invoke("runs")
    golden("runs.txt", masked(done.stdout))
    assert done.stderr.startswith("embedclf: runs/foreign/run.json: damaged")
    told = json.loads(invoke("runs", "--json").stdout)
    assert [run["run"] for run in told["runs"]] == ["runs/binary-1", "runs/multilabel-1"]
    assert invoke("predict", "-t", "a").stderr.endswith("run: runs/multilabel-1\n")
    assert invoke("predict", "-t", "a", "-q").stderr == ""


def test_a_damaged_run_is_passed_over_aloud(workplace: Path, invoke: Invoke) -> None:
    for _ in range(2):
        invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    (workplace / "runs" / "binary-2" / "metrics.json").write_text("{}")
    told = invoke("predict", "-t", "a").stderr.splitlines()
    assert told[0].startswith("passed over: runs/binary-2/metrics.json: damaged")
    assert told[1] == "run: runs/binary-1"
    done = invoke("runs")
    assert "binary-1" in done.stdout
    assert "binary-2" in done.stderr


def test_output_is_utf8_whatever_the_locale(project: Path, runs: dict[str, Run]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    for args in (["evaluate"], ["predict", "-t", "😀 –"], ["predict", "-t", "😀", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "embedclf", *args, "--run", str(runs["binary"].path)],
            cwd=project,
            env=environment,
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory by ulimit -v")
def test_too_little_memory_is_one_line(workplace: Path) -> None:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(8000))
    command = "check binary.yaml -s data.train=many.csv -s text.sequence_length=100000"
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -v 2500000; exec {sys.executable} -m embedclf {command}"],
        cwd=workplace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("embedclf: not enough memory: ")
    assert "; lower text.sequence_length" in done.stderr
    assert done.stderr.count("\n") == 1


def test_schema(invoke: Invoke) -> None:
    schema = json.loads(invoke("schema").stdout)
    assert schema["title"] == "embedclf config"
    assert set(schema["properties"]) == {"data", "text", "model", "training", "seed", "tune"}


@pytest.mark.parametrize(
    ("args", "status", "fault"),
    [
        (["foo"], 2, "No such command 'foo'"),
        (["--foo"], 2, "; see `embedclf --help`"),
        (["train"], 2, "Missing argument 'CONFIG'; see `embedclf train --help`"),
        (["train", "no.yaml"], 2, "no.yaml: No such file or directory; name a config file"),
        (["train", "."], 2, ".: Is a directory; name a config file"),
        (["check", "binary.yaml", "-s", "data.train=binary.cvs"], 2, "did you mean binary.csv?"),
        (["train", "binary.yaml", "-s", "data.train=zz/q.csv"], 2, "data.train: zz/q.csv: no such"),
        (["train", "binary.yaml", "--progress", "loud"], 2, "Invalid value for '--progress'"),
        (["evaluate"], 1, "runs: no runs here"),
        (["evaluate", "--run", "binary.csv"], 1, "binary.csv: no such run"),
        (["summary", "no"], 2, "no: no such config or run"),
        (["predict", "x.csv"], 1, "runs: no runs here"),
    ],
)
def test_a_mistake_is_one_line(
    workplace: Path, invoke: Invoke, args: list[str], status: int, fault: str
) -> None:
    before = sorted(workplace.iterdir())
    done = invoke(*args, status=status)
    assert done.stderr.startswith("embedclf: ")
    assert fault in done.stderr.replace("main", "embedclf")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert sorted(workplace.iterdir()) == before


def test_all_faults_of_a_config_are_shown(project: Path, invoke: Invoke) -> None:
    told = invoke(
        "train", project / "binary.yaml", "-s", "seed=x", "-s", "model.dim=3", status=2
    ).stderr
    assert "-s seed=x: seed: must be a whole number" in told
    assert "-s model.dim=3: model.dim: unknown key; did you mean 'embedding_dim'?" in told


def test_a_cpu_training_says_nothing_of_tensorflow_s(workplace: Path) -> None:
    args = ("train", "binary.yaml", "-s", "training.epochs=1")
    done = embedclf(*args, "-q", cwd=workplace)
    assert (done.returncode, done.stderr) == (0, "")
    done = embedclf(*args, cwd=workplace)
    ours = "data read rows labels vocabulary texts tokens device".split()
    assert [line.split()[0] for line in done.stderr.splitlines()] == ours
    done = embedclf(*args, "-q", "--tf-logs", cwd=workplace)
    assert "oneDNN" in done.stderr or "cuda" in done.stderr.lower()


def slow(workplace: Path) -> list[str]:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(4000))
    return [
        sys.executable,
        "-m",
        "embedclf",
        "train",
        "binary.yaml",
        "--progress",
        "plain",
        "-s",
        "data.train=many.csv",
        "-s",
        "training.epochs=5000",
        "-s",
        "training.early_stopping=null",
        "-s",
        "training.learning_rate=1e-5",
    ]


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_keeps_the_best_epoch(workplace: Path) -> None:
    with subprocess.Popen(
        slow(workplace), cwd=workplace, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        while "epoch 2/" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "interrupted by Ctrl-C" in shown
    (run,) = (workplace / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["ended"] == "interrupted"


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_before_the_first_epoch_leaves_nothing(workplace: Path) -> None:
    with subprocess.Popen(
        slow(workplace), cwd=workplace, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        shown, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert shown == ""
    assert told.splitlines()[-1].startswith("embedclf: interrupted")
    assert not (workplace / "runs").exists()


def test_a_kill_leaves_no_half_run(workplace: Path, invoke: Invoke) -> None:
    with subprocess.Popen(
        slow(workplace), cwd=workplace, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        while "epoch 1/" not in process.stderr.readline():
            assert process.poll() is None
        process.kill()
    assert [path for path in (workplace / "runs").iterdir() if path.name[0] != "."] == []
    done = invoke("runs")
    assert "no runs here" in done.stdout
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.usefixtures("runs")
def test_a_full_disk_is_one_line(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        for args in (["predict", "binary.csv"], ["evaluate"], ["runs"], ["schema"], ["--help"]):
            command = [sys.executable, "-m", "embedclf", *args]
            done = subprocess.run(
                command, cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
            assert done.returncode == 1
            last = done.stderr.splitlines()[-1]
            assert last == "embedclf: standard output: No space left on device"


def test_labels_do_nothing_to_a_terminal(workplace: Path, invoke: Invoke) -> None:
    rows = [(text, label.replace("pos", "\x1b[31mpos")) for text, label in reviews(60)]
    write_csv(workplace / "binary.csv", ["text", "label"], rows)
    overrides = ("-s", "data.test=null", "-s", "training.epochs=1")
    trained = invoke("train", "binary.yaml", *overrides)
    for told in (trained.output, invoke("evaluate").output, invoke("predict", "-t", "a").output):
        assert "\x1b" not in told
    assert "\u241b[31mpos" in trained.stderr


@pytest.mark.usefixtures("runs")
def test_a_reader_that_goes_away_is_no_news(project: Path, tmp_path: Path) -> None:
    rows = [(text, "x") for text, _ in reviews(200)] * 500
    table = write_csv(tmp_path / "long.csv", ["text", "x"], rows)
    with subprocess.Popen(
        [sys.executable, "-m", "embedclf", "predict", str(table), "-q"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("text,x,prediction,")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed by the shell")
@pytest.mark.usefixtures("runs")
def test_a_closed_standard_output_is_borne(project: Path) -> None:
    for command in ("runs", "predict binary.csv -q", "evaluate -q"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec {sys.executable} -m embedclf {command} >&-"],
            cwd=project,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), command


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed by the shell")
def test_a_training_goes_on_when_nobody_reads_its_talk(workplace: Path) -> None:
    command = f"{sys.executable} -m embedclf train binary.yaml --progress plain 2>&1 >out.txt"
    subprocess.run(
        ["/bin/sh", "-c", f"{command} | head -1"], cwd=workplace, check=True, capture_output=True
    )
    for _ in range(100):
        if "run: runs/binary-1" in (workplace / "out.txt").read_text():
            break
        signal.sigtimedwait([], 0.1)
    assert (workplace / "runs" / "binary-1" / "run.json").is_file()


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed by the shell")
def test_closed_input_and_error_streams_are_borne(workplace: Path, runs: dict[str, Run]) -> None:
    run = runs["binary"].path
    shell = ["/bin/sh", "-c"]
    command = f"exec {sys.executable} -m embedclf predict - --run {run} <&-"
    done = subprocess.run([*shell, command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "standard input is closed" in done.stderr
    command = f"exec {sys.executable} -m embedclf train binary.yaml 0<&- 1>&- 2>&-"
    subprocess.run([*shell, command], cwd=workplace, check=True)
    (workplace / "runs" / "binary-1").rename(workplace / "elsewhere")
    command = f"exec {sys.executable} -m embedclf train binary.yaml -s training.epochs=1 2>&-"
    done = subprocess.run(
        [*shell, command], cwd=workplace, stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0
    assert "run: runs/binary-1" in done.stdout


def test_tensorflow_stays_quiet_whatever_its_own_switch_says(workplace: Path) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    args = ("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    done = embedclf(*args, cwd=workplace, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_confusion_matrix_that_does_not_fit_is_left_out(workplace: Path, invoke: Invoke) -> None:
    rows = [(f"word{n % 12} text {n}", f"customer_service_{n % 12}") for n in range(240)]
    write_csv(workplace / "wide.csv", ["text", "label"], rows)
    flags = ("-s", "data.train=wide.csv", "-s", "data.test=null", "-s", "training.epochs=1")
    invoke("train", "binary.yaml", "-q", *flags)
    shown = invoke("evaluate").stdout
    assert "true \\ given" not in shown
    assert "customer_service_11" in shown


def test_a_terminal_sees_a_bar(workplace: Path) -> None:
    pty = pytest.importorskip("pty")
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "embedclf", "train", "binary.yaml"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        command, cwd=workplace, stdout=subprocess.DEVNULL, stderr=writer, env=environment
    ) as process:
        os.close(writer)
        told = b""
        while process.poll() is None or told[-1:] != b"":
            try:
                chunk = os.read(reader, 1 << 16)
            except OSError:
                break
            told += chunk
    os.close(reader)
    shown = told.decode()
    assert process.returncode == 0
    assert "rows/s" in shown
    assert "at most" in shown
    assert "val_accuracy" in shown
