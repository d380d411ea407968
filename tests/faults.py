"""Clean tables with a config, and faults that are planted in known rows."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.conftest import write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = list[str]  # source, text, label
Place = tuple[str, int]
"""A split, and the index of a row in it."""
SIZES = {"train": 400, "validation": 100, "test": 100}
WORDS = [f"{a}{b}{c}" for a in "bdfg" for b in "aeio" for c in ("l", "n", "rk", "st")]
LABELS = {
    "binary": ["calm", "storm"],
    "multiclass": ["calm", "rain", "storm"],
    "multilabel": ["calm", "calm|rain", "rain", "rain|storm", "storm", "storm|calm"],
}


SETTINGS = """
text:
  {unit: word, token_pattern: words, html: false, vocabulary_size: 10000, sequence_length: 20,
   min_count: 1, ngrams: 1, ngram_vocabulary_size: 200000}
model: {embedding_dim: 8, initialization: random, vectors: none, pooling: flatten, dropout: 0.0}
training:
  {epochs: 10, batch_size: 32, learning_rate: 0.001, schedule: constant, refit: false,
   class_weight: none, calibration: none, threshold: 0.5, teacher: none,
   epochs_by: validation, early_stopping: 3}
"""


def config_text(**data: str) -> str:
    """A config without keys to be chosen from the data; `data` are values of its section data."""
    keys = {
        "validation": "0.1",
        "test": "null",
        "text": "text",
        "label": "label",
        "label_separator": "null",
        "skip_invalid": "false",
        **data,
    }
    return f"data: {{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}{SETTINGS}"


@dataclass
class Tables:
    """Tables without faults, until some are planted."""

    task: str = "multiclass"
    splits: dict[str, list[Row]] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    """Overrides of the config."""

    def __post_init__(self) -> None:
        self._rng = random.Random(7)  # noqa: S311 - texts, no secrets
        labels = LABELS[self.task]
        for name, size in SIZES.items():
            self.splits[name] = [
                [self._rng.choice(["web", "app"]), self.text(), labels[row % len(labels)]]
                for row in range(size)
            ]

    def text(self) -> str:
        """Twelve different words; two such texts share about a fifth of them."""
        return " ".join(self._rng.sample(WORDS, 12))

    def write(self, folder: Path) -> Path:
        """Write the tables and their config; return the path of the config."""
        for name, rows in self.splits.items():
            write_csv(folder / f"{name}.csv", ["source", "text", "label"], rows)
        data = {name: f"{name}.csv" for name in self.splits}
        if self.task == "multilabel":
            data["label_separator"] = '"|"'
        config = folder / "config.yaml"
        config.write_text(config_text(**data), encoding="utf-8")
        return config

    def line(self, place: Place) -> str:
        """The location of a row, as `file:line`; the header is line 1."""
        split, row = place
        newlines = sum(text.count("\n") for _, text, _ in self.splits[split][:row])
        return f"{split}.csv:{2 + row + newlines}"

    def flags(self) -> list[str]:
        return [flag for key, value in self.options.items() for flag in ("-s", f"{key}={value}")]


@dataclass(frozen=True)
class Planted:
    """The finding that a fault must lead to."""

    kind: str
    count: int
    rows: list[Place]
    """The examples, in order."""
    twins: list[Place] = field(default_factory=list)
    severity: str = "warning"


def equal_texts(tables: Tables) -> Planted:
    train, test = tables.splits["train"], tables.splits["test"]
    for row in (3, 50, 99):
        test[row][1:] = [train[row + 7][1].upper() + "!", train[row + 7][2]]
    twins = [("train", row + 7) for row in (3, 50, 99)]
    return Planted("leak-equal", 3, [("test", row) for row in (3, 50, 99)], twins)


def equal_validation_texts(tables: Tables) -> Planted:
    tables.splits["validation"][8][1:] = tables.splits["train"][0][1:]
    return Planted("leak-equal", 1, [("validation", 8)], [("train", 0)])


def texts_of_validation_in_test(tables: Tables) -> Planted:
    tables.splits["test"][8][1:] = tables.splits["validation"][9][1:]
    return Planted("leak-equal", 1, [("test", 8)], [("validation", 9)])


def mostly_equal_texts(tables: Tables) -> Planted:
    for row in range(60):
        tables.splits["test"][row][1:] = tables.splits["train"][row][1:]
    places = [("test", row) for row in range(3)]
    return Planted("leak-equal", 60, places, [("train", row) for row in range(3)], "error")


def nearly_equal_texts(tables: Tables) -> Planted:
    rows = (1, 20, 77)
    for row in rows:
        words = tables.splits["train"][row + 100][1].split()
        words[4] = "otherwise"
        tables.splits["test"][row][1] = " ".join(reversed(words))
    twins = [("train", row + 100) for row in rows]
    return Planted("leak-near", 3, [("test", row) for row in rows], twins)


def conflicts(tables: Tables) -> Planted:
    rows = tables.splits["train"]
    for row in (10, 40, 70):
        rows[row + 1][1] = rows[row][1]
        assert rows[row][2] != rows[row + 1][2]
    places = [("train", row) for row in (10, 40, 70)]
    twins = [("train", row + 1) for row in (10, 40, 70)]
    return Planted("label-conflict", 6, places, twins, "warning")


def dropped_symbols(tables: Tables) -> Planted:
    rows = tables.splits["train"]
    for row in (10, 40, 70):
        rows[row + 1][1] = rows[row][1] + " ?!"
        rows[row][1] += " :)"
        assert rows[row][2] != rows[row + 1][2]
    places = [("train", row) for row in (10, 40, 70)]
    return Planted("text-dropped", 6, places, [("train", row + 1) for row in (10, 40, 70)])


def duplicates(tables: Tables) -> Planted:
    rows = tables.splits["train"]
    for row in (60, 160, 260, 360):
        rows[row] = rows[30].copy()
    places = [("train", row) for row in (60, 160, 260)]
    return Planted("duplicate", 4, places, [("train", 30)] * 3, "note")


def _texts(kind: str, texts: list[str], severity: str = "note") -> Callable[[Tables], Planted]:
    def plant(tables: Tables) -> Planted:
        rows = [17 * number + 2 for number in range(len(texts))]
        for row, text in zip(rows, texts, strict=True):
            tables.splits["train"][row][1] = text
        places = [("train", row) for row in rows[:3]]
        return Planted(kind, len(texts), places, severity=severity)

    return plant


def truncated_texts(tables: Tables) -> Planted:
    for row in range(50, 100):
        tables.splits["train"][row][1] += " " + " ".join(WORDS[:18])
    return Planted("text-truncated", 50, [("train", row) for row in (50, 51, 52)])


def unknown_tokens(tables: Tables) -> Planted:
    for row in range(0, 100, 5):
        tables.splits["test"][row][1] = " ".join(f"q{row}x{number}" for number in range(12))
    return Planted("token-oov", 240, [("test", row) for row in (0, 5, 10)])


def label_forms(tables: Tables) -> Planted:
    rows = tables.splits["train"]
    for row, label in ((0, "Calm"), (3, "Calm"), (6, "calm "), (9, "calm ")):
        assert rows[row][2] == "calm"
        rows[row][2] = label
    return Planted("label-forms", 3, [("train", row) for row in (12, 0, 6)])


def unicode_forms(tables: Tables) -> Planted:
    for rows in tables.splits.values():
        for row in rows:
            row[2] = row[2].replace("calm", "caf\u00e9")
    tables.splits["test"][0][2] = "cafe\u0301"
    return Planted("label-forms", 2, [("train", 0), ("test", 0)])


def small_classes(tables: Tables) -> Planted:
    tables.splits["train"][200][2] = "fog"
    return Planted("label-small", 1, [("train", 200)])


def unscored_classes(tables: Tables) -> Planted:
    for rows in (tables.splits["train"], tables.splits["validation"]):
        for row in rows[:40]:
            row[2] = "fog"
    return Planted("label-unscored", 1, [("train", 0)], severity="note")


def unseen_labels(tables: Tables) -> Planted:
    tables.splits["test"][5][2] = tables.splits["test"][9][2] = "hail"
    return Planted("label-unseen", 2, [("test", 5)])


def unseen_in_validation(tables: Tables) -> Planted:
    tables.splits["validation"][5][2] = "hail"
    return Planted("label-unseen", 1, [("validation", 5)], severity="error")


def few_rows(tables: Tables) -> Planted:
    del tables.splits["validation"][29:]
    return Planted("rows-few", 29, [], severity="note")


def imbalance(tables: Tables) -> Planted:
    for row in tables.splits["train"][:390]:
        row[2] = "calm"
    count = sum(row[2] == "calm" for row in tables.splits["train"])
    return Planted("label-imbalance", count, [("train", 391)])


def rare_labels(tables: Tables) -> Planted:
    for row in tables.splits["train"]:
        row[2] = {"rain": "storm"}.get(row[2], row[2])
    for number in (5, 10):
        tables.splits["train"][number][2] = "rain"
    count = max(
        sum(row[2] == label for row in tables.splits["train"]) for label in ("calm", "storm")
    )
    return Planted("label-imbalance", count, [("train", 5)], severity="note")


def tokens(tables: Tables) -> Planted:
    carrying = [row for row in tables.splits["train"] if row[2] == "storm"]
    for row in carrying[3:]:
        row[1] = f"{row[1]} Storm"
    places = [("train", tables.splits["train"].index(row)) for row in carrying[3:6]]
    return Planted("leakage-token", len(carrying) - 3, places)


def columns(tables: Tables) -> Planted:
    tables.options["data.text"] = "[source, text]"
    names = {"calm": "desk", "rain": "phone", "storm": "shop"}
    for row in tables.splits["train"]:
        row[0] = names[row[2]]
    tables.splits["train"][0][0] = "shop"
    return Planted("leakage-column", 399, [("train", row) for row in range(3)])


def _written(form: Callable[[int, str], str]) -> Callable[[Tables], Planted]:
    """Put a mark that depends on the label into every fourth text."""

    def plant(tables: Tables) -> Planted:
        marks = {"calm": 9, "rain": 5, "storm": 1}
        rows = range(0, 400, 4)
        for row in rows:
            _, text, label = tables.splits["train"][row]
            tables.splits["train"][row][1] = form(marks[label], text)
        return Planted("leakage-value", 100, [("train", row) for row in rows[:3]])

    return plant


def _labels(kind: str, labels: list[str], severity: str = "warning") -> Callable[[Tables], Planted]:
    """Give the first training rows other labels."""

    def plant(tables: Tables) -> Planted:
        for row, label in zip(tables.splits["train"], labels, strict=False):
            row[2] = label
        rows = [("train", row) for row in range(len(labels))]
        return Planted(kind, len(labels), rows, severity=severity)

    return plant


PLANTS: dict[str, Callable[[Tables], Planted]] = {
    "equal texts": equal_texts,
    "equal texts in validation": equal_validation_texts,
    "equal texts in validation and test": texts_of_validation_in_test,
    "a test that is mostly training": mostly_equal_texts,
    "nearly equal texts": nearly_equal_texts,
    "one text, two labels": conflicts,
    "labels of symbols that are no tokens": dropped_symbols,
    "duplicates": duplicates,
    "blank texts": _texts("text-blank", ["", "  ", "?!", "\u3000"]),
    "many blank texts": _texts("text-blank", [""] * 6, "warning"),
    "null-like texts": _texts("text-null-like", ["NaN", " null", "N/A", "None"]),
    "texts of one token": _texts("text-one-token", ["wind", "fog!", "sun..."]),
    "truncated texts": truncated_texts,
    "tokens out of vocabulary": unknown_tokens,
    "labels in other cases": label_forms,
    "labels in other Unicode forms": unicode_forms,
    "labels that mean that there is none": _labels("label-null-like", ["#N/A", "nan", "none"]),
    "a label that can be a real one": _labels("label-null-like", ["none"], "note"),
    "lists without quotes": _labels("label-list-like", ["[calm, rain]", "{rain,storm}"]),
    "classes of one row": small_classes,
    "classes without scored rows": unscored_classes,
    "labels without training rows": unseen_labels,
    "validation labels without training rows": unseen_in_validation,
    "few validation rows": few_rows,
    "one label in nearly all rows": imbalance,
    "one label in hardly any row": rare_labels,
    "a token that reveals the label": tokens,
    "a column that reveals the label": columns,
    "ratings of ten": _written(lambda mark, text: f"{text}, {mark}/10"),
    "ratings in words": _written(lambda mark, text: f"{text}. Rating: {mark}"),
    "stars": _written(lambda mark, text: f"{text} {'★' * mark}"),
    "stars in words": _written(lambda mark, text: f"{mark} stars: {text}"),
    "headers": _written(lambda mark, text: f"From: me\nNewsgroups: rec.{mark}\n\n{text}"),
    "marks at the beginning": _written(lambda mark, text: f"Group={mark} {text}"),
}

UNREADABLE: dict[str, tuple[str, bytes, str, list[str]]] = {
    "cells too many and too few": (
        "train.csv",
        b"text,label\na b,x\nc d,y,z\ne\n\nf g,y\nh,i,j,k\n",
        "row-unreadable",
        ["train.csv:3", "train.csv:4", "train.csv:7"],
    ),
    "more behind a quote": (
        "train.csv",
        b'text,label\n"a" b,x\n"c\nd" e,y\n"f",x\n',
        "row-unreadable",
        ["train.csv:2", "train.csv:3"],
    ),
    "an open quote": (
        "train.csv",
        b'text,label\na b,x\n"c d,y\ne f,x\n',
        "row-unreadable",
        ["train.csv:3"],
    ),
    "other bytes": (
        "train.csv",
        b"text,label\ncaf\xe9,x\nc d,y\n\xe4\xe4,x\n",
        "bytes-unreadable",
        ["train.csv:2", "train.csv:4"],
    ),
    "broken JSON": (
        "train.jsonl",
        b'{"text": "a", "label": "x"}\n{"text": "b"}\n\n{"text"\n{"text": "c", "label": "y"}\n',
        "row-unreadable",
        ["train.jsonl:4"],
    ),
}
"""A file, its content, the kind of its one finding, and the locations of its rows."""
