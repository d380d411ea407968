from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedclf.atomic import draft_file, draft_folder, publish_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_takes_its_place_when_all_went_well(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with draft_file(target) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_as_before_when_something_went_wrong(tmp_path: Path) -> None:
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


def test_a_folder_is_published_once(tmp_path: Path) -> None:
    with draft_folder(tmp_path) as first, draft_folder(tmp_path) as second:
        (first / "a").write_text("1")
        assert publish_folder(first, tmp_path / "x")
        assert not publish_folder(second, tmp_path / "x")
    assert (tmp_path / "x" / "a").read_text() == "1"
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path) -> None:
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
