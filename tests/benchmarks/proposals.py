"""Score what `init` proposes for public data sets beside configs made by hand; print a table.

The sets lie as `public_sets` tells. Both configs are trained with the same rows held out, which are
what is scored. Times are of whole processes, once each.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.proposals
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.processes import datasets, embedclf
from tests.benchmarks.public_sets import CONFIGS

SETS: dict[str, tuple[str, str | None, str]] = {
    "IMDB": ("imdb", "imdb", "0.1"),
    "NSMC": ("nsmc_korean_binary", "nsmc", "0.02"),
    "arXiv titles": ("arxiv_title_primary", "arxiv", "0.1"),
    "SST-2": ("sst2_glue", "sst2", "0.1"),
    "GoEmotions": ("goemotions_multilabel", "goemotions", "dev.csv"),
    "Waimai": ("waimai_10k_zh", "waimai", "0.1"),
    "TREC": ("trec", "trec", "0.1"),
    "SMS Spam": ("sms_spam", "sms-spam", "0.1"),
    "AG News, a twelfth": ("ag_news", None, "0.1"),
    "Banking77": ("banking77", None, "0.1"),
}
"""The folder of each set, the config made by hand, and what is held out."""


def main() -> None:
    """Measure all sets that are there."""
    print("| set | `init` takes | its config | by hand |")
    print("|---|---|---|---|")
    for name, (folder, config, held_out) in SETS.items():
        table = datasets() / folder / "train.csv"
        if not table.is_file():
            print(f"skipped: {name}: no {table}", file=sys.stderr)
            continue
        validation = held_out if held_out[0].isdigit() else str(table.parent / held_out)
        with tempfile.TemporaryDirectory() as place:
            proposed = Path(place) / "proposed.yaml"
            asked = embedclf("init", table, "-o", proposed, "-q")
            ours = score(proposed, table, validation)
            theirs = score(CONFIGS / f"{config}.yaml", table, validation) if config else "–"
        print(f"| {name} | {asked.seconds:.1f} s | {ours} | {theirs} |", flush=True)


def score(config: Path, table: Path, validation: str) -> str:
    """The first score of a config on the rows held out."""
    with tempfile.TemporaryDirectory() as place:
        overrides = [f"data.train={table}", f"data.validation={validation}", "data.test=null"]
        overrides.append("training.refit=false")
        flags = [flag for one in overrides for flag in ("-s", one)]
        trained = embedclf("train", config, *flags, "-q", "--json", "-o", Path(place) / "run")
    scores = json.loads(trained.stdout)["metrics"]["validation"]["scores"]
    return f"{next(iter(scores.values())):.3f}"


if __name__ == "__main__":
    main()
