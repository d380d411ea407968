"""Columns, found through the command on small tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

TEXTS = reviews(120)
WORDS, MARKS = [text for text, _ in TEXTS], [label for _, label in TEXTS]
DAYS = [f"2020-{number % 12 + 1:02d}-{number % 28 + 1:02d}" for number in range(120)]
TABLES: dict[str, tuple[str | list[str], str | list[str], dict[str, list[Any]]]] = {
    "usual": ("text", "label", {"text": WORDS, "label": MARKS}),
    "films": (
        "review",
        "sentiment",
        {
            "id": [*range(120)],
            "date": DAYS,
            "review": WORDS,
            "sentiment": MARKS,
        },
    ),
    "nameless": (
        "v2",
        "v1",
        {"v1": MARKS, "v2": WORDS, "": [""] * 120},
    ),
    "tweets": (
        "text",
        "airline_sentiment",
        {
            "tweet_id": [570306133677760513 + n for n in range(120)],
            "airline_sentiment": MARKS,
            "airline_sentiment_confidence": [f"0.{n * 37 % 9000 + 1000}" for n in range(120)],
            "reason": ["late" if n % 3 else "lost" if n % 2 else "" for n in range(120)],
            "airline": ["a" if n % 3 else "b" for n in range(120)],
            "retweet_count": [n % 4 for n in range(120)],
            "text": WORDS,
            "url": [f"https://example.org/a-b/{n}?long=query&and=more-of-it" for n in range(120)],
        },
    ),
    "numbers": (
        "Phrase",
        "Sentiment",
        {
            "PhraseId": [*range(120)],
            "SentenceId": [n // 8 for n in range(120)],
            "Phrase": WORDS,
            "Sentiment": [n % 5 for n in range(120)],
        },
    ),
    "stars": (
        "body",
        "stars",
        {
            "title": [f"{n} is it" for n in range(120)],
            "body": WORDS,
            "stars": [f"{n % 5 + 1}.0" for n in range(120)],
        },
    ),
    "flags": (
        "comment_text",
        ["toxic", "obscene"],
        {
            "id": [f"{n:016x}" for n in range(120)],
            "comment_text": WORDS,
            "toxic": [n % 2 for n in range(120)],
            "obscene": ["true" if n % 3 else "False" for n in range(120)],
            "threat": [0] * 120,
        },
    ),
    "words": (
        "name",
        "kind",
        {
            "name": [
                f"n{'xyzabc'[n % 6]}{'klmno' * (n % 7)}{chr(97 + n % 26)}" for n in range(120)
            ],
            "kind": MARKS,
        },
    ),
}


def table(folder: Path, columns: dict[str, list[Any]]) -> Path:
    return write_csv(folder / "t.csv", [*columns], [*zip(*columns.values(), strict=True)])


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_found(tmp_path: Path, invoke: Invoke, name: str) -> None:
    text, label, columns = TABLES[name]
    told = invoke("init", table(tmp_path, columns), "-o", "-", "-q", "--json").stdout
    settings = json.loads(told)["settings"]
    assert settings["data.text"]["value"] == text
    assert settings["data.label"]["value"] == label


def test_how_columns_were_told_is_said(tmp_path: Path, invoke: Invoke) -> None:
    films = table(tmp_path, TABLES["films"][2])
    told = " ".join(invoke("init", films, "-o", "-").stderr.split())
    assert "'review': words, 100 % of them different, 3" in told
    assert "'sentiment': 2 different words in the 120 rows looked at; binary, 2 labels" in told
    flags = table(tmp_path, TABLES["flags"][2])
    told = " ".join(invoke("init", flags, "-o", "-").stderr.split())
    assert "2 columns of 0 and 1; multilabel, 2 labels: 'obscene' 80, 'toxic' 60" in told
    assert "always the same and left out: 'threat'" in told
    stars = table(tmp_path, TABLES["stars"][2])
    told = " ".join(invoke("init", stars, "-o", "-").stderr.split())
    assert "for more of the texts: --text 'body' --text 'title'" in told


def test_columns_that_are_named_are_taken(tmp_path: Path, invoke: Invoke) -> None:
    films = table(tmp_path, TABLES["films"][2])
    args = ["init", films, "-o", "-", "-q", "--json"]
    told = invoke(*args, "--text", "review", "--text", "date", "--label", "sentiment").stdout
    settings = json.loads(told)["settings"]
    assert settings["data.text"]["value"] == ["review", "date"]
    assert settings["data.text"]["reason"].endswith("(as asked for)")
    told = invoke(*args, "--text", "story", status=1).stderr
    assert "no column 'story'" in told
    flags = table(tmp_path, TABLES["flags"][2])
    args[1] = flags
    told = invoke(*args, "--label", "threat", "--label", "toxic").stdout
    settings = json.loads(told)["settings"]
    assert settings["data.label"]["value"] == ["threat", "toxic"]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["--text", "v2", "--label", "v2"], "column 'v2' is named twice; name it once"),
        (["--text", "v2", "--text", "v2"], "column 'v2' is named twice; name it once"),
        (["--label", ""], "name a column; give it a name if it has none"),
    ],
)
def test_a_column_is_named_once(
    tmp_path: Path, invoke: Invoke, names: list[str], fault: str
) -> None:
    path = table(tmp_path, TABLES["nameless"][2])
    told = invoke("init", path, *names, status=2).stderr
    assert told == f"embedclf: --text and --label: {fault}\n"


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (
            {"question1": WORDS[:60], "question2": WORDS[60:], "label": [0, 1] * 30},
            "'question1' and 'question2' may both be the text; name one by --text, or both",
        ),
        (
            {"text": WORDS[:60], "country": ["a", "b"] * 30, "device": ["x", "y", "z"] * 20},
            "'country' and 'device' may be the label; name it by --label",
        ),
        (
            {"text": WORDS[:60], **{f"c{n}": ["a", "b"] * 30 for n in range(4)}},
            "several columns may be the label; name it by --label",
        ),
        ({"id": range(60), "label": [0, 1] * 30}, "no column holds texts; name one by --text"),
        ({"text": WORDS[:60], "label": ["a"] * 60}, "no column holds labels; name it by --label"),
        ({"text": WORDS[:60], "n": range(60)}, "no column holds labels; name it by --label"),
    ],
    ids=["two texts", "two labels", "many labels", "no text", "one label", "no label"],
)
def test_what_cannot_be_told_is_asked_with_all_columns_listed(
    tmp_path: Path, invoke: Invoke, columns: dict[str, list[Any]], fault: str
) -> None:
    path = table(tmp_path, columns)
    told = invoke("init", path, "-o", tmp_path / "x.yaml", status=1).stderr
    assert told.startswith(f"embedclf: {path}: {fault}")
    assert told.count("\n") == 1
    for column in columns:
        assert f"{column!r}: " in told.partition("There are ")[2]
    assert not (tmp_path / "x.yaml").exists()


def test_of_many_columns_some_are_listed(tmp_path: Path, invoke: Invoke) -> None:
    path = table(tmp_path, {"text": WORDS, **{f"c{n}": ["a", "b"] * 60 for n in range(400)}})
    told = invoke("init", path, status=1).stderr
    assert "several columns may be the label" in told
    assert told.endswith("'c18': 2 different words in the 120 rows looked at; 381 more\n")


def test_a_table_without_a_header_is_refused(tmp_path: Path, invoke: Invoke) -> None:
    path = write_csv(tmp_path / "t.csv", TEXTS[0], TEXTS[1:])
    told = invoke("init", path, status=1).stderr
    assert told.startswith(f"embedclf: {path}:1: no header, it seems: 'neg' is a column's name")


def test_labels_in_the_order_of_the_table_are_found(tmp_path: Path, invoke: Invoke) -> None:
    rows = [(f"a text of number {n}", "first" if n < 10_500 else "second") for n in range(12_000)]
    path = write_csv(tmp_path / "t.csv", ["text", "label"], rows)
    told = invoke("init", path, "-o", "-", "-q", "--json").stdout
    assert "'first' 10,500, 'second' 1,500" in told
