"""Reports that the tests of pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import Invoke, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run

TASKS = ("binary", "multiclass", "multilabel")
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="session")
def pages(
    runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory, invoke: Invoke
) -> dict[str, str]:
    """Reports of each task's run, of `many` labels, and of `odd` labels and texts."""
    made = {}
    folder = tmp_path_factory.mktemp("pages")
    for task, run in runs.items():
        file = folder / f"{task}.html"
        assert invoke("report", "--run", run.path, "-o", file).stdout == f"{file}\n"
        made[task] = file.read_text(encoding="utf-8")
    return made | {"odd": odd_page(folder, invoke), "many": page_of_many_labels(folder, invoke)}


def odd_page(folder: Path, invoke: Invoke) -> str:
    """Train one epoch without test rows, on labels and texts that are hard to show."""
    labels = [SCRIPT, "customer_service_complaint", "שלום", "$5 & $10", "x" * 90, "-12", "\x1b[31m"]
    labels += [f"one of many labels, number {number}" for number in range(8)]
    rows = [(f"word{n % 7} </svg> שלום {n}", labels[n % len(labels)]) for n in range(300)]
    rows[4] = (" ".join(f"token{n % 70}" for n in range(2000)), labels[0])
    write_csv(folder / "<odd> & long.csv", ["text", "label"], rows)
    scored = [*rows[:6], ("", SCRIPT), ("", "-12"), (rows[4][0], "-12"), ("unheard", "of")]
    write_csv(folder / "scored.csv", ["text", "label", "<by>"], [(*row, SCRIPT) for row in scored])
    config = folder / "odd.yaml"
    config.write_text(
        'data: {train: "<odd> & long.csv"}\ntext: {sequence_length: 3000}\n'
        "model: {embedding_dim: 2, pooling: average}\ntraining: {epochs: 1}\n"
    )
    invoke("train", config, "-q", "-o", folder / "run")
    args = ("--run", folder / "run", "--data", folder / "scored.csv", "--by", "<by>")
    return invoke("report", *args, "--no-baseline", "-o", "-").stdout


def page_of_many_labels(folder: Path, invoke: Invoke) -> str:
    """Train one epoch on 33 labels."""
    rows = [(f"word{n % 33} text {n}", f"label_{n % 33:02}") for n in range(330)]
    write_csv(folder / "many.csv", ["text", "label"], rows)
    config = folder / "many.yaml"
    config.write_text(
        "data: {train: many.csv}\ntext: {sequence_length: 6}\n"
        "model: {embedding_dim: 8}\ntraining: {epochs: 1}\n"
    )
    invoke("train", config, "-q", "-o", folder / "many-run")
    return invoke("report", "--run", folder / "many-run", "--no-baseline", "-o", "-").stdout
