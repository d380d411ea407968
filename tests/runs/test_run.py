"""Runs are found, opened and checked."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from embedclf.errors import RunError
from embedclf.runs.run import Run, compute_checksum, find_runs, open_newest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run to damage, in the working directory's ./runs."""
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
def test_a_changed_byte_in_any_file_is_refused_with_its_name(copy: Path, name: str) -> None:
    file = copy / name
    content = bytearray(file.read_bytes())
    for position in (0, len(content) // 2, len(content) - 3):
        damaged = bytearray(content)
        damaged[position] ^= 1
        file.write_bytes(bytes(damaged))
        with pytest.raises(RunError) as caught:
            Run.open(copy)
        assert name in str(caught.value) or "format" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_with_its_name(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(RunError, match=name):
        Run.open(copy)


@pytest.mark.parametrize("content", ["[]", "3", "no JSON"])
def test_metrics_that_are_no_object_are_refused(copy: Path, content: str) -> None:
    (copy / "metrics.json").write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=r"metrics\.json: damaged"):
        Run.open(copy)


def test_newer_runs_and_other_directories_are_refused(copy: Path) -> None:
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


def test_the_newest_readable_run_is_the_default_and_damaged_ones_are_reported(copy: Path) -> None:
    newer = shutil.copytree(copy, copy.parent / "another-1")
    record = json.loads((newer / "run.json").read_text())
    del record["checksum"]
    record["created"] = "2999-01-01T00:00:00.000+00:00"
    record["checksum"] = compute_checksum(record)
    (newer / "run.json").write_text(json.dumps(record))
    (copy.parent / "foreign").mkdir()
    (copy.parent / "foreign" / "run.json").write_text("{}")
    shutil.copytree(copy, copy.parent / ".draft-x")
    found, errors = find_runs()
    assert [run.path.name for run in found] == ["binary-1", "another-1"]
    assert len(errors) == 1
    run, errors = open_newest()
    assert run.path.name == "another-1"
    assert len(errors) == 1
    (newer / "metrics.json").write_text("{}")
    run, errors = open_newest()
    assert run.path.name == "binary-1"
    assert "another-1/metrics.json: damaged" in str(errors[0])
    (copy / "model.keras").write_bytes(b"")
    with pytest.raises(RunError, match=r"binary-1/model\.keras: damaged"):
        open_newest()


def test_a_directory_without_runs_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="no runs here; `embedclf train` makes one"):
        open_newest()
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="damaged, or not embedclf's"):
        open_newest()
