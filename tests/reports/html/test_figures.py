"""SVG of every figure: it lives in its page and holds no trace of where it was made."""

from __future__ import annotations

import re

import matplotlib as mpl
import pytest

from tests.reports.html.test_plots import FIGURES, draw, parsed


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_an_image_with_a_title_and_no_fixed_size(name: str) -> None:
    root = parsed(draw(name))
    assert root.tag.endswith("}svg")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{name}-title"
    assert root[0].get("id") == f"{name}-title"
    assert root[0].text
    assert root.get("viewBox")
    assert root.get("width") is None


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_takes_fonts_and_colors_from_its_page(name: str) -> None:
    svg = draw(name)
    assert "var(--for)" in svg
    assert "currentColor" in svg
    assert "font-family" not in svg
    assert not re.findall(r"(?:fill|stroke): #", svg), "a colour that dark mode does not know"


@pytest.mark.parametrize("name", FIGURES)
def test_ids_are_unique_and_every_reference_has_a_target(name: str) -> None:
    svg = draw(name)
    ids = re.findall(r' id="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(each.startswith(f"{name}-") for each in ids)
    assert set(re.findall(r'(?:url\(|href=")#([^")]*)', svg)) <= set(ids)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_reproducible_and_needs_no_network(name: str) -> None:
    svg = draw(name)
    assert svg == draw(name)
    assert set(re.findall(r"https?://[^\"]*", svg)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "<style" not in svg


def test_settings_of_the_caller_neither_matter_nor_change() -> None:
    plain = draw("roc")
    with mpl.rc_context({"svg.fonttype": "path", "font.size": 30, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        assert draw("roc") == plain
        assert dict(mpl.rcParams) == before
