"""Measure how fast texts are encoded, by token pattern; print a table.

Vocabulary and bigrams are learned from a training table. Then its texts are encoded together, and
some of them one at a time, each time by a new process. With another checkout, the two take turns;
the figures are medians. Time is CPU time, so that other processes change it little.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.encoding [--base CHECKOUT] [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from tests.benchmarks.processes import datasets, run_checkout
from tests.conftest import ROOT

SETS = ("imdb", "sst2_glue", "ag_news", "goemotions_multilabel")
PATTERNS = ("classic", "words", "words_and_symbols")
ROWS = 20_000
ROWS_ALONE = 1_000
"""Texts to encode one at a time."""

PROGRAM = """
import json, sys, time
from embedclf.config.sections import TextConfig
from embedclf.system.arrow import split_batches
from embedclf.tables.tables import open_table
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer

path, rows, alone, pattern = sys.argv[1:]
texts = open_table(path, ["text"]).read(["text"])["text"].combine_chunks()[: int(rows)]
config = TextConfig(vocabulary_size=50_000, ngrams=2, sequence_length=200, min_count=2)
rules = TokenRules(pattern=pattern)
chunks = [rules.tokenize(batch) for batch in split_batches(texts)]
tokenizer = Tokenizer.fit([chunk.count() for chunk in chunks], rules, config)
tokenizer = tokenizer.fit_ngrams(chunks, config)

def measure(columns):
    began = time.process_time()
    for column in columns:
        tokenizer.encode(column)
    return (time.process_time() - began) / len(columns)

few = [[text] for text in texts[: int(alone)].to_pylist()]
print(json.dumps([min(measure([texts]) for _ in range(3)), measure(few)]))
"""


def main() -> None:
    """A row for each set and pattern."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="another checkout to compare with")
    parser.add_argument("--runs", type=int, default=5, help="processes for each figure")
    options = parser.parse_args()
    checkouts = {"": ROOT} if options.base is None else {"": ROOT, ", base": options.base}
    columns = [f"{what}{name}" for what in ("all texts", "one text") for name in checkouts]
    print("| set | pattern |", " | ".join(columns), "|")
    print("|---" * (2 + len(columns)) + "|")
    for name in SETS:
        path = datasets() / name / "train.csv"
        for pattern in PATTERNS:
            cells = measure(path, pattern, list(checkouts.values()), options.runs)
            print("|", " | ".join([name, pattern, *cells]), "|", flush=True)


def measure(path: Path, pattern: str, checkouts: list[Path], runs: int) -> list[str]:
    """The medians of all checkouts: of the seconds for all texts, then for a text alone."""
    rounds = [[encode(path, pattern, checkout) for checkout in checkouts] for _ in range(runs)]
    by_checkout = list(zip(*rounds, strict=True))
    together = [statistics.median(one for one, _ in each) for each in by_checkout]
    alone = [statistics.median(one for _, one in each) for each in by_checkout]
    return [f"{one:.3f} s" for one in together] + [f"{1e6 * one:.0f} μs" for one in alone]


def encode(path: Path, pattern: str, checkout: Path) -> tuple[float, float]:
    """Encode a table with the code of a checkout; return CPU seconds: for all, for one text."""
    printed = run_checkout(checkout, "-c", PROGRAM, path, ROWS, ROWS_ALONE, pattern)
    together, alone = json.loads(printed)
    return together, alone


if __name__ == "__main__":
    main()
