"""What a refit adds: the config of `init` with and without it, on rows that neither has seen.

On each set in EMBEDCLF_DATASETS that `init` chooses a refit for, three different tenths of the
training rows are held out. The other rows are trained on with three seeds. The columns are the
change in points, and how many of the nine trainings were better and worse. Test rows are not used.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.refits [NAME ...]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from embedclf.config.loading import load_config
from tests.benchmarks.accuracy import SEEDS, SETS, PublicSet, trained
from tests.benchmarks.held_out import HELD_OUT, hold_out
from tests.benchmarks.processes import embedclf

Pair = tuple[tuple[float, float], tuple[float, float]]
"""Score and seconds without, score and seconds with."""


def main() -> None:
    """Measure the named sets, or all that exist."""
    print("| set | training rows | without | with | points | better | worse | time |")
    print("|---|---|---|---|---|---|---|---|")
    for name, public in SETS.items():
        if (sys.argv[1:] and public.folder not in sys.argv[1:]) or not public.train.is_file():
            continue
        rows, pairs = measure(public)
        if not pairs:
            continue
        before, after = ([pair[at][0] for pair in pairs] for at in (0, 1))
        changes = [100 * (two - one) for one, two in zip(before, after, strict=True)]
        cells = [
            f"{rows:,}",
            f"{statistics.mean(before):.4f}",
            f"{statistics.mean(after):.4f}",
            f"{statistics.mean(changes):+.2f}",
            str(sum(change > 0 for change in changes)),
            str(sum(change < 0 for change in changes)),
            f"{statistics.median(two[1] / one[1] for one, two in pairs):.2f} ×",
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def measure(public: PublicSet) -> tuple[int, list[Pair]]:
    """The rows of the table, and the trainings; none if `init` chooses no refit."""
    pairs: list[Pair] = []
    rows = 0
    for number in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            rows = hold_out(public.train, number, place)
            config = place / "config.yaml"
            embedclf("init", place / "train.csv", "--test", place / HELD_OUT, "-o", config, "-q")
            if not load_config(config).training.refit:
                return rows, []
            pairs += [
                (trained(config, seed, ("training.refit=false",)), trained(config, seed))
                for seed in SEEDS
            ]
    return rows, pairs


if __name__ == "__main__":
    main()
