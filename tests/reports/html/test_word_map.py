"""The map of words as a page and as a picture, and what a browser makes of the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from embedclf.inference.embeddings import Embeddings
from embedclf.inference.projection import build_word_map
from embedclf.reports.html import word_map
from tests.inference.test_embeddings import make_embeddings
from tests.reports.html.pages import chromium, in_chromium

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


def test_a_map_is_a_page_or_a_picture(runs: dict[str, Run], invoke: Invoke, tmp_path: Path) -> None:
    args = ("embeddings", "map", "--run", runs["multiclass"].path, "-n", 40)
    for name, begins in {"m.html": b"<!doctype", "m.svg": b"<svg", "m.png": b"\x89PNG"}.items():
        stderr = invoke(*args, "-o", tmp_path / name).stderr
        assert stderr.endswith("words drawn\n")
        assert (tmp_path / name).read_bytes().startswith(begins)
    stderr = invoke(*args, "-o", tmp_path / "t.html", "--method", "tsne", "--by", "count").stderr
    assert stderr.endswith("40 words drawn\n")
    stderr = invoke(*args, "-o", tmp_path / "m.jpg", status=2).stderr
    assert "must end in .html, .svg or .png" in stderr
    stderr = invoke(*args, "-o", tmp_path / "no" / "m.svg", status=1).stderr
    assert stderr.startswith(f"embedclf: {tmp_path}")
    page = (tmp_path / "m.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert page.count('class="spot"') == 40


def test_names_are_escaped_in_the_page() -> None:
    embeddings = make_embeddings(seed=1)
    odd = Embeddings(
        embeddings.tokenizer,
        type(embeddings.labels)("binary", ("<b>", "$x$ & y"), (1, 1)),
        embeddings.weights,
        None,
    )
    page = "".join(word_map.render_word_map("<i>", build_word_map(odd, 8)))
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
    const shown = seen == spots[0].matches(':focus');  // a window behind others has no focus
    const hidden = getComputedStyle(spots[1].querySelector('text')).visibility;
    const wide = document.documentElement.scrollWidth > innerWidth;
    document.title = [boxes.length > 20, over, spots.length, shown, hidden, wide].join(' ');
    </script>"""
    page.write_text(page.read_text().replace("</body>", f"{script}</body>"))
    flags = ("--dump-dom", f"--window-size={width},800", page.as_uri())
    dumped = chromium(*flags, profile=tmp_path / "profile")
    found = re.search(r"<title>(.*)</title>", dumped)
    assert found is not None
    assert found[1] == "true 0 120 true hidden false"
