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
            "-t is a text to classify; a column is named with --text-column; pass INPUT or -t "
            "TEXT, not both",
        ),
        ("binary.csv binary-1", "binary-1 is a run: write --run binary-1"),
        ("runs/binary-1 binary.csv", "runs/binary-1 is a run: write --run runs/binary-1"),
        (
            "binary.csv -",
            "pass - alone; standard input cannot be read with other tables; see "
            "`embedclf predict --help`",
        ),
        (
            "",
            "pass a file, - for standard input, or -t TEXT; see `embedclf predict --help`",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    args: str, message: str, runs: dict[str, Run], workplace: Path, invoke: Invoke
) -> None:
    shutil.copytree(runs["binary"].path, workplace / "runs" / "binary-1")
    stderr = invoke("predict", *args.split(), status=2).stderr
    assert stderr.replace("main predict", "embedclf predict") == f"embedclf: {message}\n"


def test_an_unknown_option_of_predict_is_still_refused(invoke: Invoke) -> None:
    assert "no option --foo" in invoke("predict", "a.csv", "--foo", status=2).stderr


def test_a_text_in_the_place_of_a_table_gets_the_option_for_texts(
    runs: dict[str, Run], workplace: Path, invoke: Invoke
) -> None:
    run = ("--run", runs["binary"].path)
    stderr = invoke("predict", "a great film", *run, status=1).stderr
    assert stderr == "embedclf: a great film: no such file; to read it as a text: -t TEXT\n"
    (workplace / "a great film").write_text("text\ngreat\n", encoding="utf-8")
    assert "great,pos," in invoke("predict", "a great film", *run).stdout
