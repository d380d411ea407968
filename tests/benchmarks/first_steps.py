"""From a table to a verdict without an edit: init, check, train, evaluate on public sets.

The sets lie as `public_sets` tells. Nothing but the name of the training table is given. Times are
of whole processes, once each. A last table shows what a threshold is worth where one label is rare.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.first_steps [NAME ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import SEVERITIES, pluralize
from tests.benchmarks.processes import datasets, embedclf
from tests.benchmarks.public_sets import CONFIGS

if TYPE_CHECKING:
    from tests.benchmarks.processes import Finished

SETS = {
    "IMDB": "imdb",
    "SST-2": "sst2_glue",
    "AG News, a twelfth": "ag_news",
    "TREC": "trec",
    "SMS Spam": "sms_spam",
    "Banking77": "banking77",
    "GoEmotions": "goemotions_multilabel",
    "arXiv titles": "arxiv_title_primary",
    "NSMC": "nsmc_korean_binary",
    "Waimai": "waimai_10k_zh",
}
BY_HAND = CONFIGS / "sms-spam.yaml"
HEAD = (
    "set",
    "rows scored",
    "score",
    "run",
    "95 % interval",
    "majority",
    "TF-IDF",
    "better",
    "findings",
    "init",
    "check",
    "train",
    "evaluate",
)


def main(names: list[str]) -> None:
    """Take the steps on the sets that are named, or on all that are there."""
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for name, folder in SETS.items():
        table = datasets() / folder / "train.csv"
        if names and folder not in names:
            continue
        if table.is_file():
            print(_row([name, *steps(table)]), flush=True)
        else:
            print(f"skipped: {name}: no {table}", file=sys.stderr)
    spam = datasets() / "sms_spam" / "train.csv"
    if spam.is_file() and (not names or "sms_spam" in names):
        print("\n| SMS Spam | recall of spam | 95 % interval | precision | 95 % interval |")
        print("|---|---|---|---|---|")
        for by, config in (("`init`'s config", None), ("`configs/sms-spam.yaml`", BY_HAND)):
            for rule in ("0.5", "f1"):
                cells = [f"{by}, `training.threshold: {rule}`", *at_threshold(spam, config, rule)]
                print(_row(cells), flush=True)


def steps(table: Path) -> list[str]:
    """What the four commands come to, and their seconds."""
    with tempfile.TemporaryDirectory() as place:
        config, run = Path(place) / "config.yaml", Path(place) / "run"
        done = [
            embedclf("init", table, "-o", config),
            embedclf("check", config, "--json"),
            embedclf("train", config, "-o", run, "-q"),
            embedclf("evaluate", "--run", run, "--json"),
        ]
    evaluation = json.loads(done[-1].stdout)
    score = next(iter(evaluation["scores"]))
    baselines = evaluation["baselines"]
    split = "test" if evaluation["data"].startswith("test") else "validation"
    return [
        f"{evaluation['rows']:,} {split}",
        score,
        f"{evaluation['scores'][score]:.3f}",
        _interval(evaluation["intervals"][score]),
        f"{baselines['majority']['scores'][score]:.3f}",
        f"{baselines['tf-idf']['scores'][score]:.3f}",
        {"run": "run", "baseline": "TF-IDF", "unclear": "–"}[baselines["tf-idf"]["verdict"]],
        _findings(done[1]),
        *(f"{one.seconds:.1f} s" for one in done),
    ]


def at_threshold(table: Path, by_hand: Path | None, rule: str) -> list[str]:
    """Recall and precision of the positive label on the test rows, with their intervals."""
    with tempfile.TemporaryDirectory() as place:
        config, run = by_hand or Path(place) / "config.yaml", Path(place) / "run"
        if by_hand is None:
            embedclf("init", table, "-o", config)
        overrides = [f"training.threshold={rule}", f"data.train={table}"]
        overrides.append(f"data.test={table.with_name('test.csv')}")
        flags = [flag for one in overrides for flag in ("-s", one)]
        embedclf("train", config, "-o", run, "-q", *flags)
        evaluation = json.loads(
            embedclf("evaluate", "--run", run, "--json", "--no-baseline").stdout
        )
    names = ("recall", "precision")
    pairs = (
        (f"{evaluation['scores'][one]:.3f}", _interval(evaluation["intervals"][one]))
        for one in names
    )
    return [cell for pair in pairs for cell in pair]


def _findings(checked: Finished) -> str:
    found = [finding["severity"] for finding in json.loads(checked.stdout)["findings"]]
    return ", ".join(pluralize(found.count(one), one) for one in SEVERITIES if one in found)


def _interval(edges: list[float]) -> str:
    return f"{edges[0]:.3f} to {edges[1]:.3f}"


def _row(cells: list[Any]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
