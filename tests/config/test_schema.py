"""The JSON schema of configs."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

from embedclf.config.loading import parse_config
from embedclf.config.schema import json_schema


def test_every_key_of_the_schema_has_a_description() -> None:
    schema = json_schema()
    json.dumps(schema)
    sections = {
        name: schema["$defs"][f"{name.title()}Config"]
        for name in schema["properties"]
        if name != "seed"
    }
    for section in sections.values():
        assert section["additionalProperties"] is False
        for key, values in section["properties"].items():
            assert values.get("description"), key


def test_a_pickled_config_has_values_alone() -> None:
    text = "data: {train: a.csv}\ntune: {text: {min_count: [1, 2]}}\n"
    config = parse_config(text, Path("config.yaml"))
    pickled = pickle.dumps(config)
    assert pickle.loads(pickled) == config  # noqa: S301 - of this test
    assert len(pickled) < 4_000  # each task of a cluster has one; with classes, it had 140,000
