"""The container image: what its file installs, in an environment of its own, and its size."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT, unwrapped
from tests.serving.test_server import serving

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.runs.run import Run

FOLDER = ROOT / "docs" / "container"
FILE = FOLDER / "Containerfile"
LOCK = FOLDER / "requirements.lock"
BASE_SIZE = 126.25
"""MB of python:3.13-slim on disk: github.com/docker-library/repo-info, 2026-09-01."""
MAX_SIZE = 350
"""MB that an image may have."""
TEXTS = ["a lovely hotel", "rude, dirty and slow", "", "日本 🏨 <b>"]

if not FILE.exists():
    pytest.skip("no Containerfile beside the tests", allow_module_level=True)


def instructions(name: str) -> list[str]:
    """The arguments of each instruction of that name, its lines joined."""
    joined = re.sub(r"\\\n\s*", "", FILE.read_text(encoding="utf-8"))
    return re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the file makes, with this Python."""
    folder = tmp_path_factory.mktemp("image") / "embedclf"
    python = f'"{sys.executable}"'
    for line in instructions("RUN"):
        command = re.sub(r"^python ", f"{python} ", re.sub(r"^pip ", "python -m pip ", line))
        command = command.replace("/opt/embedclf", str(folder)).replace("/src", str(ROOT))
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, check=False
        )
        if "NewConnectionError" in done.stderr or "NameResolutionError" in done.stderr:
            pytest.skip("packages cannot be downloaded")
        assert done.returncode == 0, (command, done.stderr)
    return folder


def printed(python: Path | str, *arguments: object, status: int = 0) -> tuple[bytes, str]:
    """What a command prints on standard output and standard error."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), "-m", "embedclf", *map(str, arguments)],
        capture_output=True,
        check=False,
        env=variables,
    )
    assert done.returncode == status, done.stderr
    return done.stdout, unwrapped(done.stderr.decode())


def text_options() -> Sequence[str]:
    return [argument for text in TEXTS for argument in ("-t", text)]


def test_the_group_of_the_image_is_a_part_of_the_dependencies() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    project = values["project"]
    all_of_them = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    known = {re.split(r"[\[<>=;]", each)[0] for each in all_of_them} | {"httptools"}
    assert set(values["dependency-groups"]["runtime"]) <= known


def test_the_image_has_the_versions_that_the_tests_have() -> None:
    pins = {
        line.removesuffix(" \\").strip()
        for line in LOCK.read_text(encoding="utf-8").splitlines()
        if re.match("[a-z0-9]", line)
    }
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert pins <= set(constraints)
    assert "://" not in LOCK.read_text(encoding="utf-8")  # no registry is named
    assert {pin.partition("==")[0] for pin in pins}.isdisjoint({"tensorflow", "keras", "scipy"})


@pytest.mark.image
def test_an_image_is_small(environment: Path) -> None:
    files = [file for file in environment.rglob("*") if file.is_file() and not file.is_symlink()]
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{size:.1f} MB in the environment, {size + BASE_SIZE:.1f} MB in the image")  # noqa: T201
    assert size + BASE_SIZE <= MAX_SIZE


@pytest.mark.image
@pytest.mark.parametrize(
    ("task", "ending"), [("binary", ".csv"), ("multiclass", ".jsonl"), ("multilabel", ".parquet")]
)
def test_an_image_predicts_tables_as_a_full_installation(
    task: str, ending: str, environment: Path, runs: dict[str, Run], project: Path, tmp_path: Path
) -> None:
    table, files = project / f"{task}.csv", []
    for place, python in (("image", environment / "bin" / "python"), ("full", sys.executable)):
        first = tmp_path / f"{place}{ending}"
        again = tmp_path / f"{place}-again{ending}"
        options = ["--run", runs[task].path, "--all-probabilities"]
        printed(python, "predict", table, "-o", first, *options)
        printed(python, "predict", first, "-o", again, "--prefix", "second_", *options)
        files.append(again.read_bytes())
    assert files[0] == files[1]


@pytest.mark.image
@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "--json"),
        ("predict",),
        ("explain", "--json"),
        ("explain", "--html", "-"),
    ],
    ids=" ".join,
)
def test_an_image_answers_texts_as_a_full_installation(
    arguments: Sequence[str], environment: Path, runs: dict[str, Run]
) -> None:
    command = [*arguments, *text_options(), "--run", runs["binary"].path]
    image = printed(environment / "bin" / "python", *command)
    assert image == printed(sys.executable, *command)


@pytest.mark.image
def test_a_program_in_an_image_gets_the_probabilities_of_a_full_installation(
    environment: Path, runs: dict[str, Run]
) -> None:
    program = (
        "import sys, embedclf; run = embedclf.load(sys.argv[1]);"
        "sys.stdout.write(run.predict_proba(sys.argv[2:]).tobytes().hex())"
    )
    answers = {
        subprocess.run(
            [str(python), "-c", program, str(runs["multilabel"].path), *TEXTS],
            capture_output=True,
            check=True,
        ).stdout
        for python in (environment / "bin" / "python", sys.executable)
    }
    assert len(answers) == 1
    assert answers != {b""}


@pytest.mark.image
def test_an_image_serves_is_healthy_and_ends_with_sigterm(
    environment: Path, runs: dict[str, Run]
) -> None:
    python = environment / "bin" / "python"
    [health] = instructions("HEALTHCHECK")
    _, *check = json.loads(health.partition("CMD ")[2])
    body = json.dumps({"texts": TEXTS, "explain": True}).encode()
    answers = []
    for program in (str(python), sys.executable):
        with serving(runs["binary"].path, python=program) as service:
            with urllib.request.urlopen(service.url + "predict", body, timeout=60) as answer:  # noqa: S310
                answers.append(answer.read())
            port = str(service.address[1])
            healthy = [str(python), *(part.replace("8000", port) for part in check)]
            assert subprocess.run(healthy, check=False).returncode == 0
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(timeout=30) == 0
            assert subprocess.run(healthy, capture_output=True, check=False).returncode == 1
    assert answers[0] == answers[1]


@pytest.mark.image
@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("train {table}", "tensorflow"),
        ("tune {table}", "tensorflow"),
        ("suspects {table}", "tensorflow"),
        ("summary {run}", "tensorflow"),
        ("evaluate {run} --data {table}", "scipy"),
        ("report {run}", "scipy"),
        ("compare {run} {run}", "scipy"),
        ("embeddings map --run {run}", "matplotlib"),
        (f"predict -t good --run {ROOT / 'tests/formats/7/binary-average'}", "h5py"),
    ],
)
def test_a_command_that_needs_more_names_the_package_in_one_line(
    command: str, package: str, environment: Path, runs: dict[str, Run], project: Path
) -> None:
    arguments = command.format(run=runs["binary"].path, table=project / "binary.csv").split()
    output, message = printed(environment / "bin" / "python", *arguments, status=1)
    name = arguments[0]
    expected = f"embedclf: {name} needs {package}, which is not installed: pip install embedclf"
    assert message == expected
    assert output == b""
