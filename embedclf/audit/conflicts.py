"""Different labels for the same tokens, or decided by characters that are not tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.audit.audited_split import (
    example_at,
    join_fingerprints,
    label_keys_at,
    reread_rows,
)
from embedclf.audit.findings import (
    MAX_EXAMPLES,
    MAX_LIST_LENGTH,
    MIN_PURITY,
    MIN_SUPPORT,
    MIN_SUPPORT_FRACTION,
    Example,
    Finding,
    format_rate,
    format_settings,
    severity_by_rate,
)
from embedclf.audit.token_occurrences import read_tokens
from embedclf.config.token_patterns import WORDS_AND_SYMBOLS
from embedclf.system.fields import split_fields
from embedclf.system.terminal import format_percent, join_shortened
from embedclf.text.fingerprints import find_repeated, fingerprint_texts
from embedclf.text.token_rules import TokenRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.audit.findings import Kind
    from embedclf.config.schema import Config
    from embedclf.system.arrays import Mask, Rows
    from embedclf.text.fingerprints import Fingerprints

_MIN_DISTINGUISHED = 0.5
"""Fraction of the rows in conflict that a setting must distinguish to be proposed."""

_MIN_DECIDED = 0.25
"""Fraction of rows whose label must depend on case or on punctuation for a setting that keeps it:
most tables have some words that do."""

_MAX_EXAMINED = 5_000
"""Training rows whose tokens are compared by several settings."""

Settings = dict[str, Any]

_SYMBOLS: Settings = {"text.token_pattern": WORDS_AND_SYMBOLS}

_EVERYTHING = r"[\pL\pN\pM]+|[^\pL\pN\pM\s]"
"""Every character but white space."""


def find_conflicts(splits: Sequence[AuditedSplit], config: Config) -> Iterator[Finding]:
    """Find texts that the network cannot distinguish although their labels differ.

    Args:
        splits: Training first.
        config: Of all splits.
    """
    settings: Mapping[str, Any] = {}
    rows = _rows_in_conflict(splits)
    if len(rows):
        conflicts = _Conflicts.read(splits, rows, config)
        yield from _find_label_conflicts(splits, conflicts)
        for finding in _find_dropped_characters(splits, conflicts, config):
            settings = finding.settings
            yield finding
    if not settings:
        yield from _find_dropped_tokens(splits[0], config)


def _rows_in_conflict(splits: Sequence[AuditedSplit]) -> Rows:
    """Return the rows whose tokens, in any case, have several labels; ascending."""
    fingerprints = join_fingerprints(splits)
    rows = find_repeated(fingerprints)
    conflicting: Rows = rows[_have_several(label_keys_at(splits, rows), fingerprints[rows])]
    return conflicting


def _have_several(labels: Fingerprints, keys: Fingerprints) -> Mask:
    """(n,) True for rows whose key also occurs with another label."""
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    # Comparing with the first row is enough: a second label differs from the first.
    differs = labels != labels[first[group]]
    several: Mask = np.isin(group, group[differs])
    return several


@dataclass(frozen=True)
class _Conflicts:
    """Rows (n,) whose tokens have several labels, with what could distinguish their texts."""

    rows: Rows
    """Numbered across the splits."""
    labels: Fingerprints
    characters: Fingerprints
    """Equal for equal texts, apart from white space."""
    tokens: Fingerprints
    """By the rules of the config, and in the case that they keep."""

    @classmethod
    def read(cls, splits: Sequence[AuditedSplit], rows: Rows, config: Config) -> _Conflicts:
        """Read the texts of some rows again."""
        rules, fields = TokenRules.from_config(config), config.data.fields
        everything = TokenRules(unit="character", lowercase=False)

        def process(texts: pa.StringArray) -> tuple[Fingerprints, Fingerprints, Mask]:
            characters, tokens = _fingerprint(texts, everything), _fingerprint(texts, rules)
            if not fields:
                return characters, tokens, characters != 0
            # A text is blank whatever its fields are.
            plain = _fingerprint(split_fields(texts, fields)[1], everything)
            return characters, tokens, plain != 0

        batches = reread_rows(splits, rows, process)
        characters, tokens, filled = map(np.concatenate, zip(*batches, strict=True))
        return cls(rows, label_keys_at(splits, rows), characters, tokens).take(filled)

    def take(self, mask: Mask) -> _Conflicts:
        """Select some of the rows."""
        return _Conflicts(
            self.rows[mask], self.labels[mask], self.characters[mask], self.tokens[mask]
        )

    @property
    def equal(self) -> Mask:
        """(n,) True for rows whose text has several labels: no token can distinguish them."""
        return _have_several(self.labels, self.characters)

    @property
    def dropped(self) -> Mask:
        """(n,) True for other rows with several labels: their texts differ, their tokens don't."""
        return _have_several(self.labels, self.tokens) & ~self.equal


def _fingerprint(texts: pa.StringArray, rules: TokenRules) -> Fingerprints:
    return fingerprint_texts(rules.tokenize(texts), ignore_case=False)


def _find_label_conflicts(
    splits: Sequence[AuditedSplit], conflicts: _Conflicts
) -> Iterator[Finding]:
    """Find rows whose text has a different label elsewhere, in any split."""
    equal, total = conflicts.equal, sum(map(len, splits))
    count = int(equal.sum())
    if count:
        yield Finding(
            "label-conflict",
            severity_by_rate(count, total),
            f"{format_rate(count, total)} rows share their text with a row that has a different "
            "label",
            count,
            total,
            "a classifier can get only one of these labels right",
            "choose one label for each text, or allow several per row with data.label_separator",
            _pair_examples(splits, conflicts, conflicts.characters, equal),
        )


def _find_dropped_characters(
    splits: Sequence[AuditedSplit], conflicts: _Conflicts, config: Config
) -> Iterator[Finding]:
    """Find rows whose tokens, but not whose text, have a different label elsewhere."""
    dropped, total = conflicts.dropped, sum(map(len, splits))
    count = int(dropped.sum())
    if not count:
        return
    settings, distinguished = dict[str, Any](), 0
    fix = "choose one label for each pair; they are too few for another setting"
    if severity_by_rate(count, total) == "warning":
        settings, distinguished = _choose_settings(splits, conflicts, config)
        fix = "choose one label for each pair; no setting was found that distinguishes them"
    if settings:
        fix = f"{format_settings(settings)} (distinguishes {distinguished:,} of these rows)"
    yield _dropped_finding(
        f"{format_rate(count, total)} rows have the same tokens as a row with a different label: "
        "their texts differ only in characters that are not tokens",
        count,
        total,
        fix,
        _pair_examples(splits, conflicts, conflicts.tokens, dropped),
        settings,
    )


def _dropped_finding(
    message: str,
    count: int,
    total: int,
    fix: str,
    examples: tuple[Example, ...],
    settings: Settings,
) -> Finding:
    kind: Kind = "text-dropped"
    reason = "the network sees tokens only, so it cannot learn what these characters mean"
    severity = severity_by_rate(count, total)
    return Finding(kind, severity, message, count, total, reason, fix, examples, settings)


def _choose_settings(
    splits: Sequence[AuditedSplit], conflicts: _Conflicts, config: Config
) -> tuple[Settings, int]:
    """Choose the first setting that distinguishes enough rows, and count these rows.

    Case and punctuation distinguish many texts, so labels must depend on them, too.
    """
    dropped = conflicts.dropped
    for settings, rules in _wider_rules(config):
        batches = reread_rows(splits, conflicts.rows, partial(_fingerprint, rules=rules))
        tokens = np.concatenate(batches)
        distinguished = int((dropped & ~_have_several(conflicts.labels, tokens)).sum())
        if distinguished < _MIN_DISTINGUISHED * dropped.sum():
            continue
        if settings == _SYMBOLS:
            return settings, distinguished
        of_rows, narrow = conflicts.take(dropped), TokenRules.from_config(config)
        added = read_tokens(splits, of_rows.rows, rules, added_to=narrow)
        decided = added.select_deciding(of_rows.labels).covered(len(of_rows.rows))
        if decided.sum() >= _MIN_DECIDED * len(decided):
            return settings, distinguished
    return {}, 0


def _wider_rules(config: Config) -> Iterator[tuple[Settings, TokenRules]]:
    """Yield settings by which more characters are tokens, or differ; the mildest first."""
    rules = TokenRules.from_config(config)
    if rules.pattern not in {WORDS_AND_SYMBOLS, _EVERYTHING}:
        yield _SYMBOLS, replace(rules, pattern=WORDS_AND_SYMBOLS)
    if rules.lowercase:
        yield {"text.lowercase": False}, replace(rules, lowercase=False)
    if rules.html:
        yield {"text.html": False}, replace(rules, html=False)
    if rules.unit == "word" and rules.pattern != _EVERYTHING:
        yield {"text.token_pattern": _EVERYTHING}, replace(rules, pattern=_EVERYTHING)


def _pair_examples(
    splits: Sequence[AuditedSplit], conflicts: _Conflicts, keys: Fingerprints, mask: Mask
) -> tuple[Example, ...]:
    """Make pairs of rows with the same key and different labels, the first under a mask (n,)."""
    examples = list[Example]()
    _, first = np.unique(keys[mask], return_index=True)
    for index in np.flatnonzero(mask)[np.sort(first)[:MAX_EXAMPLES]]:
        is_twin = (keys == keys[index]) & (conflicts.labels != conflicts.labels[index])
        twin = example_at(splits, int(conflicts.rows[is_twin.argmax()]))
        examples.append(example_at(splits, int(conflicts.rows[index]), twin))
    return tuple(examples)


def _find_dropped_tokens(train: AuditedSplit, config: Config) -> Iterator[Finding]:
    """Find characters that decide the label of many training rows whose tokens do not."""
    size = min(len(train), _MAX_EXAMINED)
    # Not every second row or so: labels can alternate.
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:size])
    labels, rules = train.label_keys_of(rows), TokenRules.from_config(config)
    decided = read_tokens([train], rows, rules).select_deciding(labels).covered(size)
    for settings, wider in _wider_rules(config):
        added = read_tokens([train], rows, wider, added_to=rules).select_deciding(labels)
        covered = added.covered(size) & ~decided
        count, minimum = int(covered.sum()), _MIN_DECIDED
        if settings == _SYMBOLS:
            minimum = MIN_SUPPORT_FRACTION
        if count < max(MIN_SUPPORT, minimum * size):
            continue
        tokens = join_shortened([*map(repr, added.most_frequent())], MAX_LIST_LENGTH)
        yield _dropped_finding(
            f"the label of {format_rate(count, size)} {'examined ' * (size < len(train))}training "
            f"rows depends on characters that the tokens lack: {tokens}",
            count,
            size,
            f"{format_settings(settings)} (at least {format_percent(MIN_PURITY, places=0)} of the "
            "rows with such a token have the same label)",
            tuple(map(train.example, rows[covered][:MAX_EXAMPLES].tolist())),
            settings,
        )
        return
