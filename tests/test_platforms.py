"""What a system lacks: modules and calls of Linux, address space."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT = """
import mmap
import os
import signal
import sys
import tempfile
for module in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules[module] = None
for owner, names in (
    (os, "O_TMPFILE O_NOFOLLOW O_NONBLOCK sched_getaffinity memfd_create posix_fallocate mkfifo"),
    (signal, "SIGHUP"),
    (mmap, "MADV_DONTNEED"),
):
    for name in names.split():
        if hasattr(owner, name):
            delattr(owner, name)
if hasattr(tempfile, "_O_TMPFILE_WORKS"):
    tempfile._O_TMPFILE_WORKS = False
from embedclf.__main__ import run
run()
"""
"""Runs a command without what Windows or macOS lack."""

LIMITED = """
import resource
import sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop(1)) << 20,) * 2)
from embedclf.__main__ import run
run()
"""
"""Runs a command with so many MB of address space."""


def python(folder: Path, code: str, *args: str, text: str = "") -> subprocess.CompletedProcess[str]:
    # Without locks, processes that have them would sweep what is in use
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(temporary)},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_steps_need_nothing_that_only_linux_has(tmp_path: Path) -> None:
    write_csv(tmp_path / "reviews.csv", ["text", "label"], reviews(60))
    for command in (
        "init reviews.csv -o a.yaml",
        "train a.yaml -s training.epochs=1 -o run -q",
        "predict --run run reviews.csv -o scored.xlsx",
        "predict --run run - --input-format csv -o scored.csv",
    ):
        done = python(tmp_path, WITHOUT, *command.split(), text="text\na lovely hotel\n")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "scored.csv").read_text(encoding="utf-8").count("\n") == 2
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit addresses")
def test_too_little_address_space_is_one_line(tmp_path: Path) -> None:
    write_csv(tmp_path / "reviews.csv", ["text", "label"], reviews(60))
    done = python(tmp_path, LIMITED, "1500", "train", "reviews.csv", "-q")
    assert done.returncode == 1
    assert done.stderr.replace("\n", " ").startswith(
        "embedclf: not enough memory for TensorFlow: the limit is 1,500 MB, and it needs 2,250; "
    )
    done = python(tmp_path, LIMITED, "400", "check", "reviews.csv")
    assert done.returncode == 1
    assert done.stderr == (
        "embedclf: not enough memory: the limit is 400 MB, and it needs 500; raise it: "
        "ulimit -v unlimited\n"
    )
    # Enough for Arrow: its own allocator would reserve 1 GiB of this, and then abort.
    done = python(tmp_path, LIMITED, "1500", "check", "reviews.csv")
    assert done.returncode == 0, done.stderr
