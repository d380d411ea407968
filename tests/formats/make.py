"""Make the runs of the current formats, with their predictions, for later versions to read.

Run this once per format of runs, with the version that introduces it. Existing runs are kept.

    python -m tests.formats.make
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from embedclf.cli.main import main
from embedclf.runs.classifier_files import MODEL_FILE
from embedclf.runs.locations import RECORD_FILE, RUNS_DIRECTORY
from embedclf.runs.run import COMPACT_FORMAT, FORMAT, Run
from embedclf.runs.sealed_json import compute_checksum
from embedclf.runs.writer import RunDraft
from tests.conftest import write_project

HERE = Path(__file__).parent
TEXTS = (
    "",
    "great hotel, it was great on day 4",
    "Awful film; it was AWFUL on day 19 and on day 20 and on day 21",
    "about heat and great heat 3",
    "b c 7",
    "title=about_heat about heat",
    "it\u2019s na\u00efve \u4e0d\u597d \U0001f600",
    "gr\u00adeat <b>heat</b> &amp; C++ :) \u2764\ufe0f",
)
CONFIGS = {
    "binary-flatten": "binary -s model.pooling=flatten",
    "binary-average": "binary -s model.pooling=average",
    "binary-max-hidden": "binary -s model.pooling=max -s model.hidden_units=[5]",
    "multiclass-flatten-hidden": "multiclass -s model.pooling=flatten -s model.hidden_units=[5,4]",
    "multiclass-average-hidden": "multiclass",
    "multilabel-max-characters": "multilabel",
    "binary-average-refit": "binary -s model.pooling=average -s training.refit=true",
    "binary-sqrt-ngrams": "binary -s model.pooling=sqrt -s text.ngrams=2",
    "multilabel-max-ngrams": "multilabel -s text.ngrams=3",
    "multilabel-average": "multilabel -s text.unit=word -s model.pooling=average",
    "binary-sqrt-words": "binary -s model.pooling=sqrt -s text.token_pattern=words",
    "multiclass-average-symbols": "multiclass -s text.token_pattern=words_and_symbols "
    "-s text.html=true",
    "multilabel-max-characters-html": "multilabel -s text.token_pattern=words -s text.html=true",
    "multiclass-average-fields": "multiclass -s data.text=body -s data.fields=[title]",
    "binary-sqrt-ngrams-vectors": "binary -s model.pooling=sqrt -s text.ngrams=2 "
    "-s model.vectors=vectors.txt",
    "multiclass-average-own-vectors": "multiclass -s model.vectors=own",
    "multilabel-max-vectors": "multilabel -s text.unit=word -s model.vectors=vectors.txt",
    "binary-average-expression": "binary -s model.pooling=average -s text.token_pattern='[a-z]+'",
}


COMPACT = ("binary-sqrt-ngrams", "multilabel-max-characters", "multiclass-average-hidden")
"""Of these, compact runs are made, too."""


def make_run(name: str, arguments: str, target: Path) -> None:
    """Train a run, name its tables without their directory, and keep Keras's probabilities."""
    config, *overrides = arguments.split()
    run = target / name
    command = ["train", f"{config}.yaml", *overrides, "-o", str(run), "-q"]
    main(command, standalone_mode=False)
    record = json.loads((run / RECORD_FILE).read_text(encoding="utf-8"))
    for split in record["data"].values():
        split["path"] = Path(split["path"]).name
    del record["checksum"]
    record["checksum"] = compute_checksum(record)
    RunDraft(run).write_json(RECORD_FILE, record)
    expected = {"texts": TEXTS, "probabilities": keras_probabilities(run)}
    RunDraft(target).write_json(f"{name}.json", expected)


def make_compact_run(run: Path, target: Path) -> None:
    """Export a run as a compact one, and keep its probabilities."""
    from embedclf.export.export import export_run

    compact = target / run.name
    export_run(Run.open(run), "compact", compact)
    for page in ("README.md", "embedclf.json"):  # nothing reads them
        (compact / page).unlink()
    probabilities = Run.open(compact).classifier().predict_proba(TEXTS)
    expected = {"texts": TEXTS, "probabilities": probabilities.tolist()}
    RunDraft(target).write_json(f"{run.name}.json", expected)


def keras_probabilities(run: Path) -> list[list[float]]:
    """Predict the texts with Keras itself, (texts, outputs)."""
    from embedclf.model.backend import keras

    tokenizer = Run.open(run).classifier().tokenizer
    ids = tokenizer.encode(TEXTS).ids.pad(tokenizer.input_length)
    network: Any = keras.models.load_model(run / MODEL_FILE)
    probabilities: list[list[float]] = network(ids).numpy().tolist()
    return probabilities


if __name__ == "__main__":
    made = {FORMAT: Path(RUNS_DIRECTORY), COMPACT_FORMAT: Path("compact")}
    missing = [number for number in made if not (HERE / str(number)).exists()]
    if not missing:
        sys.exit(f"{HERE}: has all formats; runs of a format are made once")
    with tempfile.TemporaryDirectory() as workplace:
        os.chdir(workplace)
        write_project(Path())
        for title, settings in CONFIGS.items():
            if FORMAT in missing or title in COMPACT:
                make_run(title, settings, made[FORMAT])
        made[COMPACT_FORMAT].mkdir()
        for title in COMPACT:
            make_compact_run(made[FORMAT] / title, made[COMPACT_FORMAT])
        for number in missing:
            shutil.copytree(made[number], HERE / str(number))
