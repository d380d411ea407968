"""A run is written as a whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedclf.errors import RunError
from embedclf.runs.writer import draft_run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_draft_is_removed_unless_it_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def fail_half_way() -> None:
        with draft_run(None) as draft:
            draft.write("a.txt", "text")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail_half_way()
    assert not (tmp_path / "runs").exists()


def test_runs_are_numbered_and_never_share_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "x-7").mkdir(parents=True)
    (tmp_path / "runs" / "x-y-9").mkdir()
    with draft_run(None) as first, draft_run(None) as second:
        assert first.publish({}, "x", None).path.name == "x-8"
        assert second.publish({}, "x", None).path.name == "x-9"


def test_an_output_created_in_the_meantime_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    with draft_run(target) as draft:
        target.mkdir()
        with pytest.raises(RunError, match="was created during training"):
            draft.publish({}, "x", target)
    assert list(tmp_path.iterdir()) == [target]
