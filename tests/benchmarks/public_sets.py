"""Train, evaluate and predict on public data sets through the command line; print a table.

The folder of the sets is named by EMBEDCLF_DATASETS: `imdb/train.csv`, `imdb/test.csv` and so on,
with the columns `text` and `label`. Missing sets are skipped by name. Times are of whole
processes, from the command's start to its end, once each.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.public_sets [NAME ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import datasets, embedclf


@dataclass(frozen=True)
class Case:
    """The tables of a set, and the settings that are not chosen from the data."""

    name: str
    folder: str
    test: str = "test.csv"
    overrides: tuple[str, ...] = ()

    def arguments(self, sets: Path) -> list[str]:
        """The training table and the overrides, as `train` takes them."""
        folder = sets / self.folder
        overrides = [f"data.test={folder / self.test}", *self.overrides]
        return [str(folder / "train.csv"), *_flags(overrides)]

    def command(self) -> str:
        """The command to type in the folder of the sets."""
        test = [] if self.test == "test.csv" else [f"data.test={self.folder}/{self.test}"]
        command = ["embedclf train", f"{self.folder}/train.csv", *_flags([*test, *self.overrides])]
        return f"`{' '.join(command)}`"


FLATTEN = (
    "data.validation=0.1",
    "text.vocabulary_size=30000",
    "text.min_count=1",
    "text.sequence_length=400",
    "model.initialization=random",
    "model.embedding_dim=16",
    "model.pooling=flatten",
    "model.dropout=0.5",
    "training.epochs=10",
    "training.batch_size=64",
    "training.learning_rate=0.001",
    "training.schedule=constant",
    "training.refit=false",
    "training.calibration=none",
)
CASES = [
    Case("IMDB", "imdb"),
    Case("IMDB, flatten", "imdb", overrides=FLATTEN),
    Case("NSMC", "nsmc_korean_binary"),
    Case("arXiv titles", "arxiv_title_primary"),
    # Otherwise the test table would also be the validation table.
    Case("SST-2", "sst2_glue", test="dev.csv", overrides=("data.validation=0.1",)),
    Case("TREC", "trec"),
    Case("SMS Spam", "sms_spam"),
    Case("GoEmotions", "goemotions_multilabel"),
    Case("Waimai", "waimai_10k_zh"),
]


def _flags(overrides: list[str]) -> list[str]:
    return [flag for override in overrides for flag in ("-s", override)]


def main(names: list[str]) -> None:
    """Measure the cases whose folder is named; all of them if none is."""
    folder = datasets()
    print("| set | training rows | train | predict | score | test | majority | command |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if names and case.folder not in names:
            continue
        if (folder / case.folder / "train.csv").is_file():
            print(measure(case, folder), flush=True)
        else:
            print(f"skipped: {case.name}: no {folder / case.folder}", file=sys.stderr)


def measure(case: Case, sets: Path) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        trained = embedclf(
            "train", *case.arguments(sets), "--no-baseline", "-o", run, "-q", "--json"
        )
        evaluated = embedclf("evaluate", "--run", run, "-q", "--json")
        table = sets / case.folder / case.test
        output = Path(folder) / "out.csv"
        predicted = embedclf("predict", table, "--run", run, "-q", "-o", output)
    record = json.loads(evaluated.stdout)
    rows = json.loads(trained.stdout)["data"]["train"]["rows"]
    score = next(iter(record["scores"]))
    cells = [
        case.name,
        f"{rows:,}",
        f"{trained.seconds:.1f} s",
        f"{predicted.seconds:.1f} s",
        score,
        f"{record['scores'][score]:.3f}",
        f"{record['majority'][score]:.3f}",
        case.command(),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
