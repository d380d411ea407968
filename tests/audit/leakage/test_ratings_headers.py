from __future__ import annotations

import numpy as np
import pytest

from embedclf.audit.leakage.ratings_headers import TextPatterns, find_patterns
from embedclf.system.arrow import text_column
from embedclf.text.fingerprints import fingerprint_strings

FORMS = {
    "a good film, 8/10.": [("ratings such as 8/10", "8/10")],
    "the first half 2/10, the whole 7.5/10": [("ratings such as 8/10", "7.5/10")],
    "I give it 4 out of 5": [("ratings such as 8/10", "4 out of 5")],
    "Rating: 3": [("ratings such as rating: 3", "3"), ("headers 'rating'", "3")],
    "it was rated 3 by most": [("ratings such as rating: 3", "3")],
    "only 2 stars": [("ratings such as 2 stars", "2")],
    "fine ★★★☆☆ fine": [("ratings such as ★★★☆☆", "★★★☆☆")],
    "Newsgroups: rec.autos": [("headers 'newsgroups'", "rec.autos")],
    "From: me\nSubject: cars\n\nBody: text": [
        ("headers 'from'", "me"),
        ("headers 'subject'", "cars"),
    ],
    "Label=spam win a prize": [("headers 'label'", "spam")],
    "on 24/7, at 10/2010 and 1/2": [],
    "a colon: not at the beginning": [],
    "http://example.org": [],
    "": [],
}


@pytest.mark.parametrize("text", FORMS)
def test_ratings_and_headers_are_found_with_their_values(text: str) -> None:
    patterns = find_patterns(text_column(["nothing here", text]), min_fraction=0)
    names = patterns.descriptions
    columns = (patterns.rows, patterns.names, patterns.values)
    found = zip(*(column.tolist() for column in columns), strict=True)
    values = fingerprint_strings(text_column([value for _, value in FORMS[text]])).tolist()
    expected = [(1, name, value) for (name, _), value in zip(FORMS[text], values, strict=True)]
    assert sorted((row, names[name], value) for row, name, value in found) == sorted(expected)


def test_only_frequent_names_are_described_but_all_matches_are_kept() -> None:
    texts = [*["Group: a"] * 6, "Other: b", *["plain"] * 13]
    patterns = find_patterns(text_column(texts), min_fraction=0.1)
    assert list(patterns.descriptions.values()) == ["headers 'group'"]
    assert patterns.rows.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_patterns_stay_with_their_texts_when_concatenated_and_taken() -> None:
    batches = [
        find_patterns(text_column(texts), min_fraction=0)
        for texts in (["Aa: x", "b"], ["c", "Dd: y"])
    ]
    joined = TextPatterns.concatenate(batches, [2, 2])
    assert joined.rows.tolist() == [0, 3]
    assert sorted(joined.descriptions.values()) == ["headers 'aa'", "headers 'dd'"]
    taken = joined.renumber(np.array([1, 3]))
    assert taken.rows.tolist() == [1]
    assert taken.descriptions[int(taken.names[0])] == "headers 'dd'"
