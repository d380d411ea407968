"""The page of explanations."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import pytest

from embedclf.inference.explanation import TokenContribution
from embedclf.reports.html import explanations
from tests.conftest import ROOT
from tests.inference.test_explain import EXPLANATION
from tests.reports.html.pages import in_chromium
from tests.reports.html.test_browser import page_width
from tests.test_architecture import imported_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.inference.explanation import Explanation


def test_explanations_are_written_as_a_page(golden: Callable[[str, str], None]) -> None:
    html = "".join(explanations.render_explanations("runs/<x>-1", [EXPLANATION]))
    golden("explain.html", html)
    assert "<b>" not in html
    assert "http" not in html


def test_a_text_is_written_before_the_next_one_is_explained() -> None:
    rows = []

    def explain() -> Iterator[Explanation]:
        for row in range(1, 4):
            rows.append(row)
            yield replace(EXPLANATION, row=row)

    written = ""
    for piece in explanations.render_explanations("runs/x-1", explain()):
        written += piece
        assert len(rows) - written.count("</article>") <= 1
    assert rows == [1, 2, 3]
    assert written.count("<article>") == 3


def test_the_page_is_written_without_matplotlib(tmp_path: Path) -> None:
    run, page = ROOT / "tests" / "formats" / "5" / "binary-average", tmp_path / "page.html"
    imported = imported_by("explain", "a", "--run", str(run), "--html", str(page))
    assert page.read_text(encoding="utf-8").endswith("</html>\n")
    assert not re.search(r"\| +(matplotlib|tensorflow)\b", imported)


def test_tokens_are_marked_in_the_text_as_it_was_written() -> None:
    html = render(EXPLANATION)
    start = html.index('<p class="text')
    text = re.sub(r"<.*?>", "", html[start : html.index("</p>", start)].replace("<br>", "\n"))
    assert unescape(text) == EXPLANATION.text


def test_a_contribution_has_the_same_color_on_every_page() -> None:
    weak = TokenContribution("good", True, 0.2, (0, 4))
    strong = TokenContribution("zyx", False, -5.0, (6, 9))
    for tokens in ((weak,), (weak, strong)):
        html = render(replace(EXPLANATION, tokens=tokens, truncated=0))
        assert '<mark class="for" style="--strength:0.15" title="+0.2000">Good</mark>' in html
    legend = html[html.index('class="legend"') : html.index("<article>")]
    steps = re.findall(r'class="for" style="--strength:([\d.]+)">\+([\d.]+)<', legend)
    assert steps == [("0.15", "0.1"), ("0.32", "0.3"), ("0.52", "1"), ("0.75", "3")]


@in_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_long_words_and_labels_do_not_widen_the_page(width: int, tmp_path: Path) -> None:
    word = "Donaudampfschifffahrt" * 9
    long = TokenContribution(word.lower(), False, 0.5, (0, len(word)))
    explanation = replace(EXPLANATION, text=f"{word}\n\nend", label=word, tokens=(long,))
    html = render(explanation).replace("<details>", "<details open>")
    assert page_width(html, width, tmp_path) == width


def render(explanation: Explanation) -> str:
    return "".join(explanations.render_explanations("runs/x-1", [explanation]))
