"""Figures of a search: what they show of odd names and values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from embedclf.reports.html.figures import to_svg
from embedclf.reports.html.tuning_plots import (
    importance_bars,
    optimization_history,
    setting_slice,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ODD_NAMES = ["<b>", "$5 & $10", "\x1b[31m", "n" * 80, "e", "f", "g", "h"]


def texts(figure: Figure) -> list[str]:
    svg = to_svg(figure, "x", "title")
    return [text.strip() for text in ET.fromstring(svg).itertext() if text.strip()]  # noqa: S314


def test_trials_without_a_score_are_shown_as_such() -> None:
    trials = [(1, 0.5), (2, None), (3, 0.75)]
    assert "no score" in texts(optimization_history(trials, "f1", lower_is_better=False))
    assert "no score" not in texts(optimization_history(trials[:1], "f1", lower_is_better=False))


def test_the_best_so_far_follows_the_direction() -> None:
    trials = [(1, 0.5), (2, 0.25), (3, 0.75)]
    lowest, highest = (
        to_svg(optimization_history(trials, "f1", lower_is_better=lower), "x", "title")
        for lower in (True, False)
    )
    assert lowest != highest


def test_importance_is_shown_in_percent_with_the_names_of_settings() -> None:
    shown = texts(importance_bars({"model.pooling": 0.9, "a" * 40: 0.1}))
    assert {"model.pooling", "a" * 21 + "…", "90%", "10%"} <= set(shown)


def test_values_of_a_setting_are_text_and_slanted_if_they_are_long() -> None:
    points = [(index, 0.1 * index) for index in range(len(ODD_NAMES))]
    figure = setting_slice(points, "a.b", "f1", values=ODD_NAMES, log=False)
    assert {"<b>", "$5 & $10", "␛[31m", "n" * 21 + "…", "a.b", "f1"} <= set(texts(figure))
    assert "rotate(-30" in to_svg(figure, "x", "title")
    level = setting_slice(points[:2], "a.b", "f1", values=["max", "mean"], log=False)
    assert "rotate(-30" not in to_svg(level, "x", "title")


def test_a_logarithmic_axis_has_plain_numbers() -> None:
    figure = setting_slice([(0.001, 0.5), (0.1, 0.75)], "rate", "f1", values=None, log=True)
    assert {"0.001", "0.01", "0.1"} <= set(texts(figure))
    assert not re.search("mathdefault", to_svg(figure, "x", "title"))
