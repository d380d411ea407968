"""A run on disk: whole or absent, and refused by name where it is not what it should be."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from embedclf.errors import RunError
from embedclf.runs import run as room
from embedclf.runs.run import Run, find_runs, open_newest
from embedclf.runs.writer import draft_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that may be spoiled, in the working directory's ./runs."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(runs["binary"].path, tmp_path / "runs" / "binary-1")


FILES = [
    "config.yaml",
    "model.keras",
    "text.json",
    "labels.json",
    "history.csv",
    "metrics.json",
    "run.json",
    "rows.npz",
]


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_in_any_file_is_refused_by_name(copy: Path, name: str) -> None:
    file = copy / name
    content = bytearray(file.read_bytes())
    for place in (0, len(content) // 2, len(content) - 3):
        spoiled = bytearray(content)
        spoiled[place] ^= 1
        file.write_bytes(bytes(spoiled))
        with pytest.raises(RunError) as caught:
            Run.open(copy)
        assert name in str(caught.value) or "format" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(RunError, match=name):
        Run.open(copy)


def test_a_newer_run_and_a_foreign_folder_are_refused(copy: Path) -> None:
    record = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**record, "format": 99}))
    with pytest.raises(RunError, match="a run of format 99, this embedclf reads 1"):
        Run.open(copy)
    (copy / "run.json").write_text("[]")
    with pytest.raises(RunError, match="damaged, or not embedclf's"):
        Run.open(copy)
    with pytest.raises(RunError, match=r"not a run: it has no run\.json"):
        Run.open(copy.parent)
    with pytest.raises(RunError, match="no such run"):
        Run.open(copy / "nope")


def test_the_newest_run_is_the_default_and_unreadable_ones_are_told(copy: Path) -> None:
    newer = shutil.copytree(copy, copy.parent / "another-1")
    record = json.loads((newer / "run.json").read_text())
    del record["checksum"]
    record["created"] = "2999-01-01T00:00:00.000+00:00"
    record["checksum"] = room._checksum(record)
    (newer / "run.json").write_text(json.dumps(record))
    (copy.parent / "foreign").mkdir()
    (copy.parent / "foreign" / "run.json").write_text("{}")
    shutil.copytree(copy, copy.parent / ".draft-x")
    found, faults = find_runs()
    assert [run.path.name for run in found] == ["binary-1", "another-1"]
    assert len(faults) == 1
    run, passed_over = open_newest()
    assert run.path.name == "another-1"
    assert len(passed_over) == 1
    (newer / "metrics.json").write_text("{}")
    run, passed_over = open_newest()
    assert run.path.name == "binary-1"
    assert "another-1/metrics.json: damaged" in str(passed_over[0])
    (copy / "model.keras").write_bytes(b"")
    with pytest.raises(RunError, match=r"binary-1/model\.keras: damaged"):
        open_newest()


def test_no_runs_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="no runs here; `embedclf train` makes one"):
        open_newest()
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="damaged, or not embedclf's"):
        open_newest()


def test_a_draft_is_gone_unless_it_was_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def fail_half_way() -> None:
        with draft_run(None) as half:
            half.write("a.txt", "text")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail_half_way()
    assert not (tmp_path / "runs").exists()


def test_names_count_on_and_never_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "x-7").mkdir(parents=True)
    (tmp_path / "runs" / "x-y-9").mkdir()
    with draft_run(None) as first, draft_run(None) as second:
        assert first.publish({}, "x", None).path.name == "x-8"
        assert second.publish({}, "x", None).path.name == "x-9"


def test_a_place_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    with draft_run(target) as half:
        target.mkdir()
        with pytest.raises(RunError, match="exists by now"):
            half.publish({}, "x", target)
    assert list(tmp_path.iterdir()) == [target]
