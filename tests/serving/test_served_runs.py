"""Runs by name, and newer ones that take their places."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from embedclf.errors import RequestError, RunError
from embedclf.runs.run import Run
from embedclf.serving.app import create_app
from embedclf.serving.served_runs import ServedRuns, find_newest
from embedclf.serving.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copied(tmp_path: Path, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the run `runs/reviews-2`."""
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "runs" / "reviews-2"
    shutil.copytree(runs["binary"].path, copy)
    return copy


def test_a_name_without_number_is_the_newest_run(copied: Path, runs: dict[str, Run]) -> None:
    shutil.copytree(copied, copied.with_name("reviews-10"))
    copied.with_name("reviews-11").mkdir()  # no run
    shutil.copytree(runs["binary"].path, copied.with_name("reviews-x-99"))
    for name in ("reviews", "runs/reviews", copied.with_name("reviews")):
        assert find_newest(type(copied)(name)).name == "reviews-10"
    assert find_newest(copied) == copied


def test_a_newer_run_takes_the_place_of_the_one_before(copied: Path, runs: dict[str, Run]) -> None:
    served = ServedRuns([copied.with_name("reviews")])
    assert served.names == ["reviews"]
    assert served.refresh() == []
    shutil.copytree(runs["multilabel"].path, copied.with_name("reviews-3"))
    assert served.refresh() == ["reviews"]
    assert served.refresh() == []
    [run] = served
    assert run.classifier.labels.task == "multilabel"


def test_a_changed_threshold_is_noticed(copied: Path) -> None:
    served = ServedRuns([copied])
    run = Run.open(copied)
    run.update_thresholds({"rule": 0.9, "thresholds": [0.9]}, run.metrics())
    assert served.refresh() == ["reviews-2"]
    [changed] = served
    assert changed.classifier.labels.thresholds == (0.9,)


def test_a_damaged_newer_run_leaves_the_one_before(copied: Path) -> None:
    served = ServedRuns([copied.with_name("reviews")])
    [before] = served
    newer = copied.with_name("reviews-3")
    shutil.copytree(copied, newer)
    (newer / "run.json").write_text("{}", encoding="utf-8")
    assert served.refresh() == []
    assert list(served) == [before]


def test_a_removed_run_still_answers(copied: Path) -> None:
    served = ServedRuns([copied])
    shutil.rmtree(copied)
    assert served.refresh() == []
    assert served.names == ["reviews-2"]


def test_runs_of_one_name_are_refused(copied: Path) -> None:
    with pytest.raises(RequestError, match="two runs are named reviews-2"):
        ServedRuns([copied, copied])


def test_a_name_that_is_not_utf_8_is_refused(copied: Path) -> None:
    renamed = copied.rename(copied.with_name(os.fsdecode(b"\xff-1")))
    with pytest.raises(RequestError, match=r"named '\\udcff-1'; rename"):
        ServedRuns([renamed])


def test_a_name_of_no_run_is_refused(copied: Path) -> None:
    with pytest.raises(RunError, match="no such run"):
        ServedRuns([copied.with_name("other")])


def test_the_service_looks_for_newer_runs(copied: Path, runs: dict[str, Run]) -> None:
    with TestClient(create_app(Settings((copied.with_name("reviews"),)))) as client:
        assert client.get("/v2/models/reviews").json()["parameters"]["labels"] == ["neg", "pos"]
        shutil.copytree(runs["multiclass"].path, copied.with_name("reviews-3"))
        while client.get("/v2/models/reviews").json()["parameters"]["labels"] == ["neg", "pos"]:
            answer = client.post("/predict", json={"text": "a lovely hotel", "run": "reviews"})
            assert answer.status_code == 200
