from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Invoke, write_csv
from tests.faults import WORDS, config_text

if TYPE_CHECKING:
    from pathlib import Path

Row = tuple[str, str]  # text, label


def findings(
    directory: Path, invoke: Invoke, rows: list[Row], *settings: str, status: int = 0
) -> list[dict[str, Any]]:
    """The findings of `check` for a table; settings are `key=value`."""
    write_csv(directory / "train.csv", ["text", "label"], rows)
    (directory / "config.yaml").write_text(config_text(train="train.csv", validation="0.2"))
    flags = [flag for each in ("text.token_pattern=words", *settings) for flag in ("-s", each)]
    found: list[dict[str, Any]] = json.loads(
        invoke("check", "config.yaml", "--json", *flags, status=status).stdout
    )["findings"]
    return [each for each in found if each["kind"] in {"text-dropped", "label-conflict"}]


def sentence(number: int) -> str:
    """Three words; every number up to 600 has its own, and those of odd ones are as frequent."""
    number = 3 * number // 2
    return f"{WORDS[number % 10]} {WORDS[10 + number // 10 % 10]} {WORDS[20 + number // 100]}"


def in_pairs(count: int, ends: tuple[str, str]) -> list[Row]:
    """Pairs of texts that differ in their end only, with one label for each end."""
    return [
        (f"{sentence(number)} {end}", label)
        for number in range(count)
        for end, label in zip(ends, ("no", "yes"), strict=True)
    ]


@pytest.mark.parametrize("ends", ["?!", "😭😀", ("🇫🇷", "🇧🇪"), (":(", ":)"), ("C++", "C#")])
def test_labels_that_follow_dropped_symbols_are_no_conflict_and_a_setting_keeps_these(
    ends: tuple[str, str], directory: Path, invoke: Invoke
) -> None:
    rows = in_pairs(100, ends)
    (found,) = findings(directory, invoke, rows, "text.token_pattern=classic")
    assert (found["kind"], found["count"], found["severity"]) == ("text-dropped", 200, "warning")
    assert found["settings"] == {"text.token_pattern": "words_and_symbols"}
    assert "200 of these rows" in found["fix"]
    pair = found["examples"][0]
    assert {pair["label"], pair["like"]["label"]} == {"no", "yes"}
    assert pair["text"].split()[:3] == pair["like"]["text"].split()[:3]
    assert findings(directory, invoke, rows, "text.token_pattern=words_and_symbols") == []


def test_equal_texts_stay_a_conflict_that_is_reported_once(directory: Path, invoke: Invoke) -> None:
    rows = [*in_pairs(50, ("?", "!")), ("the same text", "no"), ("the  same text", "yes")]
    found = {each["kind"]: each for each in findings(directory, invoke, rows)}
    assert {kind: each["count"] for kind, each in found.items()} == {
        "label-conflict": 2,
        "text-dropped": 100,
    }


def test_two_texts_are_too_few_for_another_setting(directory: Path, invoke: Invoke) -> None:
    rows = [(f"{sentence(number)} more", ("no", "yes")[number % 2]) for number in range(300)]
    (found,) = findings(directory, invoke, [*rows, *in_pairs(1, ("?", "!"))])
    assert (found["kind"], found["severity"], found["count"]) == ("text-dropped", "note", 2)
    assert found["settings"] == {}


def test_case_is_kept_only_where_labels_depend_on_it(directory: Path, invoke: Invoke) -> None:
    depends = in_pairs(60, ("in the US", "in the us"))
    (found,) = findings(directory, invoke, depends)
    assert found["settings"] == {"text.lowercase": False}
    assert findings(directory, invoke, depends, "text.lowercase=false") == []
    random = [
        (text.title() if (number + number // 7) % 2 else text, label)
        for number, (text, label) in enumerate(in_pairs(60, ("", "")))
    ]
    kinds = {each["kind"]: each for each in findings(directory, invoke, random)}
    assert kinds["text-dropped"]["settings"] == {}
    assert "no setting" in kinds["text-dropped"]["fix"]


@pytest.mark.parametrize("ends", [("?", "!!"), ("😭", "😀"), ("in C++ now", "in C# now")])
def test_symbols_that_decide_the_label_of_different_texts_are_named(
    ends: tuple[str, str], directory: Path, invoke: Invoke
) -> None:
    rows = [
        (f"{sentence(number)} {ends[number % 2]}", ("no", "yes")[number % 2])
        for number in range(200)
    ]
    (found,) = findings(directory, invoke, rows, "text.token_pattern=classic")
    assert (found["kind"], found["count"], found["of"]) == ("text-dropped", 160, 160)
    assert found["settings"] == {"text.token_pattern": "words_and_symbols"}
    assert all(end.split()[-2 if " " in end else 0].lower() in found["what"] for end in ends)
    assert (
        findings(directory, invoke, rows, *[f"{k}={v}" for k, v in found["settings"].items()]) == []
    )


@pytest.mark.parametrize(
    ("forms", "settings", "fix"),
    [
        (("{}", "{} now"), ["text.token_pattern=words_and_symbols"], "text.lowercase"),
        (("{}, now", "{}. now"), ["text.token_pattern=words_and_symbols"], "text.token_pattern"),
        (("<i>{}</i>", "<p>{}</p>"), ["text.html=true"], "text.html"),
    ],
)
def test_case_marks_and_markup_that_decide_the_label_are_reported(
    forms: tuple[str, str], settings: list[str], fix: str, directory: Path, invoke: Invoke
) -> None:
    rows = [
        (forms[number % 2].format(sentence(number)), ("no", "yes")[number % 2])
        for number in range(200)
    ]
    if fix == "text.lowercase":
        rows = [(text.upper() if label == "yes" else f"{text} now", label) for text, label in rows]
    (found,) = findings(directory, invoke, rows, *settings)
    assert list(found["settings"]) == [fix]
    fixed = [f"{key}={json.dumps(value)}" for key, value in found["settings"].items()]
    assert findings(directory, invoke, rows, *settings, *fixed) == []


def test_capitals_of_words_that_decide_the_label_anyway_are_not_reported(
    directory: Path, invoke: Invoke
) -> None:
    rows = [
        (f"{sentence(number)} {('fine', 'URGENT')[number % 2]}", ("no", "yes")[number % 2])
        for number in range(200)
    ]
    assert findings(directory, invoke, rows) == []


def test_symbols_without_a_meaning_are_not_reported(directory: Path, invoke: Invoke) -> None:
    rows = [
        (f"{sentence(number)} {'?!'[number // 2 % 2]}", ("no", "yes")[number % 2])
        for number in range(200)
    ]
    assert findings(directory, invoke, rows) == []


@pytest.mark.parametrize("text", ["are you coming{}", "{}"])
def test_a_table_of_one_text_for_the_tokenizer_is_explained(
    text: str, directory: Path, invoke: Invoke
) -> None:
    rows = [
        (text.format(mark * (1 + number)), label)
        for number in range(40)
        for mark, label in (("?", "asks"), ("!", "shouts"))
    ]
    (found,) = findings(directory, invoke, rows, status=1)
    assert (found["kind"], found["count"]) == ("text-dropped", 80)
    assert findings(directory, invoke, rows, "text.token_pattern=words_and_symbols") == []
