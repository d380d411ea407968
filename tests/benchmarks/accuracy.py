"""Score the chosen settings beside peers and the classic on the test rows of public sets.

The sets are those of `public_sets` and `debian_sets`. SST-2 has no test labels, so its dev rows
stand in; nothing is chosen on them. A score is the mean over seeds, with their standard deviation
if there is one. Next to it are the seconds of the whole training, measured once. The classic is the
same config with flatten, no n-grams and random vectors. fastText and scikit-learn get all training
rows; of large tables we hold some out. Nothing was chosen by these scores, except that rules for
several labels per row were made with Debian's tags among others.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.accuracy [--minutes M] [--kept FILE]
        [--held-out] [--only WAY] [NAME ...]

`--minutes` adds the best config of a search of that many minutes per set. `--held-out` scores
another tenth of the training rows with each seed instead of the test rows: use it to choose
settings. All sets take hours: `--kept` names a file for the results, which are not measured again.
`--only` measures one way and takes the others from that file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.runs.run import Run
from embedclf.system.publishing.drafts import write_text
from tests.benchmarks.held_out import HELD_OUT, hold_out
from tests.benchmarks.processes import datasets, embedclf, peer, run

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = (1, 2, 3)
CLASSIC = ("model.pooling=flatten", "text.ngrams=1", "model.initialization=random")
FASTTEXT = {
    "fastText 5": ("-epoch", 5),
    "fastText 25, pairs": ("-epoch", 25, "-wordNgrams", 2),
}
TFIDF = {"TF-IDF + LR": 1, "TF-IDF + LR, pairs": 2}
WAYS = ("classic", "init", "tune", *FASTTEXT, *TFIDF)


@dataclass(frozen=True)
class PublicSet:
    """Where a set is, and how peers tokenize its texts."""

    folder: str
    test: str = "test.csv"
    unit: str = "word"
    separator: str = ""
    parted: Path | None = None
    """Where its splits are, if not in the set itself."""

    @property
    def train(self) -> Path:
        """The training table."""
        return self._place / "train.csv"

    @property
    def tested(self) -> Path:
        """The table that is scored."""
        return self._place / self.test

    @property
    def _place(self) -> Path:
        return self.parted or datasets() / self.folder


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
    "Debian, short": PublicSet("debian_sections_short"),
    "Debian": PublicSet("debian_sections"),
    "Debian, long": PublicSet("debian_long"),
    "Debian, tags": PublicSet("debian_tags", separator="|"),
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


@dataclass
class Kept:
    """What is measured, by set and way, in a file where one is named."""

    file: Path | None
    scored: dict[str, dict[str, Scored | None]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path | None) -> Kept:
        """The content of a file, if it exists."""
        if file is None or not file.is_file():
            return cls(file)
        stored = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            file,
            {
                folder: {
                    way: one and Scored(tuple(one["scores"]), one["seconds"])
                    for way, one in ways.items()
                }
                for folder, ways in stored.items()
            },
        )

    def add(self, folder: str, way: str, scored: Scored | None) -> None:
        """Store the result of a way."""
        self.scored.setdefault(folder, {})[way] = scored
        if self.file is not None:
            stored = {
                folder: {way: one and asdict(one) for way, one in ways.items()}
                for folder, ways in self.scored.items()
            }
            write_text(self.file, [json.dumps(stored, indent=1)])


def main() -> None:
    """Measure the named sets, or all that exist."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="folders of sets")
    parser.add_argument("--minutes", type=float, help="how long tune may take a set")
    parser.add_argument("--kept", type=Path, help="file of what is measured already")
    parser.add_argument("--held-out", action="store_true", help="score tenths of training rows")
    parser.add_argument("--only", choices=WAYS, help="the one way to measure")
    asked = parser.parse_args()
    head = ("set", "score", *WAYS, "rank of init")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    kept, ranks = Kept.read(asked.kept), []
    for name, public in SETS.items():
        if asked.names and public.folder not in asked.names:
            continue
        if not public.train.is_file():
            print(f"skipped: {name}: no {public.train}", file=sys.stderr)
            continue
        for way in WAYS if asked.only is None else (asked.only,):
            if kept.scored.get(public.folder, {}).get(way) is None:
                scored = (score_tenths if asked.held_out else score)(way, public, asked.minutes)
                kept.add(public.folder, way, scored)
        found = kept.scored[public.folder]
        measure = "micro-F1" if public.separator else "accuracy"
        cells = [str(found.get(way) or "–") for way in WAYS]
        ranks.append(rank(found))
        print(f"| {name} | {measure} | {' | '.join(cells)} | {ranks[-1] or '–'} |", flush=True)
    if measured := [one for one in ranks if one is not None]:
        print(f"\nmean rank of init: {statistics.mean(measured):.2f}")


def rank(found: dict[str, Scored | None]) -> int | None:
    """That of the config of `init` among all that nobody searched for."""
    means = {way: one.mean for way, one in found.items() if one is not None and way != "tune"}
    return 1 + sum(mean > means["init"] for mean in means.values()) if "init" in means else None


def score(
    way: str, public: PublicSet, minutes: float | None, seeds: tuple[int, ...] = SEEDS
) -> Scored | None:
    """A way to train on a set; None where it is missing or was not requested."""
    with tempfile.TemporaryDirectory() as place:
        if way in FASTTEXT:
            return fasttext(public, Path(place), FASTTEXT[way], seeds)
        if way in TFIDF:
            return tfidf(public, TFIDF[way])
        config = Path(place) / "config.yaml"
        embedclf("init", public.train, "--test", public.tested, "-o", config, "-q")
        if way == "tune":
            return None if minutes is None else tuned(config, minutes, seeds)
        overrides = CLASSIC if way == "classic" else ()
        return over_seeds(lambda seed: trained(config, seed, overrides), seeds)


def score_tenths(way: str, public: PublicSet, minutes: float | None) -> Scored | None:
    """The same, on other training rows held out with each seed; test rows are not looked at."""
    found = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as place:
            hold_out(public.train, seed, Path(place))
            parts = replace(public, test=HELD_OUT, parted=Path(place))
            found.append(score(way, parts, minutes, (seed,)))
    known = [one for one in found if one is not None]
    seconds = [one.seconds for one in known]
    scores = tuple(score for one in known for score in one.scores)
    return Scored(scores, statistics.median(seconds)) if known else None


def over_seeds(train: Callable[[int], tuple[float, float]], seeds: tuple[int, ...]) -> Scored:
    """Train with each seed: scores, and the median of the seconds."""
    scores, seconds = zip(*map(train, seeds), strict=True)
    return Scored(tuple(scores), statistics.median(seconds))


def trained(config: Path, seed: int, overrides: tuple[str, ...] = ()) -> tuple[float, float]:
    """The first score on the test rows, and the seconds."""
    flags = [flag for one in (f"seed={seed}", *overrides) for flag in ("-s", one)]
    with tempfile.TemporaryDirectory() as place:
        done = embedclf("train", config, "-q", "-o", Path(place) / "run", *flags)
        return first_score(Path(place) / "run"), done.seconds


def tuned(config: Path, minutes: float, seeds: tuple[int, ...]) -> Scored:
    """The config that a search finds, trained with each seed once it is over."""
    with tempfile.TemporaryDirectory() as place:
        done = embedclf("tune", config, "--minutes", minutes, "-o", place, "-q", "--json")
        shutil.rmtree(json.loads(done.stdout)["run"])
        return over_seeds(lambda seed: trained(Path(place) / "best.yaml", seed), seeds)


def first_score(folder: Path) -> float:
    """The first score of a run on its test rows."""
    scores: dict[str, float] = Run.open(folder).metrics()["test"]["scores"]
    return next(iter(scores.values()))


def fasttext(
    public: PublicSet, place: Path, options: tuple[object, ...], seeds: tuple[int, ...]
) -> Scored | None:
    """FastText, if it is installed, with options beside its defaults."""
    if shutil.which("fasttext") is None:
        print("skipped: fastText is not installed", file=sys.stderr)
        return None
    lines = [place / "train.txt", place / "test.txt"]
    given = (public.unit, public.separator)
    converted = [
        peer("fasttext-lines", table, line, *given)
        for table, line in zip((public.train, public.tested), lines, strict=True)
    ]
    loss = ("-loss", "ova") if public.separator else ()

    def trained(seed: int) -> tuple[float, float]:
        model = place / "model"
        files = ("-input", lines[0], "-output", model)
        arguments = (*files, "-seed", seed, "-thread", 2, "-verbose", 0)
        done = run("fasttext", "supervised", *arguments, *options, *loss)
        seconds = converted[0].seconds + done.seconds
        if not public.separator:
            precision = run("fasttext", "test", f"{model}.bin", lines[1]).stdout.split()[3]
            return float(precision), seconds
        answers = run("fasttext", "predict", f"{model}.bin", lines[1], -1, 0.5).stdout
        (place / "answers.txt").write_text(answers, encoding="utf-8")
        scored = peer("fasttext-f1", lines[1], place / "answers.txt").stdout
        return json.loads(scored)["score"], seconds

    return over_seeds(trained, seeds)


def tfidf(public: PublicSet, ngrams: int) -> Scored:
    """Scikit-learn, which is deterministic."""
    done = peer("tfidf-score", public.train, public.tested, ngrams, public.unit, public.separator)
    return Scored((json.loads(done.stdout)["score"],), done.seconds)


if __name__ == "__main__":
    main()
