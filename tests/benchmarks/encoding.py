"""Measure how fast texts are encoded, by token pattern; print a table.

Vocabulary and bigrams are learned from a training table, then its texts are encoded, each time by a
new process. With another checkout, the two take turns; the figures are medians. Time is CPU time,
so that other processes change it little.

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

PROGRAM = """
import json, sys, time
from embedclf.config.sections import TextConfig
from embedclf.system.arrow import split_batches
from embedclf.tables.tables import open_table
from embedclf.text.tokenizer import Tokenizer

path, rows, pattern, times = sys.argv[1:]
texts = open_table(path, ["text"]).read(["text"])["text"].combine_chunks()[: int(rows)]
config = TextConfig(vocabulary_size=50_000, ngrams=2, sequence_length=200, min_count=2)
try:
    from embedclf.text.token_rules import TokenRules
except ImportError:  # before there were patterns
    from embedclf.text.tokens import normalize, tokenize
    chunks = [tokenize(normalize(batch, lowercase=True), "word") for batch in split_batches(texts)]
    tokenizer = Tokenizer.fit([chunk.count() for chunk in chunks], config)
else:
    rules = TokenRules(pattern=pattern)
    chunks = [rules.tokenize(batch) for batch in split_batches(texts)]
    tokenizer = Tokenizer.fit([chunk.count() for chunk in chunks], rules, config)
tokenizer = tokenizer.fit_ngrams(chunks, config)
seconds = []
for _ in range(int(times)):
    began = time.process_time()
    tokenizer.encode(texts)
    seconds.append(time.process_time() - began)
print(json.dumps([min(seconds), sum(len(chunk.codes) for chunk in chunks)]))
"""


def main() -> None:
    """A row for each set and pattern."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="another checkout to compare with")
    parser.add_argument("--runs", type=int, default=5, help="processes for each figure")
    options = parser.parse_args()
    print("| set | pattern | tokens | time | base | speed |")
    print("|---|---|---|---|---|---|")
    for name in SETS:
        for cells in measure(datasets() / name / "train.csv", options.base, options.runs):
            print("|", " | ".join([name, *cells]), "|", flush=True)


def measure(path: Path, base: Path | None, runs: int) -> list[list[str]]:
    """The figures of one table: pattern, tokens, seconds, seconds of the base, speed."""
    seconds: dict[str, list[float]] = {pattern: [] for pattern in (*PATTERNS, "base")}
    tokens = dict.fromkeys(PATTERNS, 0)
    for _ in range(runs):
        for pattern in PATTERNS:
            one, tokens[pattern] = encode(path, pattern, ROOT)
            seconds[pattern].append(one)
        if base is not None:
            seconds["base"].append(encode(path, "classic", base)[0])
    medians = {pattern: statistics.median(each) for pattern, each in seconds.items() if each}
    rows = []
    for pattern in PATTERNS:
        cells = [pattern, f"{tokens[pattern]:,}", f"{medians[pattern]:.3f} s"]
        if base is not None:
            ratio = medians["base"] / medians[pattern]
            cells += [f"{medians['base']:.3f} s", f"{ratio:.2f}"]
        rows.append(cells)
    return rows


def encode(path: Path, pattern: str, checkout: Path) -> tuple[float, int]:
    """Encode a table with the code of a checkout; return CPU seconds and the number of tokens."""
    printed = run_checkout(checkout, "-c", PROGRAM, path, ROWS, pattern, 3)
    seconds, tokens = json.loads(printed)
    return seconds, tokens


if __name__ == "__main__":
    main()
