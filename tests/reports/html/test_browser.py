"""What a browser makes of the pages: width, colors, sorting, contents, folded sections."""

from __future__ import annotations

import json
import re
from html import escape, unescape
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from embedclf.reports.html.tuning import render_search
from tests.reports.html.pages import chromium, in_chromium
from tests.reports.html.test_tuning import search

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

pytestmark = in_chromium

SORT = """
const table = document.querySelector("#labels table");
const buttons = [...table.tHead.querySelectorAll("th > button")];
const values = cell => cell.dataset.value ?? cell.textContent.trim();
const column = at => [...table.tBodies[0].rows].map(row => values(row.cells[at]));
const orders = () => buttons.map(button => button.parentElement.ariaSort);
const result = { titles: buttons.map(button => button.textContent), before: orders(), clicks: [] };
for (const at of [0, 0, 1, 3, 4]) {
  buttons[at].focus();
  const focused = document.activeElement === buttons[at];
  buttons[at].click();
  result.clicks.push({ at, focused, values: column(at), orders: orders() });
}
"""

CONTENTS = """
const isOpen = id => document.querySelector(`#${id} > details`).open;
const bar = document.querySelector(".contents");
const result = {
  contents: bar.querySelector("details").open,
  sticky: getComputedStyle(bar).position === "sticky",
  config: isOpen("config"), details: isOpen("details"),
};
"""


def run_script(page: str, script: str, folder: Path, *flags: str, fragment: str = "") -> Any:
    """Run a script at the end of a page; return its `result`."""
    file = folder / "page.html"
    show = f"<script>{{{script}\ndocument.title = JSON.stringify(result);}}</script></body>"
    file.write_text(page.replace("</body>", show), encoding="utf-8")
    address = file.as_uri() + fragment
    dumped = chromium("--dump-dom", *flags, address, profile=folder / "profile")
    found = re.search(r"<title>(.*?)</title>", dumped, re.DOTALL)
    assert found is not None
    return json.loads(unescape(found[1]))


def page_width(page: str, width: int, folder: Path) -> int:
    """The width that a page needs in a window of a width, which a frame can have below 500."""
    file = folder / "frame.html"
    measure = "document.title = this.contentDocument.documentElement.scrollWidth"
    file.write_text(
        f'<!doctype html><title></title><iframe width="{width}" height="800" style="border:0" '
        f'onload="{measure}" srcdoc="{escape(page)}"></iframe>',
        encoding="utf-8",
    )
    dumped = chromium("--dump-dom", file.as_uri(), profile=folder / "profile")
    assert dumped.rstrip().endswith("</html>")
    found = re.search(r"<title>(\d+)</title>", dumped)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["binary", "multilabel", "odd", "many"])
def test_a_report_fits_phones_and_desktops(
    name: str, width: int, pages: dict[str, str], tmp_path: Path
) -> None:
    assert page_width(pages[name], width, tmp_path) == width


def test_a_map_fits_a_phone(runs: dict[str, Run], invoke: Invoke, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    invoke("embeddings", "map", "--run", runs["multiclass"].path, "-o", page, "-n", 30)
    assert page_width(page.read_text(encoding="utf-8"), 390, tmp_path) == 390


def test_a_tuning_report_fits_a_phone(runs: dict[str, Run], tmp_path: Path) -> None:
    page = render_search(search(runs["binary"], own=0.5, other=0.75))
    assert page_width(page, 390, tmp_path) == 390


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


@pytest.mark.parametrize("name", ["binary", "many"])
def test_labels_are_sorted_by_any_column_and_back(
    name: str, pages: dict[str, str], tmp_path: Path
) -> None:
    result = run_script(pages[name], SORT, tmp_path)
    assert result["titles"] == ["label", "rows", "precision", "recall", "F1"]
    assert result["before"] == [None, None, None, None, "ascending"]
    for click, reverse in zip(result["clicks"], [False, True, False, False, False], strict=True):
        at = click["at"]
        assert click["focused"]
        values = click["values"] if at == 0 else list(map(float, click["values"]))
        assert values == sorted(values, reverse=reverse)
        assert click["orders"][at] == ("descending" if reverse else "ascending")
        assert click["orders"].count(None) == 4


def test_contents_stand_beside_the_sections_or_are_folded_above_them(
    pages: dict[str, str], tmp_path: Path
) -> None:
    wide, narrow = (
        run_script(pages["binary"], CONTENTS, tmp_path, f"--window-size={width},900")
        for width in (1280, 600)
    )
    assert wide == {"contents": True, "sticky": True, "config": False, "details": False}
    assert narrow == {"contents": False, "sticky": False, "config": False, "details": False}


def test_a_link_to_a_folded_section_opens_it(pages: dict[str, str], tmp_path: Path) -> None:
    result = run_script(pages["binary"], CONTENTS, tmp_path, fragment="#config")
    assert result["config"]
    assert not result["details"]
