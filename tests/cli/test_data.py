"""init, check, suspects, schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.conftest import Invoke, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_check_describes_the_data_of_each_task(
    workplace: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    shown = ""
    for task in ("binary", "multiclass", "multilabel"):
        done = invoke("check", f"{task}.yaml")
        shown += done.stdout.replace(str(workplace), "DATA")
        assert done.stderr == f"{task}.yaml: ready to train\n"
        assert invoke("check", f"{task}.yaml", "-q").stderr == ""
    golden("check.txt", shown)
    facts = json.loads(invoke("check", "binary.yaml", "--json").stdout)
    assert facts["data"]["train"]["rows"] + facts["data"]["validation"]["rows"] == 160
    assert facts["data"]["test"]["rows"] == 40
    assert not (workplace / "runs").exists()


def test_skipped_rows_are_reported(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "gaps.csv", ["text", "label"], [*reviews(40), ("x", ""), ("y", " ")])
    stderr = invoke("check", "binary.yaml", "-s", "data.train=gaps.csv", status=1).stderr
    assert "gaps.csv:42, 43: empty label; fix these rows" in stderr
    shown = invoke(
        "check", "binary.yaml", "-s", "data.train=gaps.csv", "-s", "data.skip_invalid=true"
    ).stdout
    assert "2 skipped without a valid label" in shown


def test_schema_has_all_sections(invoke: Invoke) -> None:
    schema = json.loads(invoke("schema").stdout)
    assert schema["title"] == "embedclf config"
    assert set(schema["properties"]) == {"data", "text", "model", "training", "seed", "tune"}
