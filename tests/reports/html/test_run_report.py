"""The report of a run is complete, safe, and readable on screens, phones and by screen readers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import webbrowser
from html import escape, unescape
from importlib import reload
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from embedclf.evaluation.scored_rows import VALIDATION_CAUTION
from embedclf.runs.run import REPORT_FILE, Run
from tests.conftest import Invoke, reviews, write_csv
from tests.reports.html.pages import Outline, chromium, in_chromium

if TYPE_CHECKING:
    from pathlib import Path


TASKS = ("binary", "multiclass", "multilabel")
SECTIONS = "scores labels confusion curves reliability thresholds learning slices mistakes data "
SECTIONS += "config circumstances"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def pages(
    runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory, invoke: Invoke
) -> dict[str, str]:
    """The page of each task's run, and one with labels and texts that are hard to show."""
    made = {}
    folder = tmp_path_factory.mktemp("pages")
    for task, run in runs.items():
        file = folder / f"{task}.html"
        assert invoke("report", "--run", run.path, "-o", file).stdout == f"{file}\n"
        made[task] = file.read_text(encoding="utf-8")
    return made | {"odd": odd_page(folder, invoke)}


def odd_page(folder: Path, invoke: Invoke) -> str:
    """Train one epoch without test rows, on labels and texts that are hard to show."""
    labels = [SCRIPT, "customer_service_complaint", "שלום", "$5 & $10", "x" * 90, "-12", "\x1b[31m"]
    labels += [f"one of many labels, number {number}" for number in range(8)]
    rows = [(f"word{n % 7} </svg> שלום {n}", labels[n % len(labels)]) for n in range(300)]
    rows[4] = (" ".join(f"token{n % 70}" for n in range(2000)), labels[0])
    write_csv(folder / "<odd> & long.csv", ["text", "label"], rows)
    scored = [*rows[:6], ("", SCRIPT), ("", "-12"), (rows[4][0], "-12"), ("unheard", "of")]
    write_csv(folder / "scored.csv", ["text", "label", "<by>"], [(*row, SCRIPT) for row in scored])
    config = folder / "odd.yaml"
    config.write_text(
        'data: {train: "<odd> & long.csv"}\ntext: {sequence_length: 3000}\n'
        "model: {embedding_dim: 2, pooling: average}\ntraining: {epochs: 1}\n"
    )
    invoke("train", config, "-q", "-o", folder / "run")
    args = ("--run", folder / "run", "--data", folder / "scored.csv", "--by", "<by>")
    return invoke("report", *args, "--no-baseline", "-o", "-").stdout


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
def test_a_page_needs_no_network_and_runs_no_script(name: str, pages: dict[str, str]) -> None:
    page = pages[name]
    addresses = set(re.findall(r"https?://[^\"]*", page))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"@import|url\((?!#)", page)
    outline = Outline(page)
    assert not {tag for tag, _ in outline.tags} & {"script", "link", "img", "iframe", "object"}
    names = {name for _, attributes in outline.tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"src", "srcset"}}
    targets = [
        attributes[key] for _, attributes in outline.tags for key in attributes if "href" in key
    ]
    assert all((target or "").startswith("#") for target in targets)


@pytest.mark.parametrize("task", TASKS)
def test_a_page_has_all_sections_in_order(task: str, pages: dict[str, str]) -> None:
    names = [attributes["id"] for attributes in Outline(pages[task]).all("section")]
    left_out = {"thresholds"} if task == "multiclass" else set()
    assert names == [name for name in SECTIONS.split() if name not in left_out]
    figures = set(re.findall(r'<title id="(\w+)-title"', pages[task]))
    expected = {"loss", "score", "slices", "reliability"}
    expected |= {"binary": {"confusion", "roc", "pr"}, "multilabel": {"pr"}}.get(
        task, {"confusion"}
    )
    assert figures == expected


def test_a_page_warns_that_validation_rows_chose_the_epoch(pages: dict[str, str]) -> None:
    assert VALIDATION_CAUTION in pages["multilabel"].partition("<section")[0]
    assert VALIDATION_CAUTION not in pages["binary"]


def test_data_is_shown_as_text_only(pages: dict[str, str]) -> None:
    page = pages["odd"]
    assert SCRIPT not in page
    assert escape(SCRIPT) in page
    assert "\x1b" not in page
    assert "no token" in page
    assert escape("<by>: <script>alert(1)</script>") in page
    assert "1 times a label that training never saw" in unescape(page)


def test_the_labels_with_the_lowest_f1_come_first_if_there_are_many(
    workplace: Path, invoke: Invoke
) -> None:
    rows = [(f"word{n % 33} text {n}", f"label_{n % 33:02}") for n in range(330)]
    write_csv(workplace / "many.csv", ["text", "label"], rows)
    flags = ("-s", "data.train=many.csv", "-s", "data.test=null", "-s", "training.epochs=1")
    invoke("train", "binary.yaml", "-q", *flags)
    page = invoke("report", "--no-baseline", "-o", "-").stdout
    assert "the 30 of 33 labels of lowest F1" in page
    assert "<details><summary>the other 3 labels</summary>" in page
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
    assert done.stderr == f"{file}: written\n"
    assert file.read_text(encoding="utf-8") == pages["binary"]


def test_a_report_inside_a_run_can_be_written_again(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    file = workplace / "runs" / "binary-1" / REPORT_FILE
    done = invoke("report", "--no-baseline")
    assert done.stdout == f"runs/binary-1/{REPORT_FILE}\n"
    assert done.stderr == f"run: runs/binary-1\nruns/binary-1/{REPORT_FILE}: written\n"
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
    assert "Not known: binary.csv has changed since the run was trained" in page
    assert "its validation rows are unknown" in page
    (workplace / "binary.csv").unlink()
    assert "Not known: binary.csv is not there any more" in invoke("report", "-o", "-").stdout
    (workplace / "binary-test.csv").unlink()
    message = invoke("report", status=1).stderr.splitlines()[-1]
    assert "binary-test.csv" in message


def test_rows_without_a_known_label_make_a_page(
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
    assert ("no browser could be opened" in done.stderr) is not opens


@in_chromium
@pytest.mark.parametrize("name", ["binary", "odd"])
def test_a_page_fits_the_width_of_a_phone(name: str, pages: dict[str, str], tmp_path: Path) -> None:
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
def test_dark_mode_has_a_dark_background(pages: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(pages["multiclass"], encoding="utf-8")
    brightness = []
    for scheme in (0, 1):
        flags = [f"--blink-settings=preferredColorScheme={scheme}", "--window-size=500,500"]
        flags += [f"--screenshot={tmp_path}/{scheme}.png", page.as_uri()]
        chromium(*flags, profile=tmp_path / "profile")
        with Image.open(tmp_path / f"{scheme}.png") as shot:
            brightness.append(shot.convert("L").tobytes()[0])
    dark, light = brightness
    assert dark < 64
    assert light > 192
