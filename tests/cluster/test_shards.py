"""Shards: what a worker reads of the files of all parts."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from embedclf.cluster.task_queue import TaskQueue
from embedclf.cluster.training.prepare import prepare_sharded
from embedclf.cluster.training.shards import read_shard
from embedclf.cluster.training.support import cluster_config
from embedclf.cluster.training.work_folder import WorkFolder
from embedclf.config.loading import load_config
from embedclf.errors import RunError
from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path


def change_an_id(content: bytes) -> bytes:
    """Change a byte of the rows of the second shard."""
    ids = pa.ipc.open_file(content).get_batch(1)["ids"].values.to_numpy().tobytes()
    place = content.rindex(ids)
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_a_damaged_file_of_a_part_is_noticed_and_sources_stay_small(
    client: Any, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(12):
        rows = reviews(240)[number * 20 : (number + 1) * 20]
        write_csv(tmp_path / "in" / f"{number:02}.csv", ("text", "label"), rows)
    (tmp_path / "c.yaml").write_text(
        "data: {train: in, text: text, label: label, validation: 0.2}\ntext: {ngrams: 1}\n"
        "training: {refit: false, epochs_by: validation}\n"
    )
    config = cluster_config(load_config(tmp_path / "c.yaml"))
    folder = WorkFolder(tmp_path / "work")
    folder.path.mkdir()
    source = prepare_sharded(TaskQueue(client), folder, config, 2).shards[1]
    assert len(pickle.dumps(source)) < 1_000  # it goes to a worker in each round
    rows_before = len(read_shard(source, config).train)
    file = folder.path / "parts" / "000007.shards.arrow"
    content = file.read_bytes()
    for damaged in (change_an_id(content), content[: len(content) // 2], b""):
        file.write_bytes(damaged)
        with pytest.raises(RunError, match=r"000007\.shards\.arrow: not as it was written"):
            read_shard(source, config)
    file.write_bytes(content)
    assert len(read_shard(source, config).train) == rows_before > 0
