from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.audit.conftest import check
from tests.conftest import Invoke, write_csv
from tests.faults import PLANTS, Tables, config_text

if TYPE_CHECKING:
    from pathlib import Path


def test_a_flag_column_that_is_always_0_is_a_small_label(directory: Path, invoke: Invoke) -> None:
    rows = [(text, str(row % 2), "0") for row, (_, text, _) in enumerate(Tables().splits["train"])]
    write_csv(directory / "flags.csv", ["text", "calm", "rain"], rows)
    config = config_text(train="flags.csv", label="[calm, rain]")
    (directory / "flags.yaml").write_text(config)
    found = json.loads(invoke("check", "flags.yaml", "--json").stdout)["findings"]
    kinds = {one["kind"]: one["examples"] for one in found}
    assert kinds["label-small"] == []
    assert set(kinds) == {"label-small", "label-unscored", "label-imbalance"}


def test_balanced_class_weights_fix_imbalance(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    PLANTS["one label in hardly any row"](tables)
    assert (
        check(tables, directory, invoke, "-s", "training.class_weight=balanced")["findings"] == []
    )
