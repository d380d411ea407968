"""Which input predict takes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            "binary.csv -t text",
            "-t is a text to classify, not a column (the run knows its text column); pass INPUT or "
            "-t TEXT, not both",
        ),
        ("binary.csv binary-1", "binary-1 is a run: write --run binary-1"),
        ("runs/binary-1 binary.csv", "runs/binary-1 is a run: write --run runs/binary-1"),
        (
            "binary.csv binary-test.csv",
            "pass one INPUT, not also binary-test.csv; run the command once per file",
        ),
        (
            "",
            "pass a file, - for standard input, or -t TEXT; see `embedclf predict --help`",
        ),
    ],
)
def test_one_input_is_taken(
    args: str, message: str, runs: dict[str, Run], workplace: Path, invoke: Invoke
) -> None:
    shutil.copytree(runs["binary"].path, workplace / "runs" / "binary-1")
    stderr = invoke("predict", *args.split(), status=2).stderr
    assert stderr.replace("main predict", "embedclf predict") == f"embedclf: {message}\n"


def test_an_unknown_option_of_predict_is_still_refused(invoke: Invoke) -> None:
    assert "no option --foo" in invoke("predict", "a.csv", "--foo", status=2).stderr
