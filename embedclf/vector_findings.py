"""Findings about word vectors: those that few words of the texts have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.findings import COVERED, Finding, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.schema import Config
    from embedclf.vectorrows import Coverage


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
