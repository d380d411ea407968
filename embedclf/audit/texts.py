"""Texts blank, truncated, out of vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.findings import COVERED, CUT, FITTING, SHOWN, UNKNOWN, Finding, by_share, share
from embedclf.system.terminal import percent
from embedclf.text.vocabulary import UNKNOWN as UNKNOWN_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Mask
    from embedclf.training.initialization import Coverage

_AT_ONCE = 1 << 14
"""Rows of ids that are looked at together."""


def text_findings(parts: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find texts that say little or nothing, and the share that the network does not get to see."""
    yield from _scant(parts)
    yield from _cut(parts[0], dataset)
    for part in parts[1:]:
        yield from _unknown(part, dataset)


def _scant(parts: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Texts without a token, of one token, or that stand for no text."""
    blank = [part.traits.lengths == 0 for part in parts]
    nulls = [part.traits.null_like for part in parts]
    single = [(part.traits.lengths == 1) & ~part.traits.null_like for part in parts]
    take_out = "take the rows out, or see whether data.text names the right columns"
    yield from _in_all(
        parts,
        blank,
        ("text-blank", "texts are blank, or hold signs alone: not one token"),
        ("they are all padding, and all get one and the same answer", take_out),
    )
    yield from _in_all(
        parts,
        nulls,
        ("text-null-like", "texts are what programs write for nothing, such as NaN"),
        ("they are learned as words, and one stands for every text that got lost", take_out),
    )
    yield from _in_all(
        parts,
        single,
        ("text-one-token", "texts are one token"),
        (
            "texts that were cut short on the way look like that",
            "see whether they are whole; where they are, nothing has to be done",
        ),
    )


def _in_all(
    parts: Sequence[AuditedSplit],
    masks: Sequence[Mask],
    named: tuple[str, str],
    told: tuple[str, str],
) -> Iterator[Finding]:
    """One finding of the rows under the masks of all parts, if there are any."""
    counts = [int(mask.sum()) for mask in masks]
    if not sum(counts):
        return
    of = sum(map(len, parts))
    pairs = zip(parts, counts, strict=True)
    where = ", ".join(f"{part.name} {count:,}" for part, count in pairs if count)
    examples = [
        example for part, mask in zip(parts, masks, strict=True) for example in part.examples(mask)
    ]
    kind, what = named
    yield Finding(
        kind,
        "note" if kind == "text-one-token" else by_share(sum(counts), of),
        f"{share(sum(counts), of)} {what}: {where}",
        sum(counts),
        of,
        *told,
        tuple(examples[:SHOWN]),
    )


def _cut(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Training texts that are longer than the network reads."""
    most, lengths = dataset.tokenizer.sequence_length, train.traits.lengths
    cut = lengths > most
    count = int(cut.sum())
    if count <= CUT * len(train):
        return
    lost = int((lengths[cut] - most).sum()) / int(lengths.sum())
    fitting = int(np.quantile(lengths, FITTING, method="higher"))
    yield Finding(
        "text-cut",
        "warning",
        f"{share(count, len(train))} training texts have more than {most:,} tokens: "
        f"{percent(lost)} of all their tokens are cut off",
        count,
        len(train),
        "what is cut off is neither learned nor scored",
        f"text.sequence_length: {fitting} fits {100 * FITTING:.0f} % of the texts",
        train.examples(cut),
    )


def _unknown(part: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Tokens that are not in the vocabulary."""
    held = part.part
    if held.unknown <= UNKNOWN * held.tokens:
        return
    size = dataset.config.text.vocabulary_size
    full = dataset.tokenizer.first_ngram == size
    yield Finding(
        "token-unknown",
        "warning",
        f"{share(held.unknown, held.tokens)} tokens of {part.name} are not in the vocabulary",
        held.unknown,
        held.tokens,
        "all unknown tokens share one vector",
        f"text.vocabulary_size: {2 * size}, as training has more tokens than {size:,} rows hold"
        if full
        else f"add training rows; the vocabulary holds {_held(dataset)} of those there are",
        tuple(part.example(index) for index in _with_unknown(part)),
    )


def _held(dataset: Dataset) -> str:
    least = dataset.config.text.min_count
    return "every token" if least == 1 else f"every token that is there {least} times or more"


def _with_unknown(part: AuditedSplit) -> list[int]:
    """The first rows that have an unknown token among those read."""
    found: list[int] = []
    for start in range(0, len(part), _AT_ONCE):
        ids = part.part.ids[start : start + _AT_ONCE]
        rows = np.flatnonzero((ids == UNKNOWN_ID).any(axis=1)) + start
        found += rows.tolist()
        if len(found) >= SHOWN:
            break
    return found[:SHOWN]


def vector_findings(coverage: Coverage | None, config: Config) -> Iterator[Finding]:
    """Find out whether the vectors that training starts from are those of other words."""
    if coverage is None:
        return
    count, of = coverage.texts_tokens_covered, coverage.texts_tokens
    if count >= COVERED * of:
        return
    named = ", ".join(coverage.missing)
    character = config.text.unit == "character"
    yield Finding(
        "vectors-few",
        "warning",
        f"{share(count, of)} tokens of training texts have a vector in {coverage.source}; the "
        f"commonest without: {named}",
        count,
        of,
        "all others begin by chance; the vectors seem to be those of another language or of "
        + ("words, where a token is a character" if character else "another kind of token"),
        "text.unit: word"
        if character
        else "vectors of the language of the texts, or none: model.initialization: random",
    )
