"""What a sample of texts says about which characters should be tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.config.token_patterns import WORDS, WORDS_AND_SYMBOLS
from embedclf.system.arrow import number_column, pc, text_column, to_numpy
from embedclf.text.markup import remove_markup

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from embedclf.system.arrays import Counts, Doubles, Mask
    from embedclf.text.token_rules import TokenRules
    from embedclf.text.tokens import Tokens

_MAX_ROWS = 5_000
"""Texts that are enough to see what symbols say."""

_MIN_MARKUP = 0.1
"""Fraction of texts with HTML from which it is removed; a few texts can be about HTML. On a public
set of which 4% have some, removal costs 0.1 points of accuracy."""

_MIN_WORDLESS = 0.05
"""Fraction of texts with symbols only from which these must be tokens."""

_MIN_SYMBOLS = 0.05
"""Fraction of what all tokens say about labels that symbols must say to be tokens. It is 9% and 10%
on two public sets of informal texts, and 2% or less on six others, none of which gains accuracy by
symbols."""

_MIN_Z_SCORE = 4.0
"""How far from a coincidence that must be, in standard deviations."""

_MAX_LABELS = 20
"""The most frequent labels, which are examined one by one; the others count as one more."""


@dataclass(frozen=True)
class TokenEvidence:
    """What a sample of texts says about which characters should be tokens."""

    markup: float = 0.0
    """Fraction of the texts with HTML."""
    wordless: float = 0.0
    """Fraction of the texts with symbols, but without a word or an emoji."""
    symbol: str = ""
    """The symbol that says most about labels."""
    symbols: float = 0.0
    """Fraction of what all tokens say about labels that symbols say."""

    @classmethod
    def measure(cls, texts: pa.Array, labels: pa.Array, rules: TokenRules) -> TokenEvidence:
        """Measure texts (n,) and their label cells (n,).

        Args:
            texts: A sample; at most 5,000 of them are looked at.
            labels: The cell of the label column, or of all of them.
            rules: Of the config, as far as they are known.
        """
        texts, labels = (_choose_rows(cells) for cells in (texts, labels))
        without_markup = remove_markup(texts)
        markup = _fraction_different(texts, without_markup)
        if rules.html or markup >= _MIN_MARKUP:
            texts = without_markup
        rules = replace(rules, unit="word", pattern=WORDS_AND_SYMBOLS, html=False, fields=())
        tokens = rules.tokenize(texts)
        is_symbol = ~replace(rules, pattern=WORDS).are_tokens(tokens.dictionary)
        symbols_only = _contain(tokens, is_symbol) & ~_contain(tokens, ~is_symbol)
        wordless = float(symbols_only.sum() / max(len(texts), 1))
        information = _information(tokens, _frequent_codes(labels))
        of_symbols = information * is_symbol
        if not of_symbols.any():
            return cls(markup, wordless)
        symbol = tokens.dictionary[int(of_symbols.argmax())].as_py()
        return cls(markup, wordless, symbol, float(of_symbols.sum() / information.sum()))

    @property
    def has_markup(self) -> bool:
        """Whether so many texts have HTML that it should be removed."""
        return self.markup >= _MIN_MARKUP

    @property
    def wordless_matter(self) -> bool:
        """Whether so many texts have nothing but symbols that these must be tokens."""
        return self.wordless >= _MIN_WORDLESS

    @property
    def symbols_matter(self) -> bool:
        """Whether symbols help to predict labels."""
        return self.symbols >= _MIN_SYMBOLS

    @property
    def pattern(self) -> str:
        """The `text.token_pattern` for words."""
        is_wide = self.wordless_matter or self.symbols_matter
        return WORDS_AND_SYMBOLS if is_wide else WORDS

    def settings(self, written: Collection[str]) -> dict[str, Any]:
        """Return the keys of `text` that are chosen by it and not written."""
        values = {"token_pattern": self.pattern, "html": self.has_markup}
        return {key: value for key, value in values.items() if f"text.{key}" not in written}


def _choose_rows(cells: pa.Array) -> pa.Array:
    """Return random cells, the same rows for columns of the same length; null becomes ""."""
    # Not every second one or so: labels can alternate.
    rows = np.random.default_rng(0).permutation(len(cells))[:_MAX_ROWS]
    return pc.coalesce(cells.take(number_column(rows)), text_column([""])[0])


def _fraction_different(texts: pa.Array, others: pa.Array) -> float:
    """Return the fraction of texts (n,) that differ from others (n,)."""
    different: Mask = to_numpy(pc.not_equal(texts, others)).view(np.bool_)
    return float(different.mean()) if len(different) else 0.0


def _contain(tokens: Tokens, mask: Mask) -> Mask:
    """(n,) whether each text has a token under a mask (distinct,)."""
    totals = np.concatenate([[0], np.cumsum(mask[tokens.codes])])
    contain: Mask = totals[tokens.ends] > totals[tokens.ends - tokens.lengths]
    return contain


def _frequent_codes(labels: pa.Array) -> Counts:
    """(n,) the rank of each row's label among the most frequent; all others share the next one."""
    encoded = labels.dictionary_encode()
    codes = to_numpy(encoded.indices)
    counts = np.bincount(codes, minlength=len(encoded.dictionary))
    ranks = np.empty(len(counts), np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    frequent: Counts = np.minimum(ranks, _MAX_LABELS)[codes]
    return frequent


def _information(tokens: Tokens, labels: Counts) -> Doubles:
    """Measure how much of the uncertainty about labels (their entropy) each token removes.

    Args:
        tokens: Of the texts (n,).
        labels: (n,) codes from 0.

    Returns:
        (distinct,) in nats per text; 0 where it can be a coincidence.
    """
    of_labels = np.bincount(labels)
    others = len(of_labels) - 1
    counts = _count_texts(tokens, labels)
    # (distinct,) twice these are the G statistic: chi-squared, with `others` degrees of freedom.
    ratios = _log_likelihood_ratios(counts, of_labels / len(labels))
    ratios += _log_likelihood_ratios(of_labels - counts, of_labels / len(labels))
    is_certain = 2 * ratios >= others + _MIN_Z_SCORE * math.sqrt(2 * others)
    return np.where(is_certain, (ratios - others / 2) / len(labels), 0.0)


def _count_texts(tokens: Tokens, labels: Counts) -> Counts:
    """(distinct, labels) the number of texts with each token, by label."""
    rows, size = len(labels), int(labels.max()) + 1
    of_text = np.repeat(np.arange(rows), tokens.lengths)
    # Each token counts once a text.
    pairs = np.unique(tokens.codes.astype(np.int64) * rows + of_text)
    codes, of_text = np.divmod(pairs, rows)
    shape = len(tokens.dictionary), size
    return np.bincount(codes * size + labels[of_text], minlength=shape[0] * size).reshape(shape)


def _log_likelihood_ratios(counts: Counts, rates: Doubles) -> Doubles:
    """(n,) how much more probable counts (n, labels) are by their own rates than by others."""
    expected = counts.sum(axis=1, keepdims=True) * rates
    ratios = np.divide(counts, expected, out=np.ones(counts.shape), where=counts > 0)
    sums: Doubles = (counts * np.log(ratios)).sum(axis=1)
    return sums
