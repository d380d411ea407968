"""Names that are not UTF-8, and links in a circle: a command works, or ends with one line."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from embedclf.cli.main import main
from tests.conftest import write_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")

BAD = os.fsdecode(b"caf\xe9")
COMMANDS = [
    *("init", "check", "summary", "suspects", "train", "predict", "explain --file"),
    *("suggest", "evaluate --data", "compare . . --data", "predict t.csv -o", "report -o"),
    *("init t.csv -o", "threshold", "embeddings map -o", "predict -t a --run", "check t.csv -s"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, runs: dict[str, Run]) -> Iterator[Path]:
    """A folder with a table, a run, and such names; the working directory."""
    folder, before = tmp_path_factory.mktemp("paths"), Path.cwd()
    write_project(folder)
    shutil.copy(folder / "binary.csv", folder / "t.csv")
    os.chdir(folder)
    for name in (f"{BAD}.csv", f"{BAD}/t.csv", f"mixed/{BAD}.csv", f"texts/{BAD}/1.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("t.csv", name)
    Path("texts/pos").mkdir()
    Path("texts/pos/1.txt").write_text("good")
    Path("loop.csv").symlink_to("loop.csv")
    Path("nothing.csv").symlink_to("no.csv")
    os.environ["EMBEDCLF_RUN"] = str(runs["binary"].path)
    yield folder
    del os.environ["EMBEDCLF_RUN"]
    os.chdir(before)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", [f"{BAD}.csv", BAD, "mixed", "texts", "loop.csv", "nothing.csv"])
def test_a_command_works_or_ends_with_one_line(name: str) -> None:
    for command in COMMANDS:
        words = [*command.split(), "data.train=" * command.endswith("-s") + name]
        done = CliRunner().invoke(main, [*words, "-q"])
        assert isinstance(done.exception, SystemExit | None), (words, done.exception)
        assert done.exit_code in {0, 1, 2}, (words, done.output)
        if done.exit_code:
            faults = [line for line in done.stderr.splitlines() if not line.startswith("run: ")]
            assert len(faults) == 1, (words, done.stderr)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("args", "status", "fault"),
    [
        (("check", f"{BAD}.csv"), 1, "caf\\xe9.csv: the name is not UTF-8; rename the file"),
        (("predict", f"{BAD}.csv"), 1, "caf\\xe9.csv: the name is not UTF-8; rename the file"),
        (("check", "texts"), 1, "texts/caf\\xe9/1.txt: the name is not UTF-8"),
        (("check", "t.csv", "-s", f"data.test={BAD}.csv"), 2, ": not UTF-8: byte 0xe9; write it"),
        (("check", "t.csv", "-s", 'data.test="a\\0"'), 2, "a backslash in double quotes is an"),
        (("predict", "t.csv", "-o", "loop.csv"), 1, "loop.csv: cannot be written: Too many levels"),
        (("check", "loop.csv"), 1, "loop.csv: a link to nothing; correct it"),
        (("train", "t.csv", "--tensorboard", BAD), 1, "caf\\xe9: the name is not UTF-8; rename"),
    ],
)
def test_the_line_says_what_to_do(
    invoke: Invoke, args: tuple[str, ...], status: int, fault: str
) -> None:
    assert fault in invoke(*args, "-q", status=status).stderr


def test_an_output_may_have_any_name(folder: Path, invoke: Invoke) -> None:
    invoke("predict", "t.csv", "-q", "-o", f"{BAD}-out.csv")
    assert (folder / f"{BAD}-out.csv").read_bytes()
    assert json.loads(invoke("summary", "--json").stdout)
