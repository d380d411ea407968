from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.autoconfig.resolve import resolve
from embedclf.autoconfig.token_evidence import TokenEvidence
from embedclf.config.loading import load_config
from embedclf.text.token_rules import TokenRules
from tests.conftest import write_csv
from tests.faults import WORDS

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.config.schema import Config
    from tests.conftest import Invoke

Row = tuple[str, str]  # text, label


def measure(rows: list[Row]) -> TokenEvidence:
    texts, labels = zip(*rows, strict=True)
    return TokenEvidence.measure(pa.array(texts), pa.array(labels), TokenRules())


def make_rows(ends: list[str], count: int = 400) -> list[Row]:
    """Texts of random words; the end of each depends on its label, "0" or "1" and so on."""
    rng = random.Random(3)  # noqa: S311 - texts, no secrets
    return [
        (f"{' '.join(rng.sample(WORDS, 6))}{ends[row % len(ends)]}", str(row % len(ends)))
        for row in range(count)
    ]


@pytest.mark.parametrize(
    ("ends", "symbols"),
    [
        (["?", "!"], {"?", "!"}),
        ([" :)", " :("], {":)", ":("}),
        ([" in C++", " in C#", " in F#"], {"c++", "c#", "f#"}),
        ([" for $ 5", " for 5"], {"$"}),
    ],
)
def test_symbols_that_say_something_about_labels_are_tokens(
    ends: list[str], symbols: set[str]
) -> None:
    evidence = measure(make_rows(ends))
    assert (evidence.pattern, evidence.symbol in symbols) == ("words_and_symbols", True)


@pytest.mark.parametrize("ends", [[".", ","], [" 😭", " 😀"], [" one", " two"], ["?", "?"]])
def test_words_are_enough_where_nothing_else_says_something_about_labels(ends: list[str]) -> None:
    assert measure(make_rows(ends)).pattern == "words"


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 60), labels=st.integers(1, 5))
def test_random_symbols_are_no_evidence(seed: int, rows: int, labels: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - texts, no secrets
    table = [(f"word {rng.choice('?!')}", str(rng.randrange(labels))) for _ in range(rows * 10)]
    assert measure(table).markup == measure(table).wordless == 0


def test_a_table_whose_texts_are_symbols_only_keeps_these(tmp_path: Path, invoke: Invoke) -> None:
    rows = [(mark * (1 + row % 3), "ab"[row % 2]) for row in range(40) for mark in ("?!", "!?")]
    text = init(tmp_path, invoke, rows).text
    assert (text.unit, text.token_pattern) == ("word", "words_and_symbols")


@pytest.mark.parametrize(
    ("texts", "html"),
    [
        (["good<br />bad {}", "fine {}"], True),
        (["Tom &amp; Ann {}", "it&#39;s {}"], True),
        (["a < b {}", "R&D {}", "<NAME> {}", "I <3 it {}"], False),
    ],
)
def test_html_is_removed_if_texts_contain_it(
    texts: list[str], html: bool, tmp_path: Path, invoke: Invoke
) -> None:
    rows = [(texts[row % len(texts)].format(row), "ab"[row % 2]) for row in range(60)]
    assert init(tmp_path, invoke, rows).text.html == html


def test_a_few_texts_about_html_are_left_alone(tmp_path: Path, invoke: Invoke) -> None:
    rows = [(f"{WORDS[row % 40]} {row}", "ab"[row % 2]) for row in range(300)]
    rows[7] = ("what does <br> do", "a")
    assert not init(tmp_path, invoke, rows).text.html


def test_written_values_are_kept(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["text", "label"], make_rows(["?", "!"]))
    (tmp_path / "t.yaml").write_text(
        "data: {train: t.csv}\ntext: {token_pattern: words, html: true}\n"
    )
    text = resolve(load_config(tmp_path / "t.yaml")).text
    assert (text.token_pattern, text.html) == ("words", True)


def test_every_character_is_a_token_of_a_script_without_spaces(
    tmp_path: Path, invoke: Invoke
) -> None:
    rows = [(f"今天天气很好我们去公园{'好坏'[row % 2]}{row}", "ab"[row % 2]) for row in range(60)]
    text = init(tmp_path, invoke, rows).text
    assert (text.unit, text.token_pattern) == ("character", "words_and_symbols")


def test_reasons_name_the_symbol_and_how_many_texts_have_html(
    tmp_path: Path, invoke: Invoke
) -> None:
    init(tmp_path, invoke, [(f"<p>{text}", label) for text, label in make_rows(["?", "."])])
    config = (tmp_path / "t.yaml").read_text()
    assert "of what tokens say about labels is in symbols such as '?'" in config
    assert "100.0% of texts contain HTML" in config


def init(folder: Path, invoke: Invoke, rows: list[Row]) -> Config:
    """The config that `init` writes for a table."""
    write_csv(folder / "t.csv", ["text", "label"], rows)
    invoke("init", folder / "t.csv", "-o", folder / "t.yaml", "-q")
    return load_config(folder / "t.yaml")
