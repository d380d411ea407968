"""Coverage → text: how many tokens begin with a vector that others have learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.layout import listing, percent

if TYPE_CHECKING:
    from collections.abc import Mapping


def covered(facts: Mapping[str, Any]) -> str:
    """The coverage of a run to be, as a listing; `facts` are those of `Coverage`."""
    return listing(entries({"vectors": facts}))


def entries(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run started from, as entries of a listing; none where that was chance."""
    facts = record.get("vectors")
    if facts is None:
        return []
    told = (
        f"{facts['source']}: {facts['tokens_covered']:,} of {facts['tokens']:,} tokens "
        f"({percent(facts['share_of_tokens'])}), {percent(facts['share_of_texts_tokens'])} of all "
        "that is read of training texts"
    )
    if facts["unreadable"]:
        told += f"; words of it passed over, as they are not UTF-8: {facts['unreadable']:,}"
    return [("vectors", told)]
