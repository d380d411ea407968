"""Tables in a store of objects, through the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import reviews, unwrapped, write_csv
from tests.object_store import ObjectStore, serve_objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Invoke


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with serve_objects() as objects:
        yield objects


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_trained_and_used_on_tables_in_a_store(
    here: Path, store: ObjectStore, invoke: Invoke
) -> None:
    rows = reviews(80)
    for number in range(2):
        part = write_csv(here / "part.csv", ["text", "label"], rows[40 * number : 40 * number + 40])
        store.objects[f"shards/part-{number}.csv"] = part.read_bytes()
    checked = invoke("check", store.uri("shards"))
    assert "s3://tables/shards\nformat          2 files, comma" in checked.stdout
    assert "endpoint_override" not in checked.stdout + checked.stderr
    uri = store.uri("shards/*.csv")
    keys = ("training.epochs=1", "training.epochs_by=validation", "model.embedding_dim=4")
    settings = [part for key in keys for part in ("-s", key)]
    invoke("train", uri, *settings, "-o", "run", "--no-baseline")
    record = json.loads((here / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["data"]["train"]["path"] == uri
    done = invoke("predict", store.uri("shards/part-1.csv"), "--run", "run")
    assert len(done.stdout.splitlines()) == 41
    scored = invoke("evaluate", "run", "--no-baseline")
    assert "16 validation rows of s3://tables/shards/*.csv" in unwrapped(scored.stdout)
    store.objects["shards/part-1.csv"] += b"more,pos\n"
    assert "has changed since" in invoke("evaluate", "run", status=1).stderr


def test_a_missing_object_is_reported_in_one_line(
    here: Path, store: ObjectStore, invoke: Invoke
) -> None:
    store.objects["a.csv"] = b"text,label\na,1\n"
    for command in (["check"], ["train"]):
        error = invoke(*command, store.uri("b.csv"), status=1).stderr
        assert error.splitlines() == [
            "embedclf: s3://tables/b.csv: no such file; check the bucket and the path"
        ]
    (here / "c.yaml").write_text(f"data: {{train: '{store.uri('a.csv', bucket='none')}'}}\n")
    error = invoke("check", "c.yaml", status=2).stderr
    assert error.startswith("embedclf: data.train: s3://none/a.csv: no such file; check the bucket")
