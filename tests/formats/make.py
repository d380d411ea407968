"""Make the runs of this format that later versions must read, and what they predict.

Run once for each format of runs, by the version that brings it; what is there is not made again.

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
from embedclf.runs import run as room
from embedclf.runs import writer
from tests.conftest import write_project

HERE = Path(__file__).parent
TEXTS = (
    "",
    "great hotel, it was great on day 4",
    "Awful film; it was AWFUL on day 19 and on day 20 and on day 21",
    "about heat and great heat 3",
    "b c 7",
    "it\u2019s na\u00efve \u4e0d\u597d \U0001f600",
)
CONFIGS = {
    "binary-flatten": "binary -s model.pooling=flatten",
    "binary-average": "binary -s model.pooling=average",
    "binary-max-hidden": "binary -s model.pooling=max -s model.hidden_units=[5]",
    "multiclass-flatten-hidden": "multiclass -s model.pooling=flatten -s model.hidden_units=[5,4]",
    "multiclass-average-hidden": "multiclass",
    "multilabel-max-characters": "multilabel",
    "binary-average-refit": "binary -s model.pooling=average -s training.refit=true",
    "binary-sqrt-phrases": "binary -s model.pooling=sqrt -s text.ngrams=2",
    "multilabel-max-phrases": "multilabel -s text.ngrams=3",
    "multilabel-average": "multilabel -s text.unit=word -s model.pooling=average",
}


def make(name: str, arguments: str, target: Path) -> None:
    """Train a run, name its tables without their folder, keep Keras's probabilities beside it."""
    config, *overrides = arguments.split()
    folder = target / name
    command = ["train", f"{config}.yaml", *overrides, "-o", str(folder), "-q"]
    main(command, standalone_mode=False)
    record = json.loads((folder / room.RECORD).read_text(encoding="utf-8"))
    for part in record["data"].values():
        part["path"] = Path(part["path"]).name
    del record["checksum"]
    record["checksum"] = room._checksum(record)
    writer.RunDraft(folder).write_json(room.RECORD, record)
    writer.RunDraft(target).write_json(
        f"{name}.json", {"texts": TEXTS, "probabilities": asked(folder)}
    )


def asked(folder: Path) -> list[list[float]]:
    """What Keras itself gives for the texts."""
    from embedclf.model.backend import keras

    tokenizer = room.Run.open(folder).classifier().tokenizer
    network: Any = keras.models.load_model(folder / room.MODEL)
    probabilities: list[list[float]] = network(tokenizer.encode(TEXTS).ids).numpy().tolist()
    return probabilities


if __name__ == "__main__":
    into = HERE / str(room.FORMAT)
    if into.exists():
        sys.exit(f"{into}: exists; runs of a format are made once")
    with tempfile.TemporaryDirectory() as workplace:
        os.chdir(workplace)
        write_project(Path())
        for title, wanted in CONFIGS.items():
            make(title, wanted, Path(room.ROOT))
        shutil.copytree(room.ROOT, into)
