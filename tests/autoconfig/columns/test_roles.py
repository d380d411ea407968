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
    "overflowing": (
        "v2",
        "v1",
        # The sms spam collection: a few texts continue in columns without a name.
        {
            "v1": LABEL_CELLS,
            "v2": TEXT_CELLS,
            "": [text * (n < 3) for n, text in enumerate(TEXT_CELLS)],
        },
    ),
    "spaces": (
        " text ",
        " label",
        {" text ": TEXT_CELLS, " label": LABEL_CELLS, "note": ["x", "y"] * 60},
    ),
    "title and body": (
        "body",
        "category",
        {
            "title": [text[:20] for text in TEXT_CELLS],
            "body": TEXT_CELLS,
            "category": LABEL_CELLS,
        },
    ),
    "cleaned": (
        "tweet",
        "label",
        {"clean_tweet": TEXT_CELLS, "tweet": TEXT_CELLS, "label": LABEL_CELLS},
    ),
    "paths": (
        "review.body",
        "stars",
        {
            "review.id": [*range(120)],
            "review.body": TEXT_CELLS,
            "user.description": [f"{text} and more of it" for text in TEXT_CELLS],
            "stars": [n % 5 + 1 for n in range(120)],
            "meta.label": ["a", "b"] * 60,
        },
    ),
    "lists": (
        "text",
        "topics",
        {
            "text": TEXT_CELLS,
            "topics": [["['art']", "['art', 'law']", "[]", "['law']"][n % 4] for n in range(120)],
            "votes": [f"[{n % 2}, {n % 3}]" for n in range(120)],
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
            {"text_a": [t * 5 for t in TEXT_CELLS], "text_b": TEXT_CELLS, "label": [0, 1] * 60},
            "both 'text_a' and 'text_b' could be the text; name it: --text COLUMN",
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
    ids=["two texts", "a pair", "two labels", "many labels", "no text", "one label", "no label"],
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


def day(number: int) -> str:
    return f"Mon Apr 06 22:{number // 60 + 10}:{number % 60 + 10} PDT 2009"


HEADERLESS: dict[str, tuple[str, str, list[list[Any]]]] = {
    "ag news": (
        "column_3",
        "column_1",
        [[n % 4 + 1, text[:12], f"{text} and so on"] for n, text in enumerate(TEXT_CELLS)],
    ),
    "yelp": ("column_2", "column_1", [[n % 2 + 1, text] for n, text in enumerate(TEXT_CELLS)]),
    "sentiment140": (
        "column_6",
        "column_1",
        [
            [n % 2 * 4, 1467810369 + n, day(n), "NO_QUERY", f"user{n}", text]
            for n, text in enumerate(TEXT_CELLS)
        ],
    ),
    "sms": (
        "column_2",
        "column_1",
        [[("ham", "spam")[label == "neg"], text] for text, label in TEXTS],
    ),
}


@pytest.mark.parametrize("name", HEADERLESS)
def test_columns_without_a_header_are_found_by_their_cells(
    tmp_path: Path, invoke: Invoke, name: str
) -> None:
    text, label, rows = HEADERLESS[name]
    path = write_csv(tmp_path / "t.csv", rows[0], rows[1:])
    settings = json.loads(invoke("init", path, "-o", "-", "-q", "--json").stdout)["settings"]
    found = (settings["data.text"]["value"], settings["data.label"]["value"])
    assert found == (text, label)
    assert settings["data.train"]["reason"].startswith("120 rows")
    names = ",".join(f"c{number + 1}" for number in range(len(rows[0])))
    output = invoke("init", path, "--columns", names, "-o", "-", "-q", "--json").stdout
    settings = json.loads(output)["settings"]
    assert settings["data.text"]["value"] == text.replace("column_", "c")
    assert settings["data.columns"]["value"] == names.split(",")
    assert settings["data.train"]["reason"].startswith("120 rows")


def test_a_score_of_many_values_is_no_label(tmp_path: Path, invoke: Invoke) -> None:
    columns: dict[str, list[Any]] = {"body": TEXT_CELLS, "score": [n % 40 for n in range(120)]}
    error = invoke("init", table(tmp_path, columns), "-o", "-", status=1).stderr
    assert "no column looks like the label" in error
    columns = {"body": TEXT_CELLS, "label": [n % 40 for n in range(120)]}
    output = invoke("init", table(tmp_path, columns), "-o", "-", "-q", "--json").stdout
    assert json.loads(output)["settings"]["data.label"]["value"] == "label"


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (["text", "label", "text"], "two columns are named 'text'; rename one"),
        (["text", "label", "text", "text"], "3 columns are named 'text'; rename them"),
        (["", "label", "note"], "the column that looks like the text has no name"),
    ],
)
def test_the_best_column_must_have_a_name_of_its_own(
    tmp_path: Path, invoke: Invoke, header: list[str], fault: str
) -> None:
    rows = [(text, label, *["-"] * (len(header) - 2)) for text, label in TEXTS]
    for row, other in zip(rows, reversed(TEXT_CELLS), strict=True) if "note" not in header else ():
        rows[rows.index(row)] = (*row[:2], *[other] * (len(header) - 2))
    path = write_csv(tmp_path / "t.csv", header, rows)
    error = invoke("init", path, "-o", "-", status=1).stderr
    assert error.startswith(f"embedclf: {path}:1: {fault}")


def test_other_columns_that_share_a_name_are_mentioned(tmp_path: Path, invoke: Invoke) -> None:
    rows = [(text, label, "a", "b", "", "") for text, label in TEXTS]
    path = write_csv(tmp_path / "t.csv", ["text", "label", "n", "n", "", ""], rows)
    settings = json.loads(invoke("init", path, "-o", "-", "-q", "--json").stdout)["settings"]
    assert settings["data.label"]["value"] == "label"
    assert settings["data.train"]["reason"].endswith("ignored columns that share a name: 'n'")


def test_doubtful_labels_are_mentioned(tmp_path: Path, invoke: Invoke) -> None:
    labels = ["nan", "Pos ", "pos", "neg"] * 30
    path = table(tmp_path, {"text": TEXT_CELLS, "label": labels})
    reason = json.loads(invoke("init", path, "-o", "-", "-q", "--json").stdout)["settings"][
        "data.label"
    ]["reason"]
    assert "'nan' may mean that there is no label" in reason
    assert "data.missing_labels: [nan]" in reason
    assert "data.merge_label_forms: true" in reason


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


def test_a_rare_delimiter_is_named(tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text^label\n" + "a good day^pos\na bad day^neg\n" * 6, encoding="utf-8")
    stderr = invoke("init", path, "-o", "-", status=1).stderr
    assert stderr.endswith("no column is left for the label; name the delimiter: --delimiter '^'\n")
    assert "label: label" in invoke("init", path, "-o", "-", "--delimiter", "^").stdout


def test_a_repeated_header_is_no_label(tmp_path: Path, invoke: Invoke) -> None:
    path = table(tmp_path, {"text": [*TEXT_CELLS, "text"], "label": [*LABEL_CELLS, "label"]})
    stderr = invoke("init", path, "-o", "-", status=1).stderr
    assert "a row repeats the header ('label' is also a cell of its column); remove it" in stderr
    assert "label: label" in invoke("init", path, "-o", "-", "--label", "label").stdout
