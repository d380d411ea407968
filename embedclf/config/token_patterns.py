"""What `text.token_pattern` can be: a name, or a regular expression."""

from __future__ import annotations

import re

from embedclf.config.messages import closest_match

CLASSIC, WORDS, WORDS_AND_SYMBOLS = TOKEN_PATTERNS = ("classic", "words", "words_and_symbols")
"""The patterns that have a name."""

_NAME = re.compile(r"[A-Za-z_]+")

_SAMPLES = ("", "a", "a b", "1 !")
"""Texts in which an expression that can match nothing does so."""


def find_pattern_fault(pattern: str) -> str | None:
    """Return what is wrong with a pattern and how to fix it, or None."""
    if pattern in TOKEN_PATTERNS:
        return None
    match = closest_match(pattern, TOKEN_PATTERNS)
    if _NAME.fullmatch(pattern):
        hint = f"did you mean '{match}'?" if match else f"names: {', '.join(TOKEN_PATTERNS)}"
        return f"unknown name '{pattern}'; {hint} (for the word itself, write '(?:{pattern})')"
    return _find_expression_fault(pattern)


def _find_expression_fault(pattern: str) -> str | None:
    import pyarrow as pa

    from embedclf.system.arrow import pc, text_column

    samples = text_column(_SAMPLES)
    try:
        pc.match_substring_regex(samples, pattern)
        marked = pc.replace_substring_regex(samples, f"({pattern})", r"<\1>").to_pylist()
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        return f"not a regular expression of RE2: {reason}; fix it, or write words"
    if any("<>" in sample for sample in marked):
        return "the expression also matches nothing; write + instead of *, or write words"
    return None
