"""Score what `init` proposes beside peers and the classic on the test rows of public sets.

The sets lie as `public_sets` tells; SST-2 has no test labels, so that its dev rows stand in, which
nothing is chosen on. A score is the mean over seeds, with their standard deviation where there is
one; beside it the seconds of the whole training, tables read and run written, once. The classic is
the same config with flatten, no pairs of tokens, and vectors by chance. fastText and scikit-learn
get all training rows, we part some off to stop by. Nothing here was chosen by these scores.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.accuracy [--minutes M] [NAME ...]

`--minutes` adds what `tune` finds in so many minutes a set.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.run import Run
from tests.benchmarks.processes import datasets, embedclf, peer, run

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = (1, 2, 3)
CLASSIC = ("model.pooling=flatten", "text.ngrams=1", "model.initialization=random")
HEAD = ("set", "score", "classic", "init", "tune", *("fastText 5", "fastText 25, pairs"))
TFIDF = ("TF-IDF + LR", "TF-IDF + LR, pairs")


@dataclass(frozen=True)
class PublicSet:
    """Where a set lies, and how peers are to cut its texts."""

    folder: str
    test: str = "test.csv"
    unit: str = "word"
    separator: str = ""

    @property
    def train(self) -> Path:
        """The training table."""
        return datasets() / self.folder / "train.csv"

    @property
    def tested(self) -> Path:
        """The table that is scored."""
        return datasets() / self.folder / self.test


SETS = {
    "IMDB": PublicSet("imdb"),
    "SST-2, dev": PublicSet("sst2_glue", "dev.csv"),
    "AG News, a twelfth": PublicSet("ag_news"),
    "TREC": PublicSet("trec"),
    "SMS Spam": PublicSet("sms_spam"),
    "Banking77": PublicSet("banking77"),
    "GoEmotions": PublicSet("goemotions_multilabel", separator="|"),
    "arXiv titles": PublicSet("arxiv_title_primary"),
    "NSMC": PublicSet("nsmc_korean_binary"),
    "Waimai": PublicSet("waimai_10k_zh", unit="character"),
}


@dataclass(frozen=True)
class Scored:
    """The scores of a way to train, one a seed, and the seconds of one training."""

    scores: tuple[float, ...]
    seconds: float

    @property
    def mean(self) -> float:
        """Over seeds."""
        return statistics.mean(self.scores)

    def __str__(self) -> str:
        several = len(self.scores) > 1
        spread = f" ± {statistics.stdev(self.scores):.4f}" if several else ""
        return f"{self.mean:.4f}{spread} ({self.seconds:.1f} s)"


def main() -> None:
    """Measure the sets that are named, or all that are there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="folders of sets")
    parser.add_argument("--minutes", type=float, help="how long tune may take a set")
    asked = parser.parse_args()
    ways = (*HEAD, *TFIDF)
    print(f"| {' | '.join(ways)} | rank of init |\n|{'---|' * (len(ways) + 1)}")
    ranks = []
    for name, public in SETS.items():
        if asked.names and public.folder not in asked.names:
            continue
        if not public.train.is_file():
            print(f"skipped: {name}: no {public.train}", file=sys.stderr)
            continue
        found = measure(public, asked.minutes)
        ranks.append(rank(found))
        score = "micro-F1" if public.separator else "accuracy"
        cells = [str(found[way] or "–") for way in ways[2:]]
        print(f"| {name} | {score} | {' | '.join(cells)} | {ranks[-1]} |", flush=True)
    if ranks:
        print(f"\nmean rank of init: {statistics.mean(ranks):.2f}")


def rank(found: dict[str, Scored | None]) -> int:
    """That of the config of `init` among all that nobody searched for."""
    means = {way: one.mean for way, one in found.items() if one is not None and way != "tune"}
    return 1 + sum(mean > means["init"] for mean in means.values())


def measure(public: PublicSet, minutes: float | None) -> dict[str, Scored | None]:
    """All ways to train on a set."""
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "config.yaml"
        embedclf("init", public.train, "--test", public.tested, "-o", config, "-q")
        return {
            "classic": over_seeds(lambda seed: trained(config, seed, CLASSIC)),
            "init": over_seeds(lambda seed: trained(config, seed)),
            "tune": None if minutes is None else tuned(config, minutes),
            **fasttext(public, Path(place)),
            **{way: tfidf(public, pairs + 1) for pairs, way in enumerate(TFIDF)},
        }


def over_seeds(train: Callable[[int], tuple[float, float]]) -> Scored:
    """Train with each seed: scores, and the median of the seconds."""
    scores, seconds = zip(*map(train, SEEDS), strict=True)
    return Scored(tuple(scores), statistics.median(seconds))


def trained(config: Path, seed: int, overrides: tuple[str, ...] = ()) -> tuple[float, float]:
    """The first score on the test rows, and the seconds."""
    flags = [flag for one in (f"seed={seed}", *overrides) for flag in ("-s", one)]
    with tempfile.TemporaryDirectory() as place:
        done = embedclf("train", config, "-q", "-o", Path(place) / "run", *flags)
        return first_score(Path(place) / "run"), done.seconds


def tuned(config: Path, minutes: float) -> Scored:
    """What a search finds: its run scores the test rows once, at the end."""
    with tempfile.TemporaryDirectory() as place:
        done = embedclf("tune", config, "--minutes", minutes, "-o", place, "-q", "--json")
        told = json.loads(done.stdout)
        score = first_score(Path(told["run"]))
        shutil.rmtree(told["run"])
    return Scored((score,), done.seconds)


def first_score(folder: Path) -> float:
    """The first score of a run on its test rows."""
    scores: dict[str, float] = Run.open(folder).metrics()["test"]["scores"]
    return next(iter(scores.values()))


def fasttext(public: PublicSet, place: Path) -> dict[str, Scored | None]:
    """Its default of 5 epochs, and 25 with pairs of words; None where it is not installed."""
    ways = {HEAD[5]: ("-epoch", 5), HEAD[6]: ("-epoch", 25, "-wordNgrams", 2)}
    if shutil.which("fasttext") is None:
        print("skipped: fastText is not installed", file=sys.stderr)
        return dict.fromkeys(ways)
    lines = [place / "train.txt", place / "test.txt"]
    given = (public.unit, public.separator)
    converted = [
        peer("fasttext-lines", table, line, *given)
        for table, line in zip((public.train, public.tested), lines, strict=True)
    ]

    def trained(seed: int, options: tuple[object, ...]) -> tuple[float, float]:
        model = place / "model"
        loss = ("-loss", "ova") if public.separator else ()
        told = ("-input", lines[0], "-output", model, "-seed", seed, "-thread", 2, "-verbose", 0)
        done = run("fasttext", "supervised", *told, *options, *loss)
        seconds = converted[0].seconds + done.seconds
        if not public.separator:
            precision = run("fasttext", "test", f"{model}.bin", lines[1]).stdout.split()[3]
            return float(precision), seconds
        answers = run("fasttext", "predict", f"{model}.bin", lines[1], -1, 0.5).stdout
        (place / "answers.txt").write_text(answers, encoding="utf-8")
        scored = peer("fasttext-f1", lines[1], place / "answers.txt").stdout
        return json.loads(scored)["score"], seconds

    return {
        way: over_seeds(lambda seed, options=options: trained(seed, options))  # type: ignore[misc]
        for way, options in ways.items()
    }


def tfidf(public: PublicSet, ngrams: int) -> Scored:
    """Scikit-learn, which has no chance in it."""
    done = peer("tfidf-score", public.train, public.tested, ngrams, public.unit, public.separator)
    return Scored((json.loads(done.stdout)["score"],), done.seconds)


if __name__ == "__main__":
    main()
