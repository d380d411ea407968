"""The page of a search: whether better settings were found, and which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embedclf.reports.html.tuning import render_search
from embedclf.tuning.space import Trial
from embedclf.tuning.tune import ConfigSource, TuningResult
from tests.reports.html.pages import Outline, shown_cards

if TYPE_CHECKING:
    from embedclf.runs.run import Run
    from embedclf.tuning.space import Space

OWN = {"model.embedding_dim": 8}
OTHER = {"model.embedding_dim": 4}


def search(
    run: Run, own: float | None, other: float | None, metric: str = "accuracy"
) -> TuningResult:
    """A study of two trials: the config's own settings, and others."""
    trials = [
        Trial(number, "failed" if score is None else "complete", settings, score, seconds=0.25)
        for number, settings, score in ((1, OWN, own), (2, OTHER, other))
    ]
    lower_is_better = metric == "log_loss"
    finished = [trial for trial in trials if trial.score is not None]
    best = (min if lower_is_better else max)(finished, key=lambda trial: trial.score or 0.0)
    space: Space = {"model.embedding_dim": [4, 8]}
    source = ConfigSource(run.config(), "reviews.yaml")
    folder = Path("tunings/reviews")
    return TuningResult(
        folder, source, metric, lower_is_better, space, tuple(trials), best, importance=None
    )


@pytest.mark.parametrize(
    ("own", "other", "metric", "gain"),
    [(0.75, 0.875, "accuracy", "+0.1250"), (0.5, 0.25, "log_loss", "-0.2500")],
)
def test_better_settings_show_their_gain(
    runs: dict[str, Run], own: float, other: float, metric: str, gain: str
) -> None:
    page = render_search(search(runs["binary"], own, other, metric))
    best, gained, trials = shown_cards(page)
    assert best[:3] == [f"Best {metric}", f"{other:.4f}", "trial 2"]
    assert gained[1:] == [gain, "1 setting changed", f"config's own settings: {own:.4f}"]
    assert trials == ["Trials", "2", "2 complete"]
    assert "Trial 2 is better than the config&#39;s own settings" in page
    assert "No better settings found" not in page


@pytest.mark.parametrize(
    ("own", "other", "metric"),
    [(0.875, 0.75, "accuracy"), (0.875, 0.875, "accuracy"), (0.25, 0.5, "log_loss")],
)
def test_a_page_says_that_no_better_settings_were_found(
    runs: dict[str, Run], own: float, other: float, metric: str
) -> None:
    page = render_search(search(runs["binary"], own, other, metric))
    assert "No better settings found" in page
    assert shown_cards(page)[1][:3] == ["Gain over the config", "none", "no better settings found"]


def test_a_config_without_a_score_is_not_compared(runs: dict[str, Run]) -> None:
    page = render_search(search(runs["binary"], None, 0.75))
    assert "Best trial: 2, accuracy 0.7500." in page
    assert shown_cards(page)[1][2] == "the config's own settings have no score"
    assert shown_cards(page)[2] == ["Trials", "2", "1 complete", "1 failed"]


def test_the_contents_list_the_sections(runs: dict[str, Run]) -> None:
    outline = Outline(render_search(search(runs["binary"], 0.5, 0.75)))
    names = [attributes["id"] for attributes in outline.all("section")]
    assert names == "settings scores history slices trials".split()
    assert [attributes["href"] for attributes in outline.all("a")] == [f"#{name}" for name in names]
