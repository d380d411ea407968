"""The JSON schema of configs."""

from __future__ import annotations

import json

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
