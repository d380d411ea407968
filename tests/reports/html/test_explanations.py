"""The page of explanations."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from embedclf.reports.html import explanations
from tests.conftest import ROOT
from tests.inference.test_explain import EXPLANATION
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
