"""Plots: what is drawn, and that it lives in a page without a trace of where it was made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.evaluation.metrics import Reliability
from embedclf.reports.html.plots import (
    confusion_matrix,
    interval_chart,
    learning_curve,
    precision_recall_curve,
    reliability_diagram,
    roc_curve,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
"""All that XML knows of."""
RISING = np.linspace(0.0, 1.0, 50)
BINS = Reliability(
    np.array([0.05, 0.5]),
    np.array([0.0, 0.75]),
    np.array([0.0, 0.3]),
    np.array([0.2, 0.95]),
    np.array([12, 0, 0, 0, 0, 4, 0, 0, 0, 123456]),
)
PLOTS: dict[str, Callable[[], str]] = {
    "learning": lambda: learning_curve("learning", "loss", [3.0, -1.0], [2.0, 1.5], 2),
    "one-epoch": lambda: learning_curve("one-epoch", "loss", [3.0], [2.0], 1),
    "confusion": lambda: confusion_matrix("confusion", "confusion", "ab", [[3, 1], [0, 20000]]),
    "roc": lambda: roc_curve("roc", "ROC", RISING, RISING**0.5, (0.2, 0.4)),
    "pr": lambda: precision_recall_curve("pr", "PR", RISING, 1 - RISING / 2, (0.2, 0.4), 0.5),
    "reliability": lambda: reliability_diagram("reliability", "reliability", BINS),
    "intervals": lambda: interval_chart(
        "intervals",
        "score",
        [("length", [("up to 9", 0.5, 0.4, 0.6), ("more", 0.9, 0.8, 1.0)])],
        0.9,
    ),
}


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - it is our own


def words(svg: str) -> list[str]:
    """All text of a plot, its title first."""
    return [text for text in parsed(svg).itertext() if text.strip()]


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_an_image_with_a_title_that_fits_its_page(name: str) -> None:
    root = parsed(PLOTS[name]())
    assert root.tag.endswith("}svg")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{name}-title"
    assert root[0].get("id") == f"{name}-title"
    assert root[0].text
    assert root.get("viewBox")
    assert root.get("width") is None


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_takes_letters_and_colours_from_its_page(name: str) -> None:
    svg = PLOTS[name]()
    assert "var(--for)" in svg
    assert "currentColor" in svg
    assert "font-family" not in svg
    assert not re.findall(r"(?:fill|stroke): #", svg), "a colour that dark mode does not know"


@pytest.mark.parametrize("name", PLOTS)
def test_names_within_a_plot_are_its_own_and_lead_somewhere(name: str) -> None:
    svg = PLOTS[name]()
    ids = re.findall(r' id="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(each.startswith(f"{name}-") for each in ids)
    assert set(re.findall(r'(?:url\(|href=")#([^")]*)', svg)) <= set(ids)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_the_same_twice_and_asks_no_network(name: str) -> None:
    svg = PLOTS[name]()
    assert svg == PLOTS[name]()
    assert set(re.findall(r"https?://[^\"]*", svg)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "<style" not in svg


def test_settings_of_others_neither_count_nor_change() -> None:
    plain = PLOTS["roc"]()
    with mpl.rc_context({"svg.fonttype": "path", "font.size": 30, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        assert PLOTS["roc"]() == plain
        assert dict(mpl.rcParams) == before


@settings(max_examples=30)
@given(st.lists(st.text(LETTERS, min_size=1, max_size=40), min_size=2, max_size=3))
def test_labels_of_any_letters_are_text_and_nothing_else(labels: list[str]) -> None:
    cells = np.eye(len(labels), dtype=int).tolist()
    root = parsed(confusion_matrix("c", "confusion", labels, cells))
    allowed = {"svg", "title", "g", "path", "text", "defs", "clipPath", "rect", "use"}
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= allowed


def test_labels_stand_as_they_are_or_shortened() -> None:
    labels = ["$5 & $10", "<b>", 'x id="y" #0a0b01', "customer_service_complaints", "名" * 20]
    told = words(confusion_matrix("c", "confusion", labels, np.eye(5, dtype=int).tolist()))
    for shown in (*labels[:3], "customer_service_comp…", "名" * 10 + "…"):
        assert told.count(shown) == 2, shown


def test_a_confusion_matrix_tells_numbers_and_leaves_empty_cells_empty() -> None:
    told = words(PLOTS["confusion"]())
    assert {"3", "1", "20k", "true", "given"} <= set(told)
    assert "0" not in told


def test_the_kept_epoch_and_whole_epochs_are_shown() -> None:
    told = words(PLOTS["one-epoch"]())
    assert {"training", "validation", "kept epoch", "epoch", "1"} <= set(told)
    assert "1.5" not in words(learning_curve("a", "score", [0.1] * 3, [0.2] * 3, 3))


def test_counts_of_a_reliability_diagram_are_told() -> None:
    assert {"12", "4", "0", "123k"} <= set(words(PLOTS["reliability"]()))


def test_what_lies_surely_below_the_whole_has_another_colour() -> None:
    def drawn(high: float) -> str:
        return interval_chart("i", "score", [("by", [("some", 0.5, 0.4, high)])], 0.9)

    assert "var(--against)" in drawn(0.6)
    assert "var(--against)" not in drawn(0.95)


def test_many_points_are_drawn_in_few_letters() -> None:
    many = np.linspace(0.0, 1.0, 100_000)
    rng = np.random.default_rng(1)
    noisy = 0.5 + rng.random(100_000) / 10
    assert len(precision_recall_curve("p", "PR", many, noisy, (0.5, 0.5), 0.5)) < 400_000
