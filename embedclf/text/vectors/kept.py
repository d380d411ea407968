"""Word vectors that a network keeps beside its trained numbers, and the words they add."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.system.arrow import index_in, text_column
from embedclf.text.fields import are_fields
from embedclf.text.tokens import Tokens
from embedclf.text.vectors.joined import JoinedVectors
from embedclf.text.vectors.own_vectors import OWN_DIM, OwnVectors, learn_vectors
from embedclf.text.vectors.pretrained import GlovePackage, find_glove, require_glove
from embedclf.text.vectors.use_encoder import require_use
from embedclf.text.vectors.use_words import UsePackage
from embedclf.text.vectors.word_vectors import VectorsFile, open_vectors_file
from embedclf.text.vocabulary import most_frequent_tokens, sum_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from embedclf.config.schema import Config
    from embedclf.config.sections import ModelConfig
    from embedclf.text.token_rules import TokenRules
    from embedclf.text.tokens import TokenCounts

PretrainedVectors = VectorsFile | GlovePackage | UsePackage | JoinedVectors
"""Vectors that do not depend on the texts."""

KeptVectors = PretrainedVectors | OwnVectors

ReadTexts = Callable[[], Iterable[Tokens]]
"""Returns tokenized texts in chunks; can be called several times."""

_MAX_TEXT_WORDS = 1 << 17
"""Most words of the texts to look up: a limit of memory and, for `use`, of time."""

_MIN_SCRIPT_RATE = 0.01
"""Least fraction of the letters of the texts that are of a script, to add words of that script."""


@dataclass(frozen=True)
class KeptWords:
    """A source of kept vectors, and the words that it adds to those of the texts."""

    source: KeptVectors
    words: tuple[str, ...]
    """Some may occur in the texts, too."""


def open_kept_vectors(model: ModelConfig) -> PretrainedVectors | None:
    """Open what `model.vectors` names; None for none and own, which need no file.

    Raises:
        ConfigError: The package is not installed.
        DataError: The file cannot be used.
    """
    if isinstance(model.vectors, Path):
        return open_vectors_file(model.vectors)
    if model.vectors == "glove":
        return require_glove("model.vectors: glove")
    if model.vectors == "use":
        return UsePackage(require_use("model.vectors: use"))
    if model.vectors == "glove+use":
        setting = "model.vectors: glove+use"
        return JoinedVectors(require_glove(setting), UsePackage(require_use(setting)))
    return None


def kept_vector_length(model: ModelConfig) -> int | None:
    """Return how many numbers a kept vector has; None for none. Raises as `open_kept_vectors`."""
    if model.vectors == "own":
        return OWN_DIM
    source = open_kept_vectors(model)
    return None if source is None else source.embedding_dim


def find_kept_words(
    config: Config,
    rules: TokenRules,
    read_training: ReadTexts,
    read_unlabeled: ReadTexts | None = None,
) -> KeptWords | None:
    """Return the kept vectors of a config, and the words they add; None with `vectors: none`.

    The words are those of the training texts, however rare. At most `model.vector_words` others
    follow: words that occur at least twice in unlabeled texts, then the first words of the source.
    With `own`, all words must occur at least twice.

    Args:
        config: The config.
        rules: By which the texts were split.
        read_training: Returns the texts to train on.
        read_unlabeled: Returns the texts of `data.unlabelled`, if it is set.

    Raises:
        ConfigError: The package is not installed.
        DataError: The source cannot be read.
    """
    if config.model.vectors == "own":
        own = learn_vectors(_joined(read_training, read_unlabeled), rules.fields, config.seed)
        return KeptWords(own, own.words[: config.model.vector_words])
    source = open_kept_vectors(config.model)
    if source is None:
        return None
    counts = sum_counts(tokens.count() for tokens in read_training())
    of_training = _words_of_texts(counts, rules, source, min_count=1)
    of_unlabeled: tuple[str, ...] = ()
    if read_unlabeled is not None:
        more = sum_counts(tokens.count() for tokens in read_unlabeled())
        of_unlabeled = _words_of_texts(more, rules, source, min_count=2)
    limit = config.model.vector_words
    if isinstance(source, UsePackage):
        first = _choose_use_words(source, rules, counts, limit)
    else:
        first = _first(_single_tokens(source.words(rules.unit), rules), limit)
    known = set(of_training)
    others = _first((word for word in (*of_unlabeled, *first) if word not in known), limit)
    return KeptWords(source, (*of_training, *others))


def _joined(read_training: ReadTexts, read_unlabeled: ReadTexts | None) -> ReadTexts:
    readers = [read_training, *([] if read_unlabeled is None else [read_unlabeled])]
    return lambda: chain.from_iterable(read() for read in readers)


def _words_of_texts(
    counts: TokenCounts, rules: TokenRules, source: PretrainedVectors, *, min_count: int
) -> tuple[str, ...]:
    """Return the words of texts that have a vector, the most frequent first."""
    words = most_frequent_tokens([counts], _MAX_TEXT_WORDS, min_count)
    column = text_column(words)
    has_vector = source.read(column).found & ~are_fields(column, rules.fields)
    return tuple(word for word, found in zip(words, has_vector, strict=True) if found)


def _choose_use_words(
    source: UsePackage, rules: TokenRules, counts: TokenCounts, limit: int
) -> tuple[str, ...]:
    """Return the most frequent words of the scripts of the texts.

    The package knows words of 16 languages. Of English words, `glove` lists more; if it is
    installed, its list is taken where it covers more of the texts.

    Args:
        source: The package.
        rules: By which texts are split.
        counts: Of the tokens of the texts.
        limit: Maximum number of words.
    """
    scripts = _find_scripts(counts)
    words = _single_tokens(source.words(rules.unit), rules)
    chosen = _first((word for word in words if _scripts(word) <= scripts), limit)
    glove = find_glove() if rules.unit == "word" else None
    if glove is None:
        return chosen
    of_glove = _first(_single_tokens(glove.words(rules.unit), rules), limit)
    return max(chosen, of_glove, key=lambda each: _count_covered(each, counts))


def _single_tokens(chunks: Iterable[pa.StringArray], rules: TokenRules) -> Iterator[str]:
    """Yield the tokens of the words that are one token each; a token can occur again."""
    without_fields = replace(rules, fields=())
    for words in chunks:
        tokens = without_fields.tokenize(words)
        names = tokens.dictionary.to_pylist()
        places = tokens.codes[tokens.ends[tokens.lengths == 1] - 1]
        is_field = are_fields(tokens.dictionary, rules.fields)
        yield from (names[place] for place in places.tolist() if not is_field[place])


def _first(words: Iterable[str], limit: int) -> tuple[str, ...]:
    """Return the first distinct words, at most `limit`."""
    distinct: dict[str, None] = {}
    for word in words:
        if len(distinct) >= limit:
            break
        distinct[word] = None
    return tuple(distinct)


def _count_covered(words: tuple[str, ...], counts: TokenCounts) -> int:
    """Return how many tokens of the texts are among some words."""
    is_covered = index_in(counts[0], text_column(words), default=-1) >= 0
    return int(counts[1][is_covered].sum())


def _find_scripts(counts: TokenCounts) -> frozenset[str]:
    """Return the scripts of the texts' letters, without those of a few letters only."""
    letters: Counter[str] = Counter()
    for token, count in zip(counts[0].to_pylist(), counts[1].tolist(), strict=True):
        for script in _scripts(token):
            letters[script] += count
    least = _MIN_SCRIPT_RATE * letters.total()
    return frozenset(script for script, count in letters.items() if count >= least)


def _scripts(word: str) -> frozenset[str]:
    """Return the scripts of a word's letters, by the first words of their Unicode names."""
    return frozenset(
        unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()
    )
