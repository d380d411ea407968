"""The report of a run: whole, true to its numbers, harmless, and readable everywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import webbrowser
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from importlib import reload
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run
from embedclf.evaluation.scored_rows import CHOSEN_ON
from embedclf.reports.verdict import verdict
from embedclf.runs.run import REPORT, Run
from tests.conftest import Invoke, reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.evaluate import RunEvaluation

TASKS = ("binary", "multiclass", "multilabel")
SECTIONS = "scores labels confusion curves reliability thresholds learning slices mistakes data "
SECTIONS += "config circumstances"
VOID = {"meta", "wbr", "br", "hr"}
CHROMIUM = shutil.which("chromium") or ""
in_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not there")
SCRIPT = "<script>alert(1)</script>"


class Outline(HTMLParser):
    """Reads a page as strictly as XML is read, and keeps what a reader goes by."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def pages(
    runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory, invoke: Invoke
) -> dict[str, str]:
    """The page of each task's run, and one of everything that is hard to show."""
    made = {}
    folder = tmp_path_factory.mktemp("pages")
    for task, run in runs.items():
        file = folder / f"{task}.html"
        assert invoke("report", "--run", run.path, "-o", file).stdout == f"{file}\n"
        made[task] = file.read_text(encoding="utf-8")
    return made | {"odd": odd_page(folder, invoke)}


def odd_page(folder: Path, invoke: Invoke) -> str:
    """A run of one epoch without test rows, of labels and texts that are hard to show."""
    labels = [SCRIPT, "customer_service_complaint", "שלום", "$5 & $10", "x" * 90, "-12", "\x1b[31m"]
    labels += [f"one of many labels, number {number}" for number in range(8)]
    rows = [(f"word{n % 7} </svg> שלום {n}", labels[n % len(labels)]) for n in range(300)]
    rows[4] = (" ".join(f"token{n % 70}" for n in range(2000)), labels[0])
    write_csv(folder / "<odd> & long.csv", ["text", "label"], rows)
    beside = [*rows[:6], ("", SCRIPT), ("", "-12"), (rows[4][0], "-12"), ("unheard", "of")]
    write_csv(folder / "beside.csv", ["text", "label", "<by>"], [(*row, SCRIPT) for row in beside])
    config = folder / "odd.yaml"
    config.write_text(
        'data: {train: "<odd> & long.csv"}\ntext: {sequence_length: 3000}\n'
        "model: {embedding_dim: 2, pooling: average}\ntraining: {epochs: 1}\n"
    )
    invoke("train", config, "-q", "-o", folder / "run")
    args = ("--run", folder / "run", "--data", folder / "beside.csv", "--by", "<by>")
    return invoke("report", *args, "--no-baseline", "-o", "-").stdout


@pytest.mark.parametrize("name", [*TASKS, "odd"])
def test_a_page_is_well_formed(name: str, pages: dict[str, str]) -> None:
    outline = Outline(pages[name])
    assert outline.all("html") == [{"lang": "en"}]
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawn = re.findall(r"<svg.*?</svg>", pages[name], re.DOTALL)
    assert len(drawn) == pages[name].count("<svg") > 2
    for svg in drawn:
        ET.fromstring(svg)  # noqa: S314 - it is our own


@pytest.mark.parametrize("name", [*TASKS, "odd"])
def test_a_page_can_be_heard(name: str, pages: dict[str, str]) -> None:
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
def test_a_page_asks_no_network_and_runs_nothing(name: str, pages: dict[str, str]) -> None:
    page = pages[name]
    addresses = set(re.findall(r"https?://[^\"]*", page))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"@import|url\((?!#)", page)
    outline = Outline(page)
    assert not {tag for tag, _ in outline.tags} & {"script", "link", "img", "iframe", "object"}
    given = {attribute for _, attributes in outline.tags for attribute in attributes}
    assert not {one for one in given if one.startswith("on") or one in {"src", "srcset"}}
    targets = [
        attributes[key] for _, attributes in outline.tags for key in attributes if "href" in key
    ]
    assert all((target or "").startswith("#") for target in targets)


@pytest.mark.parametrize("task", TASKS)
def test_a_page_has_all_its_sections_in_order(task: str, pages: dict[str, str]) -> None:
    names = [attributes["id"] for attributes in Outline(pages[task]).all("section")]
    several = task == "multiclass"
    assert names == [name for name in SECTIONS.split() if not (several and name == "thresholds")]
    drawn = set(re.findall(r'<title id="(\w+)-title"', pages[task]))
    expected = {"loss", "score", "slices", "reliability"}
    expected |= {"binary": {"confusion", "roc", "pr"}, "multilabel": {"pr"}}.get(
        task, {"confusion"}
    )
    assert drawn == expected


def test_rows_that_were_chosen_on_are_said_to_be(pages: dict[str, str]) -> None:
    assert CHOSEN_ON in pages["multilabel"].partition("<section")[0]
    assert CHOSEN_ON not in pages["binary"]


def test_what_comes_from_data_is_text_and_nothing_else(pages: dict[str, str]) -> None:
    page = pages["odd"]
    assert SCRIPT not in page
    assert escape(SCRIPT) in page
    assert "\x1b" not in page
    assert "no token" in page
    assert escape("<by>: <script>alert(1)</script>") in page
    assert "1 times a label that training never saw" in unescape(page)


def test_of_very_many_labels_the_hardest_come_first(workplace: Path, invoke: Invoke) -> None:
    rows = [(f"word{n % 33} text {n}", f"label_{n % 33:02}") for n in range(330)]
    write_csv(workplace / "many.csv", ["text", "label"], rows)
    flags = ("-s", "data.train=many.csv", "-s", "data.test=null", "-s", "training.epochs=1")
    invoke("train", "binary.yaml", "-q", *flags)
    page = invoke("report", "--no-baseline", "-o", "-").stdout
    assert "the 30 of 33 labels of lowest F1" in page
    assert "<details><summary>the other 3 labels</summary>" in page
    assert "most frequent of" in page
    assert "confusion-title" not in page


def test_the_same_run_gives_the_same_page_wherever_home_is(
    runs: dict[str, Run], pages: dict[str, str], tmp_path: Path
) -> None:
    """A home that cannot be written to is told by matplotlib, and is nobody's trouble."""
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
    assert done.stderr == f"{file}: written\n"
    assert file.read_text(encoding="utf-8") == pages["binary"]


def test_a_report_in_a_run_does_no_harm_and_is_made_anew(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    file = workplace / "runs" / "binary-1" / REPORT
    done = invoke("report", "--no-baseline")
    assert done.stdout == f"runs/binary-1/{REPORT}\n"
    assert done.stderr == f"run: runs/binary-1\nruns/binary-1/{REPORT}: written\n"
    first = file.read_bytes()
    file.write_text("spoilt")
    assert "binary-1" in invoke("runs").stdout
    assert invoke("report", "--no-baseline", "-q").stderr == ""
    assert file.read_bytes() == first
    assert sorted(each.name for each in file.parent.iterdir() if each.name[0] == ".") == []


def test_tables_that_have_changed_are_not_told_of(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(80))
    page = invoke("report", "-o", "-").stdout
    assert "Not known: binary.csv has changed since the run was trained" in page
    assert "its validation rows are unknown" in page
    (workplace / "binary.csv").unlink()
    assert "Not known: binary.csv is not there any more" in invoke("report", "-o", "-").stdout
    (workplace / "binary-test.csv").unlink()
    told = invoke("report", status=1).stderr.splitlines()[-1]
    assert "binary-test.csv" in told


def test_rows_without_a_known_label_still_make_a_page(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    table = write_csv(tmp_path / "odd.csv", ["text", "label"], [("great", "x"), ("awful", "x")])
    args = ("--run", runs["binary"].path, "--data", table, "--no-baseline", "-o", "-")
    page = invoke("report", *args).stdout
    Outline(page)
    assert "Right for 0.0 % of 2 rows" in page
    assert "No row has a label that the run knows." in page
    assert "There is none." in page


@pytest.mark.parametrize(
    ("args", "status", "fault"),
    [
        (["-o", "table.csv"], 2, "-o table.csv: a page has a name in .html"),
        (["-o", "-", "--open"], 2, "-o - prints the page; --open needs it in a file"),
        (["-o", "no/such/page.html"], 1, "page.html: cannot be written: No such file or directory"),
        (["--run", "nowhere"], 1, "nowhere: no such run"),
        (["--data", "nothing.csv"], 1, "nothing.csv"),
        (["--by", "shop"], 1, "not one column 'shop'"),
    ],
)
def test_a_mistake_is_one_line(
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
def test_a_page_is_opened_or_that_is_told(
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
    assert ("no browser could be opened" in done.stderr) is not opens


def chromium(*flags: str, profile: Path) -> str:
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={profile}", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@in_chromium
@pytest.mark.parametrize("name", ["binary", "odd"])
def test_a_phone_shows_all_of_a_page_without_scrolling_aside(
    name: str, pages: dict[str, str], tmp_path: Path
) -> None:
    page = tmp_path / "frame.html"
    measure = "document.title = this.contentDocument.documentElement.scrollWidth"
    page.write_text(
        f'<!doctype html><title></title><iframe width="360" height="800" style="border:0" '
        f'onload="{measure}" srcdoc="{escape(pages[name])}"></iframe>',
        encoding="utf-8",
    )
    dumped = chromium("--dump-dom", page.as_uri(), profile=tmp_path / "profile")
    assert "<title>360</title>" in dumped
    assert dumped.rstrip().endswith("</html>")


@in_chromium
def test_the_dark_has_another_ground(pages: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(pages["multiclass"], encoding="utf-8")
    ground = []
    for scheme in (0, 1):
        flags = [f"--blink-settings=preferredColorScheme={scheme}", "--window-size=500,500"]
        flags += [f"--screenshot={tmp_path}/{scheme}.png", page.as_uri()]
        chromium(*flags, profile=tmp_path / "profile")
        with Image.open(tmp_path / f"{scheme}.png") as shot:
            ground.append(shot.convert("L").tobytes()[0])
    dark, light = ground
    assert dark < 64
    assert light > 192


@pytest.fixture(scope="module")
def appraised(runs: dict[str, Run]) -> dict[str, RunEvaluation]:
    return {
        task: evaluate_run(runs[task], EvaluationRequest()) for task in ("binary", "multilabel")
    }


def lead(by: float, low: float, high: float, score: float = 0.5) -> dict[str, Any]:
    """How a rival is told to stand."""
    return {"lead": by, "interval": (low, high), "score": score}


CASES: dict[str, tuple[list[Any], str]] = {
    "a clear lead": (
        ["binary", 0.988, lead(0.1, 0.05, 0.14), lead(0.011, 0.002, 0.021)],
        "Right for 98.8 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), better than TF-IDF "
        "with logistic regression by 1.1 points (0.2 to 2.1); 88.0 % of 'pos' is found.",
    ),
    "a baseline that wins": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), lead(-0.05, -0.08, -0.02)],
        "Right for 80.0 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), WORSE than TF-IDF "
        "with logistic regression by 5.0 points (2.0 to 8.0); 88.0 % of 'pos' is found.",
    ),
    "nothing clear": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), lead(0.01, -0.02, 0.04)],
        "Right for 80.0 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), not clearly better "
        "or worse than TF-IDF with logistic regression (-2.0 points to +4.0 points); 88.0 % of "
        "'pos' is found.",
    ),
    "hardly above guessing": (
        ["binary", 0.905, lead(0.005, 0.001, 0.009, 0.9), None],
        "Right for 90.5 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), hardly better than "
        "always saying 'neg', which is right for 90.0 %; 88.0 % of 'pos' is found.",
    ),
    "no better than guessing": (
        ["binary", 0.9, lead(0.0, -0.01, 0.01, 0.9), lead(-0.05, -0.08, -0.02)],
        "Right for 90.0 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), not clearly better "
        "or worse than always saying 'neg' (-1.0 points to +1.0 points), WORSE than TF-IDF with "
        "logistic regression by 5.0 points (2.0 to 8.0); 88.0 % of 'pos' is found.",
    ),
    "guessing alone": (
        ["binary", 0.8, lead(0.3, 0.2, 0.4), None],
        "Right for 80.0 % of 40 test rows of binary-test.csv (90.0 to 99.0 %), better than always "
        "saying 'neg' by 30.0 points (20.0 to 40.0); 88.0 % of 'pos' is found.",
    ),
    "several labels a row": (
        ["multilabel", 0.5, lead(0.3, 0.2, 0.4), lead(0.01, 0.001, 0.02)],
        "Micro F1 0.500 (0.900 to 0.990) on 24 validation rows of multilabel.csv, better than "
        "TF-IDF with logistic regression by 0.010 (0.001 to 0.020); least found is 'a': 88.0 % of "
        "its 12 rows.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_says_plainly_what_the_numbers_say(
    case: str, appraised: dict[str, RunEvaluation], project: Path
) -> None:
    (task, score, *stands), expected = CASES[case]
    told = appraised[task]
    first: str = next(iter(told.evaluation.scores))
    rivals = [
        replace(
            rival,
            scores={first: stand["score"]},
            lead=stand["lead"],
            interval=stand["interval"],
        )
        for rival, stand in zip(told.rivals, stands, strict=True)
        if isinstance(stand, dict)
    ]
    labels = [replace(label, rows=12, recall=0.88) for label in told.evaluation.labels]
    evaluation = replace(told.evaluation, scores={first: score}, labels=tuple(labels))
    made = replace(
        told, evaluation=evaluation, intervals={first: (0.9, 0.99)}, rivals=tuple(rivals)
    )
    assert verdict(made).replace(f"{project}/", "") == expected


def test_a_verdict_names_no_label_where_each_is_found(appraised: dict[str, RunEvaluation]) -> None:
    told = appraised["multilabel"]
    labels = tuple(replace(label, recall=1.0) for label in told.evaluation.labels)
    assert "found" not in verdict(replace(told, evaluation=replace(told.evaluation, labels=labels)))
