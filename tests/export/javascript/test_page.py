"""The page of an export, in a browser."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from embedclf.runs.run import Run
from tests.export.javascript.engines import Chromium, in_node, write_export
from tests.formats.make import HERE as FORMATS
from tests.reports.html.pages import Outline, in_chromium

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

SHOWN = "!document.querySelector('#answer').hidden"
LOADED = "!document.querySelector('#status').textContent.startsWith('Loading')"


def open_page(chromium: Chromium, folder: Path) -> None:
    chromium.browser.open(f"{chromium.address(folder)}index.html")
    chromium.browser.wait_until(LOADED)


def texts_of(chromium: Chromium, selector: str) -> list[str]:
    script = f"Array.from(document.querySelectorAll({selector!r}), each => each.textContent)"
    found: list[str] = chromium.browser.run(script)
    return found


@in_chromium
def test_a_typed_text_gets_the_prediction_of_the_command(
    chromium: Chromium, runs: dict[str, Run], root: Path, invoke: Invoke
) -> None:
    run = runs["binary"]
    open_page(chromium, write_export(run, root / "typed"))
    text = "a lovely <b>hotel</b> zzz"
    chromium.browser.type("textarea", text)
    chromium.browser.wait_until(SHOWN)
    (row,) = json.loads(invoke("predict", "--run", run.path, "-t", text, "--json").stdout)[
        "predictions"
    ]
    assert texts_of(chromium, "#answer h2 .label") == [row["prediction"]]
    assert texts_of(chromium, "#answer h2 .probability") == [f"{row['probability']:.4f}"]
    assert texts_of(chromium, ".tokens mark")[1:2] == ["lovely"]
    assert texts_of(chromium, ".tokens mark.unknown")[-1:] == ["zzz"]
    assert set(texts_of(chromium, ".ranking bdi")) == set(run.classifier().labels.names)


@in_chromium
def test_each_column_has_an_input(chromium: Chromium, root: Path) -> None:
    run = Run.open(FORMATS / "8" / "multiclass-average-fields")
    open_page(chromium, write_export(run, root / "fields"))
    assert texts_of(chromium, "label") == ["title", "body"]
    chromium.browser.type("input[name=title]", "about heat")
    chromium.browser.wait_until(SHOWN)
    (label,) = texts_of(chromium, "#answer h2 .label")
    assert label in run.classifier().labels.names
    assert texts_of(chromium, ".tokens mark")[0] == "title=about_heat"


@in_chromium
def test_each_label_of_a_text_is_explained(
    chromium: Chromium, workplace: Path, root: Path, invoke: Invoke
) -> None:
    invoke("train", "multilabel.yaml", "-q", "-s", "model.hidden_units=[]")
    run = Run.open(workplace / "runs" / "multilabel-1")
    open_page(chromium, write_export(run, root / "several"))
    chromium.browser.type("textarea", "a b 7")
    chromium.browser.wait_until(SHOWN)
    labels = texts_of(chromium, "#answer h2 .label")
    assert len(labels) == 2
    assert texts_of(chromium, ".explained") == [f"contributions to {each}" for each in labels]
    assert len(texts_of(chromium, ".tokens")) == 2


@in_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_phones_and_desktops(
    width: int, chromium: Chromium, runs: dict[str, Run], root: Path
) -> None:
    folder = root / f"width-{width}"
    write_export(runs["multilabel"], folder)
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    chromium.browser.call("Emulation.setDeviceMetricsOverride", **size)
    open_page(chromium, folder)
    chromium.browser.type("textarea", "a b 7 " * 90 + "x" * 200)
    chromium.browser.wait_until(SHOWN)
    assert chromium.browser.run("document.documentElement.scrollWidth") == width
    chromium.browser.call("Emulation.clearDeviceMetricsOverride")


@in_chromium
def test_a_missing_file_is_reported(chromium: Chromium, runs: dict[str, Run], root: Path) -> None:
    folder = write_export(runs["binary"], root / "missing")
    (folder / "model.bin").unlink()
    open_page(chromium, folder)
    (status,) = texts_of(chromium, "#status")
    assert re.fullmatch("Error: the classifier cannot be loaded: .*model.bin: status 404", status)


@in_node
def test_names_of_labels_and_columns_add_no_markup(runs: dict[str, Run], tmp_path: Path) -> None:
    page = (write_export(runs["binary"], tmp_path / "out") / "index.html").read_text("utf-8")
    outline = Outline(page)
    assert not re.search(r"https?://|src=|@import|url\(", page)
    (policy,) = (tag for tag in outline.all("meta") if "http-equiv" in tag)
    assert "default-src 'none'" in (policy["content"] or "")
