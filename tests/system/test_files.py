"""Files and directories are complete or absent."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from embedclf.errors import DataError
from embedclf.system.files import map_file
from embedclf.system.publishing.drafts import (
    create_text,
    draft_directory,
    draft_file,
    publish_directory,
)


def test_a_draft_replaces_its_target_when_the_block_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with draft_file(target) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_unchanged_when_the_block_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with draft_file(target) as file:
            file.write(b"new")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


LEFT = """
import os, signal, sys
from pathlib import Path
from embedclf.system.publishing.drafts import draft_directory, draft_file
folder = Path(sys.argv[1])
with draft_directory(folder) as draft, draft_file(folder / "a.txt") as file:
    (draft / "part").write_text("half")
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of directories")
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEFT, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / ".draft-notes").mkdir()  # of somebody else
    with draft_directory(tmp_path) as draft:
        assert draft.is_dir()
        with draft_directory(tmp_path), draft_file(tmp_path / "a.txt") as file:
            file.write(b"whole")
        assert draft.is_dir()
    (tmp_path / ".b.txt.0123456789abcdef").write_text("half", encoding="utf-8")
    create_text(tmp_path / "b.txt", "whole")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.txt", "b.txt", ".draft-notes"}
    assert (tmp_path / "a.txt").read_bytes() == b"whole"


def test_a_folder_is_published_once(tmp_path: Path) -> None:
    with draft_directory(tmp_path) as first, draft_directory(tmp_path) as second:
        (first / "a").write_text("1")
        assert publish_directory(first, tmp_path / "x")
        assert not publish_directory(second, tmp_path / "x")
    assert (tmp_path / "x" / "a").read_text() == "1"
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    target.chmod(0o600)
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    with draft_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"\0", b"a" * 10_000])
def test_a_file_is_mapped_with_a_state_that_another_content_changes(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "a"
    file.write_bytes(content)
    mapped, state = map_file(file)
    assert bytes(mapped) == content
    assert map_file(file)[1] == state
    file.write_bytes(content + b"b")
    assert map_file(file)[1] != state


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    create_text(target, "first\n")
    with pytest.raises(DataError, match=r"a\.txt: already exists; name another file, or move it"):
        create_text(target, "second\n")
    assert target.read_text() == "first\n"
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="already exists"):
        create_text(link, "third\n")
    assert sorted(tmp_path.iterdir()) == [target, link]


def test_a_text_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        create_text(tmp_path / "a.txt", "half a pair: \ud800")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="cannot be written: No such file or directory"):
        create_text(tmp_path / "none" / "a.txt", "text")
    with pytest.raises(DataError, match="cannot be written: No space left"):
        create_text(Path("/dev/full"), "text")


def test_one_of_many_simultaneous_writers_succeeds(tmp_path: Path) -> None:
    def make(number: int) -> bool:
        try:
            create_text(tmp_path / "a.txt", f"{number}\n")
        except DataError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(40)))
    assert made.count(True) == 1
    assert (tmp_path / "a.txt").read_text() == f"{made.index(True)}\n"
