"""Columns of text and label, found by `init` in small tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

TEXTS = reviews(120)
TEXT_CELLS, LABEL_CELLS = [text for text, _ in TEXTS], [label for _, label in TEXTS]
DAYS = [f"2020-{number % 12 + 1:02d}-{number % 28 + 1:02d}" for number in range(120)]
TABLES: dict[str, tuple[str | list[str], str | list[str], dict[str, list[Any]]]] = {
    "usual": ("text", "label", {"text": TEXT_CELLS, "label": LABEL_CELLS}),
    "films": (
        "review",
        "sentiment",
        {
            "id": [*range(120)],
            "date": DAYS,
            "review": TEXT_CELLS,
            "sentiment": LABEL_CELLS,
        },
    ),
    "nameless": (
        "v2",
        "v1",
        {"v1": LABEL_CELLS, "v2": TEXT_CELLS, "": [""] * 120},
    ),
    "tweets": (
        "text",
        "airline_sentiment",
        {
            "tweet_id": [570306133677760513 + n for n in range(120)],
            "airline_sentiment": LABEL_CELLS,
            "airline_sentiment_confidence": [f"0.{n * 37 % 9000 + 1000}" for n in range(120)],
            "reason": ["late" if n % 3 else "lost" if n % 2 else "" for n in range(120)],
            "airline": ["a" if n % 3 else "b" for n in range(120)],
            "retweet_count": [n % 4 for n in range(120)],
            "text": TEXT_CELLS,
            "url": [f"https://example.org/a-b/{n}?long=query&and=more-of-it" for n in range(120)],
        },
    ),
    "numbers": (
        "Phrase",
        "Sentiment",
        {
            "PhraseId": [*range(120)],
            "SentenceId": [n // 8 for n in range(120)],
            "Phrase": TEXT_CELLS,
            "Sentiment": [n % 5 for n in range(120)],
        },
    ),
    "stars": (
        "body",
        "stars",
        {
            "title": [f"{n} is it" for n in range(120)],
            "body": TEXT_CELLS,
            "stars": [f"{n % 5 + 1}.0" for n in range(120)],
        },
    ),
    "flags": (
        "comment_text",
        ["toxic", "obscene"],
        {
            "id": [f"{n:016x}" for n in range(120)],
            "comment_text": TEXT_CELLS,
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
            "kind": LABEL_CELLS,
        },
    ),
}


def table(folder: Path, columns: dict[str, list[Any]]) -> Path:
    return write_csv(folder / "t.csv", [*columns], [*zip(*columns.values(), strict=True)])


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_found(tmp_path: Path, invoke: Invoke, name: str) -> None:
    text, label, columns = TABLES[name]
    output = invoke("init", table(tmp_path, columns), "-o", "-", "-q", "--json").stdout
    settings = json.loads(output)["settings"]
    assert settings["data.text"]["value"] == text
    assert settings["data.label"]["value"] == label


def test_the_summary_describes_the_columns(tmp_path: Path, invoke: Invoke) -> None:
    films = table(tmp_path, TABLES["films"][2])
    summary = " ".join(invoke("init", films, "-o", "-").stderr.split())
    assert "'review': words, 100% distinct, 3" in summary
    assert "'sentiment': 2 distinct values in 120 rows; binary, 2 labels" in summary
    flags = table(tmp_path, TABLES["flags"][2])
    summary = " ".join(invoke("init", flags, "-o", "-").stderr.split())
    assert "2 columns of 0 and 1; multilabel, 2 labels: 'obscene' 80, 'toxic' 60" in summary
    assert "left out, since it never changes: 'threat'" in summary
    stars = table(tmp_path, TABLES["stars"][2])
    summary = " ".join(invoke("init", stars, "-o", "-").stderr.split())
    assert "to use more columns: --text 'body' --text 'title'" in summary


def test_requested_columns_are_used(tmp_path: Path, invoke: Invoke) -> None:
    films = table(tmp_path, TABLES["films"][2])
    args = ["init", films, "-o", "-", "-q", "--json"]
    output = invoke(*args, "--text", "review", "--text", "date", "--label", "sentiment").stdout
    settings = json.loads(output)["settings"]
    assert settings["data.text"]["value"] == ["review", "date"]
    assert settings["data.text"]["reason"].endswith("(as requested)")
    error = invoke(*args, "--text", "story", status=1).stderr
    assert "no column 'story'" in error
    flags = table(tmp_path, TABLES["flags"][2])
    args[1] = flags
    output = invoke(*args, "--label", "threat", "--label", "toxic").stdout
    settings = json.loads(output)["settings"]
    assert settings["data.label"]["value"] == ["threat", "toxic"]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (
            ["--text", "v2", "--label", "v2"],
            "--text and --label: column 'v2' is named twice; name it once",
        ),
        (
            ["--text", "v2", "--text", "v2"],
            "--text and --label: column 'v2' is named twice; name it once",
        ),
        (["--label", ""], "--text and --label need a column name; name the column in the file"),
    ],
)
def test_a_column_may_be_requested_only_once(
    tmp_path: Path, invoke: Invoke, names: list[str], fault: str
) -> None:
    path = table(tmp_path, TABLES["nameless"][2])
    error = invoke("init", path, *names, status=2).stderr
    assert error == f"embedclf: {fault}\n"


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (
            {"question1": TEXT_CELLS[:60], "question2": TEXT_CELLS[60:], "label": [0, 1] * 30},
            "both 'question1' and 'question2' could be the text; name it: --text COLUMN",
        ),
        (
            {"text": TEXT_CELLS[:60], "country": ["a", "b"] * 30, "device": ["x", "y", "z"] * 20},
            "'country' and 'device' could be the label; name it: --label COLUMN",
        ),
        (
            {"text": TEXT_CELLS[:60], **{f"c{n}": ["a", "b"] * 30 for n in range(4)}},
            "several columns could be the label; name it: --label COLUMN",
        ),
        (
            {"id": range(60), "label": [0, 1] * 30},
            "no column looks like the text; name it: --text COLUMN",
        ),
        (
            {"text": TEXT_CELLS[:60], "label": ["a"] * 60},
            "no column looks like the label; name it: --label COLUMN",
        ),
        (
            {"text": TEXT_CELLS[:60], "n": range(60)},
            "no column looks like the label; name it: --label COLUMN",
        ),
    ],
    ids=["two texts", "two labels", "many labels", "no text", "one label", "no label"],
)
def test_an_ambiguous_choice_is_an_error_with_a_table_of_candidates(
    tmp_path: Path, invoke: Invoke, columns: dict[str, list[Any]], fault: str
) -> None:
    path = table(tmp_path, columns)
    error = invoke("init", path, "-o", tmp_path / "x.yaml", status=1).stderr
    assert error.startswith(f"embedclf: {path}: {fault}\ncolumn")
    assert not (tmp_path / "x.yaml").exists()


@pytest.mark.parametrize("command", ["init", "check", "train"])
def test_the_command_of_the_best_candidate_can_be_copied(
    tmp_path: Path, invoke: Invoke, command: str
) -> None:
    columns = {
        "text": TEXT_CELLS,
        "country": ["a", "b"] * 60,
        "my group": LABEL_CELLS,
        "id": [f"{number:016x}" for number in range(120)],
    }
    path = table(tmp_path, columns)
    error = invoke(command, path, status=1).stderr
    lines = error.splitlines()
    assert [line.split()[0] for line in lines[3:5]] == ["country", "my"]
    assert "2 distinct values in 120 rows" in error
    assert lines[-1] == f"  embedclf {command} {path} --label country"
    assert "0000000000000000" not in error


def test_with_a_config_the_way_out_is_a_key(tmp_path: Path, invoke: Invoke) -> None:
    columns = {"text": TEXT_CELLS, "a": ["x", "y"] * 60, "b": LABEL_CELLS}
    table(tmp_path, columns)
    config = tmp_path / "c.yaml"
    config.write_text("data: {train: t.csv}")
    error = invoke("check", config, "-s", "seed=3", status=1).stderr
    assert error.endswith(f"\n  embedclf check {config} -s data.label=a -s seed=3\n")


def test_an_error_lists_a_few_of_many_columns(tmp_path: Path, invoke: Invoke) -> None:
    path = table(tmp_path, {"text": TEXT_CELLS, **{f"c{n}": ["a", "b"] * 60 for n in range(400)}})
    error = invoke("init", path, status=1).stderr
    assert "several columns could be the label" in error
    assert error.count("2 distinct values") == 8


def test_a_table_without_a_header_is_refused(tmp_path: Path, invoke: Invoke) -> None:
    path = write_csv(tmp_path / "t.csv", TEXTS[0], TEXTS[1:])
    error = invoke("init", path, status=1).stderr
    assert error.startswith(f"embedclf: {path}:1: the first line looks like data, not a header")


def test_default_names_are_enough(tmp_path: Path, invoke: Invoke) -> None:
    columns = {"text": ["good", "bad"] * 60, "label": [f"{n % 60}.37" for n in range(120)]}
    path = table(tmp_path, {"id": [*range(120)], **columns})
    settings = json.loads(invoke("init", path, "-o", "-", "-q", "--json").stdout)["settings"]
    assert settings["data.text"]["value"] == "text"
    assert settings["data.label"]["value"] == "label"


def test_lists_of_texts_are_labels(tmp_path: Path, invoke: Invoke) -> None:
    lists = [["joy"], ["joy", "love"], [], ["anger"]]
    records = [
        {"id": n, "message": text, "topics": lists[n % 4]} for n, text in enumerate(TEXT_CELLS)
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    assert "topics (separated by '|')" in invoke("check", path).stderr


def test_a_column_that_cannot_be_the_label_is_no_example(tmp_path: Path, invoke: Invoke) -> None:
    path = table(tmp_path, {"id": [*range(60)], "text": TEXT_CELLS[:60], "label": ["a"] * 60})
    error = invoke("check", path, status=1).stderr
    assert "always the same" in error
    assert "for example" not in error
