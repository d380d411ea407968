"""Every fix that check prints is applied; then the finding is gone, or smaller."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import pytest

from embedclf.audit.findings import SEVERITIES, Kind, format_setting
from tests.audit.conftest import check
from tests.faults import PLANTS, WORDS, Tables, config_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Invoke

Finding = dict[str, Any]

GERMAN = [
    f"Das {noun} ist {adjective}, {end}"
    for noun in ("Päckchen", "Gerät", "Brötchen", "Gemälde")
    for adjective in ("schön", "größer", "völlig zerdrückt", "süß")
    for end in ("für mich", "natürlich", "trotz der Kälte", "wie üblich", "fürchterlich")
]


# Fixes of rows: they edit the tables as the fix says.


def remove_examples(tables: Tables, finding: Finding) -> None:
    places = {(each["split"], each["row"]) for each in finding["examples"]}
    for split, row in sorted(places, reverse=True):
        del tables.splits[split][row - 1]


def complete_texts(tables: Tables, finding: Finding) -> None:
    for each in finding["examples"]:
        tables.splits[each["split"]][each["row"] - 1][1] += f" {tables.text()}"


def add_training_rows(tables: Tables, finding: Finding) -> None:
    for each in finding["examples"]:
        _, text, label = tables.splits[each["split"]][each["row"] - 1]
        # The same tokens, but not nearly the same text.
        for half in (text.split()[:6], text.split()[6:]):
            tables.splits["train"].append(["web", " ".join([*half, tables.text()]), label])


def add_scored_rows(tables: Tables, finding: Finding) -> None:
    label = finding["examples"][0]["label"]
    tables.splits["test"] += [["web", tables.text(), label] for _ in range(3)]


def add_validation_rows(tables: Tables, finding: Finding) -> None:
    del finding
    tables.splits["validation"] += [["web", tables.text(), "calm"] for _ in range(5)]


def remove_token(tables: Tables, finding: Finding) -> None:
    token = re.findall("'([^']*)' for '", finding["what"])[0]
    for row in tables.splits["train"]:
        row[1] = re.sub(rf"\b{token}\b", "", row[1], flags=re.IGNORECASE)


def remove_marks(tables: Tables, finding: Finding) -> None:
    del finding
    for row in tables.splits["train"]:
        row[1] = " ".join(word for word in row[1].split() if word.strip(",.") in WORDS)


def separate_lists(tables: Tables, finding: Finding) -> None:
    del finding
    tables.options["data.label_separator"] = '"|"'
    for rows in tables.splits.values():
        for row in rows:
            row[2] = row[2].strip("{}").replace(",", "|")


def separate_groups(tables: Tables, finding: Finding) -> None:
    del finding
    for name in ("validation", "test"):
        for row in tables.splits[name]:
            row[0] += f" in {name}"


def name_groups(tables: Tables, finding: Finding) -> None:
    del finding
    for row in tables.splits["train"]:
        row[0] = row[0].strip() or "phone"


ROW_FIXES: dict[str, Callable[[Tables, Finding], None]] = {
    "group-empty": name_groups,
    "label-conflict": remove_examples,
    "label-list-like": separate_lists,
    "label-small": remove_examples,
    "label-unscored": add_scored_rows,
    "label-unseen": remove_examples,
    "duplicate": remove_examples,
    "leak-equal": remove_examples,
    "leak-group": separate_groups,
    "leak-near": remove_examples,
    "leakage-token": remove_token,
    "leakage-value": remove_marks,
    "rows-few": add_validation_rows,
    "text-blank": remove_examples,
    "text-null-like": remove_examples,
    "text-one-token": complete_texts,
    "text-replacement": remove_examples,
    "token-oov": add_training_rows,
}


def _relabel(old: str, new: str, rows: range) -> Callable[[Tables], None]:
    def plant(tables: Tables) -> None:
        for row in rows:
            if tables.splits["train"][row][2] == old:
                tables.splits["train"][row][2] = new

    return plant


def lost_characters(tables: Tables) -> None:
    for row in (3, 40, 90, 140):
        tables.splits["train"][row][1] += " caf\N{REPLACEMENT CHARACTER}"


def rare_tokens(tables: Tables) -> None:
    """Tokens that occur once in training, and the settings that `init` would write."""
    for number in range(60):
        tables.splits["train"][number][1] += f" seldom{number}"
        tables.splits["test"][number][1] = f"seldom{number} seldom{number}"
    tables.options |= {"text.min_count": "2", "text.vocabulary_size": str(len(WORDS) + 2)}


def few_entries(tables: Tables) -> None:
    tables.options["text.vocabulary_size"] = "48"


def users(tables: Tables) -> None:
    """Forty sources of ten rows with the same label, divided by a random split."""
    tables.options["data.validation"] = "0.2"
    for number, row in enumerate(tables.splits["train"]):
        user = number % 40
        row[0], row[2] = f"user {user}", ("calm", "rain", "storm")[user % 3]


def grouped(tables: Tables) -> None:
    tables.options["data.group"] = "source"


def unnamed_groups(tables: Tables) -> None:
    grouped(tables)
    for row in tables.splits["train"][5:12]:
        row[0] = " "


ROW_CASES: dict[str, tuple[str, Callable[[Tables], Any]]] = {
    **{name: (plant(Tables()).kind, plant) for name, plant in PLANTS.items()},
    "labels that are missing": ("label-empty", _relabel("calm", "", range(9))),
    "labels of a missing value": ("label-null-like", _relabel("calm", "nan", range(30))),
    "labels like lists": ("label-list-like", _relabel("calm", "{rain,storm}", range(60))),
    "characters that were lost": ("text-replacement", lost_characters),
    "tokens that occur once in training": ("token-oov", rare_tokens),
    "a small vocabulary": ("token-oov", few_entries),
    "users with one label each": ("group-leakage", users),
    "groups in several tables": ("leak-group", grouped),
    "rows without a group": ("group-empty", unnamed_groups),
}


@pytest.mark.parametrize("name", ROW_CASES)
def test_fixing_a_table_as_check_says_helps(name: str, directory: Path, invoke: Invoke) -> None:
    kind, plant = ROW_CASES[name]
    tables = Tables()
    plant(tables)
    status = name in {"labels that are missing", "validation labels without training rows"}
    before = check(tables, directory, invoke, status=int(status))["findings"]
    finding = next(each for each in before if each["kind"] == kind)
    flags = setting_flags(finding)
    if not flags:
        ROW_FIXES[kind](tables, finding)
    assert_helped(before, check(tables, directory, invoke, *flags)["findings"], kind)


# Fixes of files: they change the bytes.


@dataclass(frozen=True)
class FileCase:
    kind: str
    content: bytes
    flags: tuple[str, ...] = ()
    fixed: bytes | None = None
    """The file as it is after the fix; None if settings fix it."""
    files: dict[str, str] = field(default_factory=dict)


def csv_bytes(
    texts: list[str], encoding: str = "utf-8", labels: tuple[str, str] = ("a", "b")
) -> bytes:
    lines = [f'{labels[number % 2]},"{text}"\n' for number, text in enumerate(texts)]
    return "".join(["label,text\n", *lines]).encode(encoding)


PLAIN = [f"{a} {b} {c}" for a in WORDS[:6] for b in WORDS[6:12] for c in WORDS[12:15]]
CYRILLIC = [
    f"{a} {b}"
    for a in ("Доставка", "Коробка", "Книга", "Музыка")
    for b in (
        "пришла вовремя",
        "была помята",
        "очень понравилась",
        "совсем не подошла",
        "стоит дорого",
    )
]
GARBLED = csv_bytes(GERMAN).decode("cp1252", "ignore").encode()
SWALLOWED = b"few words\n" + b"".join(b"%c,some words %d\n" % (b"ab"[n % 2], n) for n in range(9))
SKIP = ("-s", "data.on_bad_row=skip")

FILE_CASES = {
    "a named encoding that is wrong": FileCase(
        "text-mojibake", csv_bytes(CYRILLIC, "cp1251"), ("-s", "data.encoding=cp1252")
    ),
    "UTF-8 that was decoded as cp1252": FileCase("text-mojibake", GARBLED, fixed=csv_bytes(GERMAN)),
    "labels that were decoded as cp1252": FileCase(
        "label-mojibake",
        csv_bytes(PLAIN, labels=("schÃ¶n", "bÃ¶se")),
        fixed=csv_bytes(PLAIN, labels=("schön", "böse")),
    ),
    "cp1252 without a word": FileCase("encoding-assumed", csv_bytes(GERMAN, "cp1252")),
    "another encoding": FileCase("bytes-unreadable", csv_bytes(CYRILLIC, "koi8-r")),
    "stray bytes": FileCase(
        "bytes-unreadable",
        csv_bytes(GERMAN) + b"a,caf\xe9\n",
        fixed=csv_bytes(GERMAN) + "a,café\n".encode(),
    ),
    "rows of too many cells": FileCase("row-unreadable", csv_bytes(PLAIN) + b"a,b,c\na,b,c,d\n"),
    "broken JSON": FileCase(
        "row-unreadable",
        b"".join(
            b'{"text": "%s", "label": "%d"}\n' % (text.encode(), len(text) % 2) for text in PLAIN
        )
        + b'{"text": "x"\n',
    ),
    "rows that are ignored": FileCase(
        "row-skipped", csv_bytes(PLAIN) + b"a,b,c\n" * 9, SKIP, csv_bytes(PLAIN)
    ),
    "a quote that is closed rows later": FileCase(
        "cell-swallows-rows",
        csv_bytes(PLAIN) + b'b,"' + SWALLOWED + b'b,last"\n',
        fixed=csv_bytes(PLAIN) + b"b," + SWALLOWED + b"b,last\n",
    ),
    "a line below the last row": FileCase(
        "lines-ignored", csv_bytes(PLAIN) + b"\nTotal: 72 rows\n", fixed=csv_bytes(PLAIN)
    ),
    "vectors of another language": FileCase(
        "vectors-few",
        csv_bytes(PLAIN),
        ("-s", "model.initialization=vectors.txt"),
        files={"vectors.txt": "".join(f"mot{n} {'0.5 ' * 8}\n" for n in range(9))},
    ),
    "vectors of words for characters": FileCase(
        "vectors-few",
        csv_bytes(PLAIN),
        ("-s", "model.initialization=vectors.txt", "-s", "text.unit=character"),
        files={"vectors.txt": "".join(f"{word} {'0.5 ' * 8}\n" for word in WORDS)},
    ),
}


@pytest.mark.parametrize("name", FILE_CASES)
def test_fixing_a_file_as_check_says_helps(name: str, directory: Path, invoke: Invoke) -> None:
    case = FILE_CASES[name]
    for file, content in case.files.items():
        (directory / file).write_text(content, encoding="utf-8")
    extension = "jsonl" if case.content.startswith(b"{") else "csv"
    table = directory / f"train.{extension}"
    table.write_bytes(case.content)
    (directory / "config.yaml").write_text(config_text(train=table.name))
    args = ("check", "config.yaml", "--json", *case.flags)
    unreadable = case.kind in {"bytes-unreadable", "row-unreadable"}
    before = json.loads(invoke(*args, status=int(unreadable)).stdout)["findings"]
    finding = next(each for each in before if each["kind"] == case.kind)
    flags = setting_flags(finding)
    assert bool(flags) == (case.fixed is None)
    if case.fixed is not None:
        table.write_bytes(case.fixed)
    assert_helped(before, json.loads(invoke(*args, *flags).stdout)["findings"], case.kind)


def test_each_kind_of_finding_has_a_fix_that_is_tried() -> None:
    tried = {kind for kind, _ in ROW_CASES.values()} | {each.kind for each in FILE_CASES.values()}
    assert tried == set(get_args(Kind))


def setting_flags(finding: Finding) -> list[str]:
    """The settings of a finding as options; its fix must show them as lines of YAML."""
    for key, value in finding["settings"].items():
        assert format_setting(key, value) in finding["fix"]
    lines = [f"{key}={json.dumps(value)}" for key, value in finding["settings"].items()]
    return [argument for line in lines for argument in ("-s", line)]


def assert_helped(before: list[Finding], after: list[Finding], kind: str) -> None:
    """The findings of a kind are fewer or less severe, and nothing new is as bad."""

    def weigh(findings: list[Finding]) -> tuple[int, int]:
        own = [each for each in findings if each["kind"] == kind]
        severities = [SEVERITIES.index(each["severity"]) for each in own]
        return -min(severities, default=len(SEVERITIES)), sum(each["count"] for each in own)

    assert weigh(after) < weigh(before)
    known = {each["kind"] for each in before}
    # That rows are skipped is what the setting is for.
    new = [each for each in after if each["kind"] not in {*known, "label-empty"}]
    assert [each for each in new if -SEVERITIES.index(each["severity"]) >= weigh(before)[0]] == []
