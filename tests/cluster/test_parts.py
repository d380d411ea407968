"""The tables of a training on a cluster, as a training that resumes recognizes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from embedclf.cluster.training.parts import identify_tables
from embedclf.config.loading import load_config
from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def changes(folder: Path, data: str, change: Callable[[], object]) -> bool:
    """Whether a training does not resume after a change."""
    (folder / "c.yaml").write_text(f"data: {{{data}}}\n")
    config = load_config(folder / "c.yaml")
    before = identify_tables(config)
    assert identify_tables(config) == before
    change()
    return identify_tables(config) != before


def write_later(file: Path, content: str) -> None:
    """Write a file a second after its last change."""
    before = file.stat().st_mtime_ns
    file.write_text(content)
    os.utime(file, ns=(before + 10**9, before + 10**9))


def test_a_training_does_not_resume_once_a_file_has_other_contents_or_is_new(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        write_csv(tmp_path / "in" / f"{name}.csv", ("text", "label"), reviews(20))
    file = tmp_path / "in" / "a.csv"
    same_size = file.read_text().replace("a", "e")
    assert same_size != file.read_text()
    data = "train: in, text: text, label: label, validation: 0.2"
    assert changes(tmp_path, data, lambda: write_later(file, same_size))
    other = tmp_path / "in" / "c.csv"
    assert changes(tmp_path, data, lambda: other.write_text("text,label\nfine,positive\n"))
    with_test = f"{data}, test: in/b.csv"
    assert changes(tmp_path, with_test, lambda: write_later(tmp_path / "in" / "b.csv", same_size))


def test_the_contents_of_text_folders_count(tmp_path: Path) -> None:
    for label in ("bad", "good"):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "in" / label / f"{number}.txt").write_text(f"{label} text")
    file = tmp_path / "in" / "good" / "0.txt"
    data = "train: in, text: text, label: label, validation: 0.2"
    assert changes(tmp_path, data, lambda: file.write_text("fine text"))
