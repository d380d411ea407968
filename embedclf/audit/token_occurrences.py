"""Tokens of texts by other rules than those of the config, and the labels that they decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.audited_split import reread_rows
from embedclf.audit.findings import MIN_PURITY
from embedclf.text.fingerprints import fingerprint_strings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.system.arrays import Mask, Rows
    from embedclf.text.fingerprints import Fingerprints
    from embedclf.text.token_rules import TokenRules
    from embedclf.text.tokens import Tokens

_MIN_Z_SCORE = 4.0
"""How far from a coincidence the label of a token must be, in standard deviations."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Keeps the numbers of texts apart from the hashes of tokens when both are added."""


@dataclass(frozen=True)
class TokenOccurrences:
    """Which texts have which tokens, each once a text."""

    texts: Rows
    """(occurrences,) the text of each, from 0."""
    keys: Fingerprints
    """(occurrences,) a hash of each."""
    names: Mapping[int, str]
    """The token of each hash."""

    def select(self, mask: Mask) -> TokenOccurrences:
        """Keep some of the occurrences."""
        return TokenOccurrences(self.texts[mask], self.keys[mask], self.names)

    def without(self, others: TokenOccurrences) -> TokenOccurrences:
        """Leave out the tokens that the same text has among others."""
        return self.select(~np.isin(self._pairs, others._pairs))

    def covered(self, count: int) -> Mask:
        """(n,) True for the texts that have such a token, of `count` texts."""
        covered = np.zeros(count, np.bool_)
        covered[self.texts] = True
        return covered

    def select_deciding(self, labels: Fingerprints) -> TokenOccurrences:
        """Keep the tokens that decide the label: nearly all their texts have the same.

        Args:
            labels: (n,) of all texts.
        """
        if not len(self.keys):
            return self
        _, label_of, rows = np.unique(labels, return_inverse=True, return_counts=True)
        _, token_of, support = np.unique(self.keys, return_inverse=True, return_counts=True)
        pairs, counts = np.unique(
            token_of.astype(np.int64) * len(rows) + label_of[self.texts], return_counts=True
        )
        tokens, of_label = np.divmod(pairs, len(rows))
        expected = rows[of_label] / len(labels)
        deviation = np.sqrt(support[tokens] * expected * (1 - expected))
        decides = (counts >= MIN_PURITY * support[tokens]) & (
            counts - support[tokens] * expected >= _MIN_Z_SCORE * deviation
        )
        return self.select(np.isin(token_of, tokens[decides]))

    def most_frequent(self) -> list[str]:
        """The tokens, most frequent first."""
        keys, counts = np.unique(self.keys, return_counts=True)
        return [self.names[key] for key in keys[np.argsort(-counts, kind="stable")].tolist()]

    @property
    def _pairs(self) -> Fingerprints:
        """(occurrences,) a hash of each text and token."""
        return self.keys + self.texts.astype(np.uint64) * _MIX


def read_tokens(
    splits: Sequence[AuditedSplit],
    rows: Rows,
    rules: TokenRules,
    *,
    added_to: TokenRules | None = None,
) -> TokenOccurrences:
    """Read the tokens of some rows, or only those that a text does not have by other rules.

    Args:
        splits: The rows are numbered across them.
        rows: In ascending order.
        rules: What a token is.
        added_to: Leave out the tokens by these rules.
    """

    def process(texts: pa.Array) -> tuple[int, TokenOccurrences]:
        found = _find_occurrences(rules.tokenize(texts))
        if added_to is not None:
            found = found.without(_find_occurrences(added_to.tokenize(texts)))
        return len(texts), found

    batches = reread_rows(splits, rows, process)
    starts = np.cumsum([0, *(size for size, _ in batches)]).tolist()
    pairs = zip(starts, (found for _, found in batches), strict=False)
    return TokenOccurrences(
        np.concatenate([found.texts + start for start, found in pairs]),
        np.concatenate([found.keys for _, found in batches]),
        {key: name for _, found in batches for key, name in found.names.items()},
    )


def _find_occurrences(tokens: Tokens) -> TokenOccurrences:
    """Find the tokens of each text of a batch."""
    keys = fingerprint_strings(tokens.dictionary)
    texts = np.repeat(np.arange(len(tokens.ends)), tokens.lengths)
    # Each token once a text.
    pairs = np.unique(texts * len(keys) + tokens.codes)
    texts, codes = np.divmod(pairs, max(len(keys), 1))
    names = dict(zip(keys.tolist(), tokens.dictionary.to_pylist(), strict=True))
    return TokenOccurrences(texts, keys[codes], names)
