"""Texts that are hard to split, and tokenizers that know many of their tokens."""

from __future__ import annotations

import math
import random
import sys
import unicodedata
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from embedclf.config.sections import TextConfig
from embedclf.system.arrow import text_column
from embedclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.text.token_rules import TokenRules

CHARACTERS = (
    "aAbdDpPxX3'’:;=-<+#,.!? \n\x1f\x00\u3000\u00ad\u200b\u200d\ufe0f\u20e31*éIKÅ≠‼ↁ中가Ⓜℬ"
    "\u0301\u0300\u0307\u0323\u0327\u0338\u1100\u1161\u11a8\u0958\ufb1d\u0e33\u212b\u2adc"
    "👍🏽🇩🇪😀🏴\U000e0067\U000e007f\U0001d15e"
)
"""Letters and marks that are composed, emoji and their parts, what is invisible, and symbols."""

MARKUP = (
    *"&<>;#!-/=\"' axXbipſKıİ0é\n3\u00a0",
    *"&amp; &lt; &gt; &quot; &nbsp; &amp &lt &AMP; &Amp; &eacute; &Eacute; &ngE; &bne;".split(),
    *"&#39; &#x27; &#XE9; &#128; &#0; &#13; &#xfffe; &#55296; &#99999999999; &#1234 &#xE9".split(),
    *"&#00000000000000000065; &#000000000000000000065; &notable; &unknown; &ampſ;".split(),
    *"<!-- --> <!--> <script <script> <style> </script> </style> </ſcript> <ſcript>".split(),
    *"<scrıpt> <SCRIPT> <b> </b> <br/> <BR> </a> <NAME> <h1 <p <sup>2</sup>".split(),
    *("</script >", "<!doctype html>", "<br />", "<p class='x'>", "<a href=x>", "<td nowrap"),
    *('<a href="http://x.y/?a=b&amp;c">', "<input disabled checked>", "<span style='<'>"),
    *("<font color=red", "a < b", "wörd", "good", "bad", "script", "style", " title"),
)
"""Pieces of HTML, many of them broken."""

NUMBERS = (
    *"0 1 7 3.5 - + . e E 00 5 ٣ ７ e5 e-3 1_0 q1 Q4 nan inf 1e400 -1e400 1e-400 x ² 9".split(),
    *"0.1000000000000000055511151231257827 1.7976931348623157e308 1.7976931348623159e308".split(),
)
"""Pieces of numbers."""

SPACES = " \n"
FIELDS = ("Title=", "title=", "tïtle=", "b_c=")


def make_texts(count: int, fields: tuple[str, ...] = ()) -> list[str]:
    """Make random texts, composed or not; many begin with fields if there are some."""
    randomly = random.Random(0)  # noqa: S311 - texts
    texts = []
    for _ in range(count):
        text = _make_text(randomly, 14)
        for _ in fields:
            if randomly.random() < 0.8:
                cell = f"{randomly.choice(FIELDS)}{_make_text(randomly, 3)}"
                text = f"{cell}{randomly.choice(SPACES)}{text}"
        if randomly.random() < 0.5:
            text = unicodedata.normalize("NFC" if randomly.random() < 0.5 else "NFD", text)
        texts.append(text)
    return texts


def make_markup(count: int) -> list[str]:
    """Make random texts of pieces of HTML."""
    randomly = random.Random(0)  # noqa: S311 - texts
    return ["".join(randomly.choices(MARKUP, k=randomly.randint(0, 12))) for _ in range(count)]


def make_cells(count: int, edges: Sequence[float]) -> list[str]:
    """Make random cells of a field of numbers: numbers next to edges, others, and broken ones."""
    randomly = random.Random(0)  # noqa: S311 - texts
    cells = []
    for _ in range(count):
        edge = randomly.choice([*edges, 0.0, sys.float_info.max])
        for _ in range(randomly.randint(0, 2)):
            edge = math.nextafter(edge, randomly.choice([-math.inf, math.inf]))
        middle = (Decimal(edge) + Decimal(math.nextafter(edge, 0))) / 2
        forms = repr(edge), f"{edge:.17e}", f"{middle:.17e}", f"{edge:.2f}"[:60]
        broken = "".join(randomly.choices(NUMBERS, k=randomly.randint(0, 4)))
        cells.append(randomly.choice([*forms, broken]))
    return cells


def all_characters() -> list[str]:
    """All characters of the planes that have some, and every 16th code point of the others."""
    used = {*range(0x32000), *range(0xE0000, 0xE1000), *range(0x32000, 0x110000, 16)}
    return [chr(point) for point in sorted(used) if not 0xD800 <= point < 0xE000]


@cache
def fit_tokenizer(
    rules: TokenRules, *, ngrams: int = 3, sequence_length: int = 7, vocabulary_size: int = 900
) -> Tokenizer:
    """Fit a tokenizer to random texts."""
    config = TextConfig(
        ngrams=ngrams,
        sequence_length=sequence_length,
        vocabulary_size=vocabulary_size,
        ngram_vocabulary_size=900,
    )
    texts = make_texts(1500, rules.fields) + (make_markup(500) if rules.html else [])
    tokens = rules.tokenize(text_column(texts))
    words = ("zz", "a", "aa") if rules.unit == "word" else ()
    tokenizer = Tokenizer.fit([tokens.count()], rules, config, vector_words=words)
    return tokenizer.fit_ngrams([tokens], config)


def _make_text(randomly: random.Random, longest: int) -> str:
    return "".join(randomly.choices(CHARACTERS, k=randomly.randint(0, longest)))
