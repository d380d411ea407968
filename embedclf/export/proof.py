"""The proof that an export computes what its run computes, on texts that are hard to split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.data.labeled import read_labeled
from embedclf.errors import DataError, ExportError, RunError
from embedclf.runs.labeled_sources import locate_validation_rows
from embedclf.system.control_characters import escape_controls
from embedclf.system.progress import activity
from embedclf.system.terminal import shorten
from embedclf.text.vocabulary import RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedclf.data.labels import Probabilities
    from embedclf.export.exporter import ExportSource, Scores
    from embedclf.model.classifier import Classifier
    from embedclf.system.arrays import Floats

_TOLERANCE = 1e-6
"""Largest difference of two probabilities, beside what a steep calibration makes of it."""

_USUAL_LOGIT = 8.0
"""Larger logits have larger rounding errors: float32 has 24 bits, wherever its point is."""

_MAX_ROWS = 2_000
"""Validation rows that are compared."""

_BATCH = 256
"""Texts that are scored at once."""

_NGRAMS = 20
"""Known n-grams whose tokens are a text."""

_MAX_CHARACTERS = 1 << 16
"""Of a text that is longer than what is read of it."""

_OWN_TEXTS = (
    "",
    " \t\n",
    "...",
    "A short text, and a second sentence!",
    "don't don\u2019t 'quoted' rock'n'roll o'''clock ''",
    "ΟΔΟΣ ὈΔΥΣΣΕΎΣ ς İstanbul \u0131I ẞ ß ﬁ Ǆ ᾳ",
    "naïve café \u0065\u0301 a\u0308 \u1e9b\u0323 가각 \u1100\u1161\u11a8",
    "不好 真的很好 日本語 ภาษาไทย हिन्दी العربية עברית",
    "1 234 1,000.5 ½ ² Ⅷ ٣ 1\ufe0f\u20e3 #\u20e3",
    ":) :-( :D :do <3 <3b C++ C# a+b a+++ !!!! ??!! --- ,,,, (x)",
    "😀😀 👩‍👩‍👧 👍🏽 🇩🇪🇩🇪🇩 🏴\U000e0067\U000e0062\U000e007f ❤️ ☎ ™",
    "soft\u00adhyphen zero\u200bwidth \u202eright\u202c \ufeffmark a\u034fb",
    "no\u00a0break \u2003 thin\u2009space\u3000wide\u2028line\x85next\x1fsep\x00nul",
    "<B>bold</B> &amp; &lt;3 &#39;s <Br/>line <!-- gone --> <NAME> a < b",
    "\ud7fb \ue000 \ufffd \uffff \U0001fbf0 \U00020000 \U0010ffff",
    "x" * 300,
)


@dataclass(frozen=True)
class Proof:
    """What was compared."""

    own_texts: int
    rows: int
    """Validation rows."""
    missing_rows: str
    """Why there are none, for people; empty if there are some."""
    largest_difference: float
    """Between two probabilities."""
    compares_ids: bool
    """Whether token ids were compared."""


@activity("proving the export")
def prove(source: ExportSource, score: Callable[[Sequence[str]], Scores]) -> Proof:
    """Compare an export with its run.

    Args:
        source: The run.
        score: The export, as other programs use it.

    Raises:
        ExportError: Token ids or probabilities differ.
    """
    own = [*_OWN_TEXTS, *_texts_of_known_tokens(source.classifier)]
    rows, missing = _validation_texts(source)
    batches: list[Sequence[str]] = [own, own[:1], ["", ""]]
    batches += [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    compared = [_compare(source.classifier, score(texts), texts) for texts in batches]
    compares_ids = all(has_ids for _, has_ids in compared)
    return Proof(len(own), len(rows), missing, max(each for each, _ in compared), compares_ids)


def _compare(classifier: Classifier, found: Scores, texts: Sequence[str]) -> tuple[float, bool]:
    """Return the largest difference of probabilities, and whether ids were compared."""
    ids = classifier.tokenizer.encode(texts).ids
    if found.token_ids is not None:
        for text, expected, other in zip(texts, ids, found.token_ids, strict=True):
            if expected.tolist() != list(other):
                raise ExportError(f"{_quote(text)} gets other token ids than in the run")
    logits = classifier.weights.logits(ids)
    largest = np.abs(logits).max(axis=1, keepdims=True, initial=_USUAL_LOGIT)
    tolerance = _TOLERANCE * largest / _USUAL_LOGIT  # (n, 1)
    outputs = np.asarray(classifier.probabilities(logits))
    by_label = classifier.labels.label_probabilities(np.asarray(classifier.calibrate(outputs)))
    if found.probabilities.shape != by_label.shape:
        raise ExportError("other labels than in the run")
    lowest, highest = _bounds(classifier, outputs, tolerance)
    outside = np.maximum(lowest - found.probabilities, found.probabilities - highest)
    by_text = (outside / tolerance).max(axis=1, initial=0.0)
    worst = int(np.argmax(by_text))
    differences = np.abs(found.probabilities - by_label)
    # Not `>`: NaN must not pass
    if not by_text[worst] <= 1.0:
        fault = f"differs by {differences[worst].max():.2g} from the run in its probabilities"
        raise ExportError(f"{_quote(texts[worst])} {fault}")
    return float(differences.max(initial=0.0)), found.token_ids is not None


def _bounds(
    classifier: Classifier, outputs: Probabilities, tolerance: Floats
) -> tuple[Probabilities, Probabilities]:
    """Return the least and the largest probability (n, labels) that rounding can lead to.

    A calibration enlarges differences where its curve is steep: by up to 1e5. So it is applied to
    what the network may return.

    Args:
        classifier: The run's.
        outputs: (n, outputs) what the network returns, before the calibration.
        tolerance: (n, 1) how much it may differ.
    """
    least = most = outputs
    if (calibration := classifier.calibration) is not None:
        least, most = (
            calibration.apply(np.clip(outputs + shift, 0.0, 1.0), exclusive=False)
            for shift in (-tolerance, tolerance)
        )
        if classifier.labels.task == "multiclass":
            # A label is least probable where all others are most probable
            others = [each.sum(axis=1, keepdims=True) - each for each in (least, most)]
            least, most = least / (least + others[1]), most / (most + others[0])
    ends = [classifier.labels.label_probabilities(each) for each in (least, most)]
    return np.minimum(*ends), np.maximum(*ends)


def _texts_of_known_tokens(classifier: Classifier) -> Iterator[str]:
    """Yield texts with many known tokens and n-grams, and with numbers next to edges of bins.

    One of them is longer than is read.
    """
    tokenizer = classifier.tokenizer
    for field in tokenizer.numeric_fields:
        for edge in field.edges:
            for number in (edge, math.nextafter(edge, math.inf)):
                yield " ".join([f"{field.name}={number!r}", *tokenizer.tokens[:1]])
    tokens = tokenizer.tokens[: 2 * tokenizer.sequence_length + 3]
    for size in (1, 2, 7):
        yield _join(classifier, tokens[:size])
        yield _join(classifier, tokens[:size][::-1])
    yield _join(classifier, tokens * 2)[:_MAX_CHARACTERS]
    first, count = tokenizer.first_ngram_id, len(tokenizer.ngrams)
    for ngram in range(first, first + count, max(1, count // _NGRAMS)):
        numbers = tokenizer.ngrams.token_ids(ngram, first)
        names = [tokenizer.tokens[number - len(RESERVED)] for number in numbers if number]
        yield _join(classifier, names)


def _join(classifier: Classifier, tokens: Sequence[str]) -> str:
    return classifier.tokenizer.rules.separator.join(tokens)


def _validation_texts(source: ExportSource) -> tuple[list[str], str]:
    """Return texts of validation rows, or none and the reason."""
    texts: list[str] = []
    try:
        rows = locate_validation_rows(source.run, source.run.config())
        read_labeled(rows.table, rows.config.data, pa.Array.to_pylist, texts.extend, only=rows.only)
    except (DataError, RunError) as error:
        return [], str(error)
    return texts[:_MAX_ROWS], ""


def _quote(text: str) -> str:
    return f"text {escape_controls(shorten(ascii(text), 60))}"
