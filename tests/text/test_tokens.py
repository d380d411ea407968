"""Tokens are those of the regular expressions that define them."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.system.arrow import text_column
from embedclf.text.normalization import EMOJI, normalize
from embedclf.text.token_rules import TokenRules

SEPARATOR = r"'*[^\pL\pN\pM'][^\pL\pN\pM]*"
"""A character that is no letter, number, mark or apostrophe, with its neighbors of that kind."""

PATTERNS = ("classic", "words", "words_and_symbols", r"[\pL\pN]+|[!?]", r"(a)|(?i:b.)", "[^,]+")

KISS = "\U0001f468\u200d\u2764\u200d\U0001f48b\u200d\U0001f468"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
THUMB, TONE, SMILE = "\U0001f44d", "\U0001f3fd", "\U0001f600"
GERMANY, FRANCE = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"

WRITTEN = st.lists(
    st.one_of(
        st.sampled_from("abAB12 .,:;!?'’\"()<>=-+#*_@$%&/\t"),
        st.sampled_from(
            [
                KISS,
                ENGLAND,
                THUMB,
                TONE,
                SMILE,
                GERMANY,
                "\U0001f1e9",
                "1\u20e3",
                "#\u20e3",
                "!!!!!",
            ]
        ),
        st.sampled_from(
            ["C++", "&amp;", "&#39;", "<br />", "<b>", "e\u0301", "好", "！", "…", "©"]
        ),
        st.sampled_from("\u200d\u200c\u200b\u00ad\ufe0f\ufe0e\u20e3\u0301\ufeff\u3164\u2066\x00"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=12,
).map("".join)


def tokens(
    text: str, pattern: str = "words", unit: str = "word", *, html: bool = False
) -> list[str]:
    """The tokens of a text."""
    rules = TokenRules(unit, pattern=pattern, html=html)
    (found,) = rules.tokenize(text_column([text])).to_lists()
    return found


def split_by_regex(texts: list[str]) -> list[list[str]]:
    spaced = pa.array([f" {text} " for text in texts], pa.string())
    split: list[list[str]] = pc.split_pattern_regex(spaced, SEPARATOR).to_pylist()
    return [words[1:-1] for words in split]


def classic_tokens(texts: pa.Array) -> list[list[str]]:
    return TokenRules(lowercase=False).tokenize(texts).to_lists()


@settings(max_examples=200)
@given(st.lists(WRITTEN, min_size=1, max_size=5))
def test_classic_words_are_those_of_the_definition(texts: list[str]) -> None:
    normalized = normalize(pa.array(texts, pa.string()), lowercase=False)
    assert classic_tokens(normalized) == split_by_regex(normalized.to_pylist())


def test_every_code_point_separates_classic_words_or_belongs_to_them() -> None:
    for plane in range(0, 0x110000, 0x8000):
        points = [point for point in range(plane, plane + 0x8000) if not 0xD800 <= point < 0xE000]
        text = " ".join(f"x{chr(point)}y" for point in points)
        normalized = normalize(text_column([text]), lowercase=False)
        assert classic_tokens(normalized) == split_by_regex(normalized.to_pylist())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_slice_is_split_as_a_whole(pattern: str) -> None:
    texts = pa.array(["left out", f"it's 'quoted' – b+{SMILE}!!", "", "the end"], pa.string())
    rules = TokenRules(pattern=pattern)
    assert rules.tokenize(texts.slice(1, 2)).to_lists() == rules.tokenize(texts).to_lists()[1:3]


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=40)
@given(texts=st.lists(WRITTEN, min_size=2, max_size=6))
def test_a_text_has_the_same_tokens_in_any_batch(pattern: str, unit: str, texts: list[str]) -> None:
    rules = TokenRules(unit, pattern=pattern, html=True)
    together = rules.tokenize(text_column(texts)).to_lists()
    assert together == [rules.tokenize(text_column([text])).to_lists()[0] for text in texts]


@settings(max_examples=300)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_fast_normal_form_is_nfc(text: str) -> None:
    for form in ("NFC", "NFD", "NFKD"):
        written = text_column([unicodedata.normalize(form, text)])
        expected = pc.utf8_lower(pc.utf8_normalize(written, "NFC"))
        plain = pc.replace_substring(expected, "\N{RIGHT SINGLE QUOTATION MARK}", "'")
        assert normalize(written, lowercase=True).to_pylist() == plain.to_pylist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{KISS}{KISS}", [KISS, KISS]),
        (f"{GERMANY}{FRANCE}\U0001f1e9 x", [GERMANY, FRANCE, "\U0001f1e9", "x"]),
        (f"{THUMB}{TONE}{THUMB}", [THUMB + TONE, THUMB]),
        (f"ok{ENGLAND}ok", ["ok", ENGLAND, "ok"]),
        ("101\ufe0f\u20e3#\u20e3*\ufe0f\u20e3", ["10", "1\u20e3", "#\u20e3", "*\u20e3"]),
        ("\u2764\ufe0f\u2764\u2764\ufe0e", ["\u2764"] * 3),
        ("\u24c2\ufe0f \u24c2 \u00a9\ufe0f \u2139\ufe0f", ["\u24dc", "\u24dc", "\u00a9", "\u2139"]),
        ("\U0001fae8\U0001f9ff", ["\U0001fae8", "\U0001f9ff"]),
    ],
)
@pytest.mark.parametrize("pattern", ["words", "words_and_symbols"])
@pytest.mark.parametrize("unit", ["word", "character"])
def test_an_emoji_is_one_token(text: str, expected: list[str], pattern: str, unit: str) -> None:
    found = tokens(text, pattern, unit)
    if unit == "character":
        expected = [
            part
            for token in expected
            for part in ([token] if re.fullmatch(EMOJI, token) else token)
        ]
    assert found == expected


@pytest.mark.parametrize("pattern", ["words", "words_and_symbols", r"[\pL\pN]+"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("won\u00adder\u00adful", ["wonderful"]),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            ["\u0645\u06cc\u062e\u0648\u0627\u0647\u0645"],
        ),
        ("a\u20e3b x\ufe0f 7\ufe0f", ["ab", "x", "7"]),
        ("\ufeffgo\u2060od \u200fb\u202aad\u202c", ["good", "bad"]),
        ("e\u200d\u0301", ["\u00e9"]),
        ("one\u200btwo\u3164three", ["one", "two", "three"]),
        ("\ufe0f \u20e3 \u200d \U000e0067 \u00ad", []),
    ],
)
def test_invisible_characters_are_no_tokens_and_break_no_word(
    pattern: str, text: str, expected: list[str]
) -> None:
    assert tokens(text, pattern) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C++, C# (F#) g++.", ["c++", "c#", "f#", "g++"]),
        ("a+b #tag @user A+!", ["a", "+", "b", "#", "tag", "@", "user", "a+", "!"]),
        ("$5 50% AT&T 3.5 a.b", ["$", "5", "50", "%", "at", "&", "t", "3", "5", "a", "b"]),
        ("Why? No! Oh!!!!!! Hm...", ["why", "?", "no", "!", "oh", "!!!", "hm", "..."]),
        (":) :-( :-D XD <3 :'(", [":)", ":-(", ":-d", "xd", "<3", ":'("]),
        ("see:do x:d'oh <30", ["see", "do", "x", "d'oh", "<", "30"]),
        ("a -> b => c != d", ["a", "->", "b", "=>", "c", "!=", "d"]),
        ("'quoted' don't “so” (so) so, so; - so_so", ["quoted", "don't", *["so"] * 6]),
        ("好！ 啊！！！！！ 吗？", ["好", "！", "啊", "！！！", "吗", "？"]),
    ],
)
def test_symbols_with_a_meaning_are_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text, "words_and_symbols") == expected


@given(WRITTEN)
def test_words_and_symbols_have_the_words_of_words(text: str) -> None:
    letters = "".join(tokens(text, "words_and_symbols", "character"))
    assert set("".join(tokens(text, "words"))) <= set(letters)
    words = [word.strip("+#") for word in tokens(text, "words_and_symbols")]
    for word in tokens(text, "words"):
        if word.isalnum() and len(word) > 1:  # a single letter can end an emoticon
            assert word in words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It&#39;s&nbsp;so &#x6F;k &eacute;t&Eacute; &amp;#39;s", "it's so ok été s"),
        ('one<br />two<p class="a b">three</p><td>4', "one two three 4"),
        ("won<b>der</b>ful <i>so</i>", "wonderful so"),
        ("a < b, x<y>z and <NAME>; a<b and c>d", "a b x y z and name a b and c d"),
        ("<!-- no --><script>no()</script><style>no {}</style>yes <3", "yes 3"),
        ("?id=0&x=1&copy=2 &notathing; &am", "id 0 x 1 copy 2 notathing am"),
        ("&lt;br /&gt;so&#0; &#xD800;", "so"),
        ("&shy;so&zwj;so", "soso"),
        (f"&#{'1' * 5000};", "1" * 5000),
    ],
)
def test_html_is_decoded_on_request(text: str, expected: str) -> None:
    assert " ".join(tokens(text, html=True)) == expected


def test_html_stays_without_the_setting() -> None:
    assert tokens("&lt;br /&gt;") == ["lt", "br", "gt"]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"[\pL\pN]+", "It's naïve.", ["it", "s", "naïve"]),
        ("[^,]+", " Red wine ,white\twine,, ,", ["red wine", "white wine"]),
        ("(a)(b)|(?P<c>c)", "abcab b", ["ab", "c", "ab"]),
        (r"\S+", "a\x1fb c", ["a", "b", "c"]),
    ],
)
def test_a_regular_expression_says_what_a_token_is(
    pattern: str, text: str, expected: list[str]
) -> None:
    assert tokens(text, pattern) == expected
    assert tokens(text, pattern, "character") == [
        character for token in expected for character in token.replace(" ", "")
    ]
