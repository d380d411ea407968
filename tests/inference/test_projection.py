"""Maps of vectors: places, names that do not overlap, and what a browser makes of the page."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from embedclf.inference.embeddings import Embeddings
from embedclf.inference.projection import HEIGHT, LETTER, LINE, WIDTH, draw_map
from embedclf.reports.html import word_map
from tests.inference.test_embeddings import embeddings
from tests.reports.html.test_run_report import chromium, in_chromium

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

Box = tuple[float, float, float, float]


def apart(one: Box, other: Box, slack: float = 1e-6) -> bool:
    return (
        one[0] >= other[2] - slack
        or one[2] <= other[0] + slack
        or one[1] >= other[3] - slack
        or one[3] <= other[1] + slack
    )


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    most=st.integers(3, 30),
    by=st.sampled_from(["push", "count"]),
    phrases=st.booleans(),
    alike=st.booleans(),
)
def test_names_cover_neither_each_other_nor_spots(
    seed: int, most: int, by: Any, phrases: bool, alike: bool
) -> None:
    known = embeddings("multiclass", seed=seed, ngrams=3)
    if alike:
        known.weights.embedding[:] = known.weights.embedding[0]
    drawn = draw_map(known, most, by=by, phrases=phrases)
    boxes: list[Box] = []
    for spot in drawn.spots:
        assert 0 <= spot.x <= WIDTH
        assert 0 <= spot.y <= HEIGHT
        if spot.name_at is not None:
            left, middle = spot.name_at
            right = left + LETTER * cell_len(spot.entry.word)
            boxes.append((left, middle - LINE / 2, right, middle + LINE / 2))
            assert left >= 0
            assert right <= WIDTH
    assert alike or boxes
    assert all(apart(one, other) for one, other in combinations(boxes, 2))
    spots = [(spot.x, spot.y, spot.x, spot.y) for spot in drawn.spots]
    assert all(apart(box, spot) for box in boxes for spot in spots)
    assert sum(drawn.shares) <= 1 + 1e-9


def test_the_map_shows_the_largest_pushes_with_the_last_label_to_the_right() -> None:
    known = embeddings(seed=3)
    drawn = draw_map(known, 6)
    strongest = [spot.entry.pushes[spot.entry.towards] for spot in drawn.spots]
    numbers = np.arange(2, known.tokenizer.rows, dtype=np.int32)
    expected = sorted((max(one.pushes.values()) for one in known.entries(numbers)), reverse=True)
    assert strongest == pytest.approx(expected[:6])
    sides = np.array([(spot.x, spot.entry.pushes["yes"]) for spot in drawn.spots])
    assert np.corrcoef(sides.T)[0, 1] >= 0
    frequent = draw_map(known, 6, by="count")
    assert [spot.entry.word for spot in frequent.spots] == list(known.tokenizer.tokens[:6])
    assert draw_map(known, 6) == drawn


def test_a_map_is_a_page_or_a_picture(runs: dict[str, Run], invoke: Invoke, tmp_path: Path) -> None:
    args = ("embeddings", "map", "--run", runs["multiclass"].path, "-n", 40)
    for name, begins in {"m.html": b"<!doctype", "m.svg": b"<svg", "m.png": b"\x89PNG"}.items():
        told = invoke(*args, "-o", tmp_path / name).stderr
        assert told.endswith("words drawn\n")
        assert (tmp_path / name).read_bytes().startswith(begins)
    near = invoke(*args, "-o", tmp_path / "t.html", "--method", "tsne", "--by", "count").stderr
    assert near.endswith("40 words drawn\n")
    told = invoke(*args, "-o", tmp_path / "m.jpg", status=2).stderr
    assert "a map has a name in .html, .svg or .png" in told
    told = invoke(*args, "-o", tmp_path / "no" / "m.svg", status=1).stderr
    assert told.startswith(f"embedclf: {tmp_path}")
    page = (tmp_path / "m.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert page.count('class="spot"') == 40


def test_names_say_what_they_say_and_do_nothing() -> None:
    known = embeddings(seed=1)
    odd = Embeddings(
        known.tokenizer,
        type(known.labels)("binary", ("<b>", "$x$ & y"), (1, 1)),
        known.weights,
        None,
    )
    page = "".join(word_map.page("<i>", draw_map(odd, 8)))
    assert "<b>" not in page
    assert "<i>" not in page
    assert "$x$ &amp; y" in page


@in_chromium
@pytest.mark.parametrize("width", [360, 1200])
def test_no_names_overlap_in_a_browser(
    runs: dict[str, Run], invoke: Invoke, tmp_path: Path, width: int
) -> None:
    page = tmp_path / "map.html"
    invoke("embeddings", "map", "--run", runs["binary"].path, "-o", page, "-n", 120)
    script = """<script>
    const boxes = [...document.querySelectorAll('svg > g text')].filter(
        one => !one.closest('.spot')).map(one => one.getBoundingClientRect());
    let over = 0;
    for (const [at, one] of boxes.entries()) for (const other of boxes.slice(at + 1))
        over += one.left < other.right - 1 && other.left < one.right - 1
            && one.top < other.bottom - 3 && other.top < one.bottom - 3;
    const spots = [...document.querySelectorAll('.spot')];
    spots[0].focus();
    const seen = getComputedStyle(spots[0].querySelector('text')).visibility == 'visible';
    const told = seen == spots[0].matches(':focus');  // a window behind others has no focus
    const hidden = getComputedStyle(spots[1].querySelector('text')).visibility;
    const wide = document.documentElement.scrollWidth > innerWidth;
    document.title = [boxes.length > 20, over, spots.length, told, hidden, wide].join(' ');
    </script>"""
    page.write_text(page.read_text().replace("</body>", f"{script}</body>"))
    flags = ("--dump-dom", f"--window-size={width},800", page.as_uri())
    dumped = chromium(*flags, profile=tmp_path / "profile")
    found = re.search(r"<title>(.*)</title>", dumped)
    assert found is not None
    assert found[1] == "true 0 120 true hidden false"
