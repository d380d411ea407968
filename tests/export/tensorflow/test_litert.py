"""Models of LiteRT compute what their runs compute from token ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embedclf.export.export import export_run
from embedclf.runs.run import FORMAT, Run

if TYPE_CHECKING:
    from tests.conftest import Invoke

pytest.importorskip("ai_edge_litert")

RUNS = Path(__file__).parents[2] / "formats" / str(FORMAT)


@pytest.mark.parametrize(
    "name",
    [
        "binary-average-expression",
        "binary-flatten",
        "binary-max-hidden",
        "binary-sqrt-ngrams-vectors",
        "multiclass-average-symbols",
        "multilabel-max-vectors",
    ],
)
def test_a_model_of_ids_equals_its_run(name: str, tmp_path: Path) -> None:
    run = Run.open(RUNS / name)
    export = export_run(run, "litert", tmp_path / name)
    assert export.proof.largest_difference <= 1e-6
    assert export.proof.own_texts > 20
    tokens = json.loads((tmp_path / name / "tokens.json").read_text(encoding="utf-8"))
    tokenizer = run.classifier().tokenizer
    assert len(tokens) == tokenizer.vocabulary_rows
    assert tuple(tokens[2 : tokenizer.first_ngram_id]) == tokenizer.tokens


def test_the_command_shows_nothing_of_the_library(
    invoke: Invoke, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, output = RUNS / "binary-flatten", tmp_path / "exported"
    invoke("export", run, "--format", "litert", "-o", output, "-q")
    assert (output / "model.tflite").exists()
    assert capfd.readouterr().err == ""
