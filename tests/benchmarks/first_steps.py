"""From a table to a verdict without an edit: init, check, train, evaluate on public sets.

The sets are those of `public_sets`. Only the training table is named. Times are
of whole processes, once each. A last table shows the effect of a threshold where one label is rare.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.first_steps [NAME ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import SEVERITIES
from embedclf.system.terminal import format_count
from tests.benchmarks.processes import datasets, embedclf

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
HEAD = (
    "set",
    "rows scored",
    "score",
    "run",
    "95% interval",
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
    """Take the steps on the named sets, or on all that exist."""
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
        print("\n| SMS Spam | recall of spam | 95% interval | precision | 95% interval |")
        print("|---|---|---|---|---|")
        for rule in ("0.5", "f1"):
            print(_row([f"`training.threshold: {rule}`", *at_threshold(spam, rule)]), flush=True)


def steps(table: Path) -> list[str]:
    """The results of the four commands, and their seconds."""
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


def at_threshold(table: Path, rule: str) -> list[str]:
    """Recall and precision of the positive label on the test rows, with their intervals."""
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        embedclf("train", table, "-o", run, "-q", "-s", f"training.threshold={rule}")
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
    return ", ".join(format_count(found.count(one), one) for one in SEVERITIES if one in found)


def _interval(edges: list[float]) -> str:
    return f"{edges[0]:.3f} to {edges[1]:.3f}"


def _row(cells: list[Any]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
