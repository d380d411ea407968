"""A run's report is complete, safe, and readable on screens, phones and by screen readers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import webbrowser
from dataclasses import replace
from html import escape, unescape
from importlib import reload
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from embedclf.audit.check import Audit
from embedclf.evaluation.evaluate import EvaluationRequest
from embedclf.reports.html.report_data import gather_report_data
from embedclf.reports.html.run_report import render_run_report
from embedclf.runs.known_files import REPORT_FILE
from embedclf.runs.seen_tables import VALIDATION_CAUTION
from tests.conftest import Invoke, reviews, write_csv
from tests.reports.html.conftest import SCRIPT, TASKS
from tests.reports.html.pages import Outline, shown_cards
from tests.reports.html.test_rendering import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run


SECTIONS = "labels confusion mistakes scores slices thresholds curves calibration training audit "
SECTIONS += "config details"
LEFT_OUT = {
    "binary": {},
    "multiclass": {"thresholds", "curves"},
    "multilabel": {"confusion"},
}
"""Sections that a task never has."""


@pytest.mark.parametrize("name", [*TASKS, "odd"])
def test_a_page_is_well_formed(name: str, pages: dict[str, str]) -> None:
    outline = Outline(pages[name])
    assert outline.all("html") == [{"lang": "en"}]
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    figures = re.findall(r"<svg.*?</svg>", pages[name], re.DOTALL)
    assert len(figures) == pages[name].count("<svg") > 2
    for svg in figures:
        ET.fromstring(svg)  # noqa: S314 - it is our own


@pytest.mark.parametrize("name", [*TASKS, "odd"])
def test_a_screen_reader_finds_its_way(name: str, pages: dict[str, str]) -> None:
    outline = Outline(pages[name])
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h\d", tag)]
    assert levels[:2] == [1, 2]
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert all("scope" in attributes for attributes in outline.all("th"))
    assert all(attributes["role"] == "img" for attributes in outline.all("svg"))
    assert len(outline.all("figure")) == len(outline.all("figcaption"))
    assert len(outline.all("figure")) == len(outline.all("svg"))


@pytest.mark.parametrize("name", [*TASKS, "odd"])
def test_a_page_needs_no_network_and_runs_its_own_script_only(
    name: str, pages: dict[str, str]
) -> None:
    page = pages[name]
    addresses = set(re.findall(r"https?://[^\"]*", page))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"@import|url\((?!#)", page)
    outline = Outline(page)
    assert not {tag for tag, _ in outline.tags} & {"link", "img", "iframe", "object"}
    assert outline.all("script") == [{}]
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    assert f"<script>\n{script}</script>" in page
    assert not re.search(r"\b(fetch|XMLHttpRequest|import|\w+HTML|eval|\w+Beacon)\b", script)
    names = {name for _, attributes in outline.tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"src", "srcset"}}
    targets = [
        attributes[key] for _, attributes in outline.tags for key in attributes if "href" in key
    ]
    assert all((target or "").startswith("#") for target in targets)


@pytest.mark.parametrize("task", TASKS)
def test_a_page_lists_its_sections_in_order_without_empty_ones(
    task: str, runs: dict[str, Run], pages: dict[str, str], invoke: Invoke
) -> None:
    outline = Outline(pages[task])
    names = [attributes["id"] for attributes in outline.all("section")]
    evaluation = json.loads(invoke("evaluate", "--run", runs[task].path, "--json").stdout)
    left_out = {*LEFT_OUT[task], *(() if evaluation["mistakes"] else ("mistakes",))}
    assert names == [name for name in SECTIONS.split() if name not in left_out]
    assert [attributes["href"] for attributes in outline.all("a")] == [f"#{name}" for name in names]
    assert pages[task].count("<h2>") == len(names)
    figures = set(re.findall(r'<title id="(\w+)-title"', pages[task]))
    expected = {"loss", "score", "reliability"}
    expected |= {"binary": {"confusion", "roc", "pr"}, "multilabel": {"pr"}}.get(
        task, {"confusion"}
    )
    assert figures == expected


@pytest.mark.parametrize("task", TASKS)
def test_three_figures_are_on_top(
    task: str, runs: dict[str, Run], pages: dict[str, str], invoke: Invoke
) -> None:
    """They are those of `evaluate`, whose intervals come from the same draws."""
    evaluation = json.loads(invoke("evaluate", "--run", runs[task].path, "--json").stdout)
    (name, score), *_ = evaluation["scores"].items()
    low, high = evaluation["intervals"][name]
    best = max(evaluation["baselines"].values(), key=lambda each: each["scores"][name])
    cards = shown_cards(pages[task])
    assert len(cards) == 3
    if task == "multilabel":
        assert cards[0][:3] == [
            "Micro F1",
            f"{score:.4f}",
            f"95% interval: {low:.3f} to {high:.3f}",
        ]
        assert cards[1][1] == f"{best['lead']:+.4f}"
    else:
        interval = f"95% interval: {100 * low:.1f}% to {100 * high:.1f}%"
        assert cards[0][:3] == ["Accuracy", f"{100 * score:.1f}%", interval]
        assert cards[1][1] == f"{100 * best['lead']:+.1f} points"
    words = {"run": "better than", "baseline": "worse than", "unclear": "no clear difference from"}
    assert cards[1][2].startswith(words[best["verdict"]])
    weakest = min(label["recall"] for label in evaluation["labels"] if label["rows"])
    assert cards[2][0] == "Weakest label"
    assert f"{100 * weakest:.1f}%" in " ".join(cards[2])


def test_a_run_worse_than_a_baseline_says_so_on_top(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    """Every text has the words of the other label; most rows have the majority baseline's label."""
    rows = [("lovely great friendly", "neg")] * 40 + [("awful rude broken", "pos")] * 10
    table = write_csv(tmp_path / "reversed.csv", ["text", "label"], rows)
    args = ("--run", runs["binary"].path, "--data", table, "--no-baseline", "-o", "-")
    page = invoke("report", *args).stdout
    score, gain, weakest = shown_cards(page)
    assert score[1] == "0.0%"
    assert gain[1] == "-80.0 points"
    assert gain[2] == "worse than the majority baseline (80.0%)"
    assert weakest[2].startswith("recall 0.0%")
    assert 'class="card worse"' in page


def test_labels_have_bars_with_their_intervals(
    runs: dict[str, Run], pages: dict[str, str], invoke: Invoke
) -> None:
    evaluation = json.loads(invoke("evaluate", "--run", runs["multiclass"].path, "--json").stdout)
    table = pages["multiclass"].partition('<section id="labels">')[2].partition("</table>")[0]
    for label in evaluation["labels"]:
        for metric in ("precision", "recall", "f1"):
            low, high = label["intervals"][metric]
            edges = f"--low:{100 * low:.2f}%;--high:{100 * high:.2f}%"
            assert f'style="--value:{100 * label[metric]:.2f}%;{edges}"' in table
    assert table.count('class="bar"') == 3 * len(evaluation["labels"])


def test_a_page_warns_that_validation_rows_chose_the_epoch(pages: dict[str, str]) -> None:
    caution = f"S{VALIDATION_CAUTION[1:]}"  # the page begins a sentence with it
    assert caution in pages["multilabel"].partition("<section")[0]
    assert caution not in pages["binary"]


def test_data_is_shown_as_text_only(pages: dict[str, str]) -> None:
    page = pages["odd"]
    assert SCRIPT not in page
    assert escape(SCRIPT) in page
    assert "\x1b" not in page
    assert "(empty text)" in page
    assert "<bdi>&lt;by&gt;</bdi>" in page
    assert "labels that do not occur in training count as errors: 'of' (1 row)" in unescape(page)


def test_many_labels_are_one_table_with_the_lowest_f1_first(pages: dict[str, str]) -> None:
    page = pages["many"]
    table = page.partition('<section id="labels">')[2].partition("</table>")[0]
    assert "33 labels with 95% intervals, lowest F1 first" in table
    assert 'class="wide tall"' in table
    scores = [float(row.split('data-value="')[4].split('"')[0]) for row in table.split("<tr>")[2:]]
    assert len(scores) == 33
    assert scores == sorted(scores)
    assert "most frequent of" in page
    assert "confusion-title" not in page


def test_the_same_run_gives_the_same_page_without_a_home_directory(
    runs: dict[str, Run], pages: dict[str, str], tmp_path: Path
) -> None:
    """Matplotlib's warning that it cannot write to the home directory is not shown."""
    file = tmp_path / "again.html"
    command = [sys.executable, "-m", "embedclf", "report"]
    hidden = {"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [*command, "--run", str(runs["binary"].path), "-o", str(file)],
        env={**environment, "HOME": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    assert file.read_text(encoding="utf-8") == pages["binary"]


def test_a_report_inside_a_run_can_be_written_again(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    file = workplace / "runs" / "binary-1" / REPORT_FILE
    done = invoke("report", "--no-baseline")
    assert done.stdout == f"runs/binary-1/{REPORT_FILE}\n"
    assert done.stderr == "run: runs/binary-1\n"
    first = file.read_bytes()
    file.write_text("damaged")
    assert "binary-1" in invoke("runs").stdout
    assert invoke("report", "--no-baseline", "-q").stderr == ""
    assert file.read_bytes() == first
    assert sorted(each.name for each in file.parent.iterdir() if each.name[0] == ".") == []


def test_tables_that_have_changed_are_not_audited(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(80))
    page = invoke("report", "-o", "-").stdout
    assert "not checked: binary.csv has changed since the run was trained" in page
    assert 'id="audit"' not in page
    assert 'id="thresholds"' not in page
    assert "its validation rows are unknown" in page
    (workplace / "binary.csv").unlink()
    assert "not checked: binary.csv no longer exists" in invoke("report", "-o", "-").stdout
    (workplace / "binary-test.csv").unlink()
    message = invoke("report", status=1).stderr.splitlines()[-1]
    assert "binary-test.csv" in message


def test_data_without_findings_has_no_section(runs: dict[str, Run]) -> None:
    data = gather_report_data(runs["binary"], EvaluationRequest(baseline=False))
    assert isinstance(data.audit, Audit)
    page = render_run_report(replace(data, audit=replace(data.audit, findings=())))
    assert 'id="audit"' not in page
    assert 'href="#audit"' not in page
    assert "checked: no problems found" in page


def test_rows_without_a_known_label_make_a_page(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    table = write_csv(tmp_path / "odd.csv", ["text", "label"], [("great", "x"), ("awful", "x")])
    args = ("--run", runs["binary"].path, "--data", table, "--no-baseline", "-o", "-")
    page = invoke("report", *args).stdout
    Outline(page)
    assert shown_cards(page)[0][:2] == ["Accuracy", "0.0%"]
    assert "not measured: no row has a label that the run knows" in page
    names = {attributes["id"] for attributes in Outline(page).all("section")}
    assert not names & {"curves", "calibration", "mistakes"}


@pytest.mark.parametrize(
    ("args", "status", "fault"),
    [
        (["-o", "table.csv"], 2, "-o table.csv: must end in .html"),
        (["-o", "-", "--open"], 2, "--open needs a file; replace -o - by -o PAGE.html"),
        (["-o", "no/such/page.html"], 1, "page.html: cannot be written: No such file or directory"),
        (["--run", "nowhere"], 1, "nowhere: no such run"),
        (["--data", "nothing.csv"], 1, "nothing.csv"),
        (["--by", "shop"], 1, "no column 'shop'"),
    ],
)
def test_a_usage_error_is_one_line(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke, args: list[str], status: int, fault: str
) -> None:
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        run = [] if "--run" in args else ["--run", runs["binary"].path]
        done = invoke("report", *run, "--no-baseline", *args, status=status)
    finally:
        os.chdir(before)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert fault in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="the browser is a shell script")
@pytest.mark.parametrize("opens", [True, False])
def test_a_page_is_opened_in_the_browser_or_a_message_says_why_not(
    opens: bool,
    runs: dict[str, Run],
    tmp_path: Path,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser, page = tmp_path / "browser", tmp_path / "a page.html"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\nexit {int(not opens)}\n')
    browser.chmod(0o755)
    for name, value in {"BROWSER": f"{browser} %s", "DISPLAY": "", "TERM": ""}.items():
        monkeypatch.setenv(name, value)
    reload(webbrowser)  # it looks for browsers once
    run = runs["multilabel"].path
    done = invoke("report", "--run", run, "--no-baseline", "-o", page, "--open")
    assert (tmp_path / "opened").read_text().strip() == page.resolve().as_uri()
    assert ("no browser found; open" in done.stderr) is not opens
