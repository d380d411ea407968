"""Runs are found by name, listed, and the newest is chosen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import embedclf
from embedclf.errors import RunError
from embedclf.runs.run import Run
from embedclf.runs.sealed_json import compute_checksum
from embedclf.runs.selection import find_runs, locate_run, open_newest, run_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Copy = Callable[..., Path]


@pytest.fixture
def copy(runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """Copies a run into the working directory's ./runs, with changes to its record."""
    monkeypatch.chdir(tmp_path)

    def copy_run(task: str, name: str, *, day: int = 1, **train: Any) -> Path:
        target = shutil.copytree(runs[task].path, tmp_path / "runs" / name)
        record = json.loads((target / "run.json").read_text())
        del record["checksum"]
        record["created"] = f"2999-01-{day:02}T00:00:00.000+00:00"
        record["data"]["train"] |= train
        record["checksum"] = compute_checksum(record)
        (target / "run.json").write_text(json.dumps(record))
        return Path("runs") / name

    return copy_run


def test_a_bare_name_is_a_run_in_the_runs_folder(copy: Copy) -> None:
    path = copy("binary", "reviews-1")
    assert locate_run(Path("reviews-1")) == path
    assert locate_run(path) == path
    assert locate_run(Path("reviews-2")) == Path("reviews-2")
    assert locate_run(Path("sub/reviews-1")) == Path("sub/reviews-1")


def test_a_path_that_exists_wins_over_a_name(copy: Copy) -> None:
    copy("binary", "reviews-1")
    Path("reviews-1").mkdir()
    assert locate_run(Path("reviews-1")) == Path("reviews-1")


def test_python_takes_a_bare_name_too(copy: Copy) -> None:
    path = copy("binary", "reviews-1")
    texts = ["a great hotel"]
    expected = embedclf.load(path).predict_proba(texts)
    assert (embedclf.load("reviews-1").predict_proba(texts) == expected).all()


def test_runs_are_listed_oldest_first_without_drafts(copy: Copy) -> None:
    copy("binary", "reviews-2", day=2)
    copy("binary", "tickets-1", day=1)
    copy("binary", ".draft-x", day=3)
    found, faults = find_runs()
    assert [run.path.name for run in found] == ["tickets-1", "reviews-2"]
    assert faults == []
    assert run_names() == ["reviews-2", "tickets-1"]


def test_the_newest_intact_run_is_chosen_and_damaged_ones_are_reported(copy: Copy) -> None:
    older = copy("binary", "reviews-1", day=1)
    newer = copy("binary", "reviews-2", day=2)
    foreign = Path("runs/foreign")
    foreign.mkdir()
    (foreign / "run.json").write_text("{}")
    newest = open_newest()
    assert newest.run.path == newer
    assert len(newest.faults) == 1
    (newer / "metrics.json").write_text("{}")
    newest = open_newest()
    assert newest.run.path == older
    assert any("reviews-2/metrics.json: damaged" in str(fault) for fault in newest.faults)
    (older / "model.keras").write_bytes(b"")
    with pytest.raises(RunError, match=r"reviews-1/model\.keras: damaged"):
        open_newest()


def test_the_newest_run_of_each_other_table_is_known(copy: Copy) -> None:
    copy("multiclass", "tickets-1", day=1)
    copy("multiclass", "tickets-2", day=2)
    copy("multilabel", "moods-1", day=3)
    copy("binary", "reviews-1", day=4)
    copy("binary", "reviews-2", day=5)
    newest = open_newest()
    assert newest.run.path.name == "reviews-2"
    assert [run.path.name for run in newest.other_tables] == ["moods-1", "tickets-2"]


def test_a_table_that_was_edited_or_moved_is_the_same_table(copy: Copy) -> None:
    copy("binary", "moved-1", day=1, path="/elsewhere/reviews.csv")
    copy("binary", "edited-1", day=2, sha256="0")
    copy("binary", "reviews-1", day=3)
    assert open_newest().other_tables == ()


def test_a_directory_without_runs_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"no run in \./runs; train one with `embedclf train TABLE`"):
        open_newest()
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="damaged, or not written by embedclf"):
        open_newest()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("review-1", r"^review-1: no such run; did you mean reviews-1\? `embedclf runs` lists"),
        ("zzz", "^zzz: no such run; `embedclf runs` lists them"),
        ("rows.csv", "^rows.csv: a table, not a run; to score a run on it, write --data rows.csv"),
        ("a.yaml", "^a.yaml: a config, not a run; train it with `embedclf train a.yaml`"),
        ("notes.txt", "^notes.txt: a file, not a run; `embedclf runs` lists the runs"),
        (
            "runs/reviews-1/model.keras",
            "^runs/reviews-1/model.keras: a file of a run; name its folder: runs/reviews-1",
        ),
    ],
)
def test_what_is_no_run_is_refused_with_what_to_write(copy: Copy, name: str, hint: str) -> None:
    copy("binary", "reviews-1")
    for file in ("rows.csv", "a.yaml", "notes.txt"):
        Path(file).touch()
    with pytest.raises(RunError, match=hint):
        Run.open(locate_run(Path(name)))


def test_a_clock_that_was_set_back_does_not_change_which_run_is_newest(copy: Copy) -> None:
    copy("binary", "a-9", day=8)
    copy("binary", "b-1", day=3)
    copy("binary", "named", day=2)
    newest = copy("binary", "a-10", day=1)
    assert open_newest().run.path == newest
    assert [run.path.name for run in find_runs()[0]] == ["named", "b-1", "a-9", "a-10"]
