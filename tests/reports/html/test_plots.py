"""Figures of the run report: what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.evaluation.metrics import Reliability
from embedclf.reports.html.figures import to_svg
from embedclf.reports.html.plots import (
    confusion_matrix,
    learning_curve,
    precision_recall_curve,
    reliability_diagram,
    roc_curve,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

CHARACTERS = st.characters(exclude_categories=["Cs"])
"""All that a table can hold, even what XML does not allow."""
RISING = np.linspace(0.0, 1.0, 50)
BINS = Reliability(
    np.array([0.05, 0.5]),
    np.array([0.0, 0.75]),
    np.array([0.0, 0.3]),
    np.array([0.2, 0.95]),
    np.array([12, 0, 0, 0, 0, 4, 0, 0, 0, 123456]),
)
FIGURES: dict[str, Callable[[], Figure]] = {
    "learning": lambda: learning_curve([3.0, -1.0], [2.0, 1.5], 2),
    "one-epoch": lambda: learning_curve([3.0], [2.0], 1),
    "confusion": lambda: confusion_matrix("ab", [[3, 1], [0, 20000]]),
    "roc": lambda: roc_curve(RISING, RISING**0.5, (0.2, 0.4)),
    "pr": lambda: precision_recall_curve(RISING, 1 - RISING / 2, (0.2, 0.4), 0.5),
    "reliability": lambda: reliability_diagram(BINS),
}


def draw(name: str) -> str:
    return to_svg(FIGURES[name](), name, f"figure of {name}")


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - it is our own


def words(svg: str) -> list[str]:
    """All text of a figure, its title first."""
    return [text for text in parsed(svg).itertext() if text.strip()]


@settings(max_examples=30)
@given(st.lists(st.text(CHARACTERS, min_size=1, max_size=40), min_size=2, max_size=3))
def test_labels_are_shown_as_text_only(labels: list[str]) -> None:
    cells = np.eye(len(labels), dtype=int).tolist()
    root = parsed(to_svg(confusion_matrix(labels, cells), "c", "confusion"))
    allowed = {"svg", "title", "g", "path", "text", "defs", "clipPath", "rect", "use"}
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= allowed


def test_only_long_labels_are_shortened() -> None:
    labels = ["$5 & $10", "<b>", 'x id="y" #0a0b01', "customer_service_complaints", "名" * 20]
    texts = words(to_svg(confusion_matrix(labels, np.eye(5, dtype=int).tolist()), "c", "confusion"))
    for label in (*labels[:3], "customer_service_comp…", "名" * 10 + "…"):
        assert texts.count(label) == 2, label


def test_a_confusion_matrix_shows_counts_and_leaves_empty_cells_empty() -> None:
    shown = words(draw("confusion"))
    assert {"3", "1", "20k", "actual", "predicted"} <= set(shown)
    assert "0" not in shown


def test_a_learning_curve_marks_the_best_epoch_and_whole_epochs() -> None:
    shown = words(draw("one-epoch"))
    assert {"training", "validation", "best epoch", "epoch", "1"} <= set(shown)
    assert "1.5" not in words(to_svg(learning_curve([0.1] * 3, [0.2] * 3, 3), "a", "score"))


def test_a_reliability_diagram_shows_counts() -> None:
    assert {"12", "4", "0", "123k"} <= set(words(draw("reliability")))


def test_many_points_make_a_small_figure() -> None:
    many = np.linspace(0.0, 1.0, 100_000)
    rng = np.random.default_rng(1)
    noisy = 0.5 + rng.random(100_000) / 10
    curve = precision_recall_curve(many, noisy, (0.5, 0.5), 0.5)
    assert len(to_svg(curve, "p", "PR")) < 400_000
