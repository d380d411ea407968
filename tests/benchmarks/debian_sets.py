"""Make sets from the package descriptions of a Debian release.

Both files are in a Debian archive, as `main/binary-amd64/Packages` and `main/i18n/Translation-en`,
compressed by gzip, bzip2, XZ or LZ4. The texts are descriptions: short, whole, or whole and long.
The labels are the section of a package, or its tags (several per row). A fifth of the sources is
test rows: packages of one source have similar descriptions. Texts that differ only in case and
punctuation are kept once.

    python -m tests.benchmarks.debian_sets PACKAGES DESCRIPTIONS FOLDER
"""

from __future__ import annotations

import lzma
import random
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = tuple[str, str, str]  # text, labels, source

FIELD = re.compile(r"^([^\s:]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
FACETS = "use works-with field game made-of protocol interface implemented-in".split()
LEAST_OF_SECTION, LEAST_OF_TAG = 100, 150
LONG_WORDS, LONG_SECTIONS = 75, 20
"""Words that a long text has at least, and the number of sections with the most such texts."""


def main() -> None:
    """Write `train.csv` and `test.csv` of four sets."""
    packages, descriptions, folder = map(Path, sys.argv[1:])
    texts = {one["Description-md5"]: one["Description-en"] for one in stanzas(descriptions)}
    short, whole, tagged = [], [], []
    for package in stanzas(packages):
        if (text := texts.get(package.get("Description-md5", ""))) is None:
            continue
        source = package.get("Source", package["Package"]).split(" ")[0]
        lines = [line.strip() for line in text.split("\n")]
        joined = " ".join(line for line in lines if line != ".")
        tags = [tag.strip() for tag in package.get("Tag", "").split(",")]
        purposes = [tag for tag in tags if tag.partition("::")[0] in FACETS]
        short.append((lines[0], package["Section"], source))
        whole.append((joined, package["Section"], source))
        tagged.append((joined, "|".join(purposes), source))
    write(folder / "debian_sections_short", often(short, LEAST_OF_SECTION))
    write(folder / "debian_sections", often(whole, LEAST_OF_SECTION))
    write(folder / "debian_long", largest([row for row in whole if is_long(row[0])], LONG_SECTIONS))
    write(folder / "debian_tags", often(tagged, LEAST_OF_TAG))


def stanzas(path: Path) -> Iterator[dict[str, str]]:
    """The fields of each package."""
    if path.suffix == ".xz":
        content = lzma.decompress(path.read_bytes())
    else:
        with pa.input_stream(path, compression="detect") as file:
            content = file.read()
    for paragraph in content.decode("utf-8").split("\n\n"):
        if fields := dict(FIELD.findall(paragraph)):
            yield fields


def often(rows: list[Row], least: int) -> list[Row]:
    """Rows with their frequent labels; rows without any are left out."""
    counts = Counter(label for _, labels, _ in rows for label in labels.split("|"))
    kept = []
    for text, labels, source in rows:
        if frequent := [one for one in labels.split("|") if one and counts[one] >= least]:
            kept.append((text, "|".join(frequent), source))
    return kept


def is_long(text: str) -> bool:
    """Whether a text has many words."""
    return len(re.findall(r"\w+", text)) >= LONG_WORDS


def largest(rows: list[Row], labels: int) -> list[Row]:
    """Rows of the most frequent labels."""
    kept = {label for label, _ in Counter(row[1] for row in rows).most_common(labels)}
    return [row for row in rows if row[1] in kept]


def write(folder: Path, rows: list[Row]) -> None:
    """Split rows by source, and write both tables."""
    once: dict[str, Row] = {}
    for row in rows:
        once.setdefault(re.sub(r"\W+", " ", row[0].lower()).strip(), row)
    once.pop("", None)
    sources = sorted({source for _, _, source in once.values()})
    random.Random(7).shuffle(sources)  # noqa: S311
    tested = set(sources[: len(sources) // 5])
    splits: dict[str, list[Row]] = {"train": [], "test": []}
    for row in once.values():
        splits["test" if row[2] in tested else "train"].append(row)
    random.Random(8).shuffle(splits["train"])  # noqa: S311
    learned = {label for _, labels, _ in splits["train"] for label in labels.split("|")}
    splits["test"] = [row for row in splits["test"] if set(row[1].split("|")) <= learned]
    folder.mkdir(parents=True, exist_ok=True)
    for name, split in splits.items():
        table = pd.DataFrame([row[:2] for row in split], columns=["text", "label"])
        table.to_csv(folder / f"{name}.csv", index=False)
    print(f"{folder}: {', '.join(f'{len(split):,} {name}' for name, split in splits.items())}")


if __name__ == "__main__":
    main()
