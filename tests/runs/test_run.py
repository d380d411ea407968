"""Runs are opened and checked."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from embedclf.errors import RunError
from embedclf.runs.run import Run

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
    "weights.json",
    "text.json",
    "tokens.arrow",
    "labels.json",
    "history.csv",
    "metrics.json",
    "run.json",
    "rows.arrow",
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
    with pytest.raises(RunError, match="run format 99 is not supported"):
        Run.open(copy)
    (copy / "run.json").write_text("[]")
    with pytest.raises(RunError, match="damaged, or not written by embedclf"):
        Run.open(copy)
    with pytest.raises(RunError, match=r"a folder of runs; name one of them: \S+/binary-1"):
        Run.open(copy.parent)
    (copy / "sub").mkdir()
    with pytest.raises(RunError, match=r"sub: not a run: it has no run\.json"):
        Run.open(copy / "sub")
    with pytest.raises(RunError, match="no such run"):
        Run.open(copy / "nope")
