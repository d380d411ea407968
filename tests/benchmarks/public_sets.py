"""Train, evaluate and predict on public data sets through the command line; print a table.

The folder of the sets is named by EMBEDCLF_DATASETS: `imdb/train.csv`, `imdb/test.csv` and so on,
with the columns `text` and `label`. Sets that are not there are skipped by name. Times are of whole
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

CONFIGS = Path(__file__).parents[2] / "configs"


@dataclass(frozen=True)
class Case:
    """A config, the files of its set, and what differs from the config."""

    name: str
    config: str
    folder: str
    test: str = "test.csv"
    validation: str | None = None
    overrides: tuple[str, ...] = ()

    def arguments(self, sets: Path) -> list[str]:
        """The config and the overrides, as `train` takes them."""
        folder = sets / self.folder
        overrides = [f"data.train={folder / 'train.csv'}", f"data.test={folder / self.test}"]
        if self.validation:
            overrides.append(f"data.validation={folder / self.validation}")
        flags = [flag for one in [*overrides, *self.overrides] for flag in ("-s", one)]
        return [str(CONFIGS / f"{self.config}.yaml"), *flags]

    def command(self) -> str:
        """What a reader types, who has the sets under data/."""
        overrides = "".join(f" -s {override}" for override in self.overrides)
        return f"`embedclf train configs/{self.config}.yaml{overrides}`"


FLATTEN = (
    "model.pooling=flatten",
    "model.dropout=0.5",
    "training.learning_rate=0.001",
    "training.epochs=10",
    "training.schedule=constant",
)
CASES = [
    Case("IMDB, average", "imdb", "imdb"),
    Case("IMDB, flatten", "imdb", "imdb", overrides=FLATTEN),
    Case("NSMC", "nsmc", "nsmc_korean_binary"),
    Case("arXiv titles", "arxiv", "arxiv_title_primary"),
    Case("SST-2", "sst2", "sst2_glue", test="dev.csv"),
    Case("TREC", "trec", "trec"),
    Case("SMS Spam", "sms-spam", "sms_spam"),
    Case("GoEmotions", "goemotions", "goemotions_multilabel", validation="dev.csv"),
    Case("Waimai, characters", "waimai", "waimai_10k_zh"),
]


def main(names: list[str]) -> None:
    """Measure the cases whose config is named; all of them when none is."""
    folder = datasets()
    print("| set | training rows | train | predict | score | test | majority | command |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if names and case.config not in names:
            continue
        if (folder / case.folder / "train.csv").is_file():
            print(measure(case, folder), flush=True)
        else:
            print(f"skipped: {case.name}: no {folder / case.folder}", file=sys.stderr)


def measure(case: Case, sets: Path) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        trained = embedclf("train", *case.arguments(sets), "-o", run, "-q", "--json")
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
