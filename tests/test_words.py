"""Every sentence that people read is plain English in the field's terms.

Scans strings, docstrings, comments and names of the package, its templates and style sheets, the
docs, the configs and the golden files. A failure lists each place with the word to use instead.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "embedclf"

WORDS = {
    r"told|tells?|telling": "report, show, message, result",
    r"(?<!re)(?<!com)mend(?:s|ed|ing)?": "fix",
    r"by chance|chances?": "random, at random, randomly initialized",
    r"cuts?|cutting": "truncated",
    r"phrases?": "n-grams",
    r"parted|parting|parts the|what parts|parts several": "separates, splits into",
    r"(?:training|validation|test|same|their|its|which) part(?! of)"
    r"|(?:across|all|both|between|three) parts": "split",
    r"unknown (?:tokens?|words?)|tokens? unknown": "out-of-vocabulary (OOV) tokens",
    r"learned from,? too": "refit on all rows",
    r"likeliest": "most probable",
    r"likelier": "more probable",
    r"true \\+ given|true: .*given: |always giv(?:es?|ing)": "actual / predicted; always predicts",
    r"(?<!, )given (?:as|from)|labels? (?:is|are) given"
    r"|giv(?:es?|ing) (?:a|the|no) labels?": "predicted",
    r"the run's thresholds?": "the current threshold",
    r"shares? of|(?:a|the|its|this|what|which|labels'|same|small|large|largest|certain) shares?"
    r"(?! (?:the|their|a|an|one|no|its|this|that))": "fraction, percentage, rate",
    r"commonest|commoner": "most frequent, more frequent",
    r"too good": "optimistic",
    r"circumstances?": "run details, conditions",
    r"give-?aways?|gives? (?:the label|it) away": "label leakage",
    r"suspect|suspicious|(?:all|the|most|first|of|more|no|few) suspects": "likely label errors",
    r"go(?:es|ne|ing)? on|went on": "resume, continue",
    r"there already|already there": "already exists",
    r"may be there": "must not exist",
    r"on wish": "optionally",
    r"by heart": "memorized",
    r"surely": "significantly",
    r"c[ao]mes? true|com(?:e|ing) true": "observed frequency",
    r"said": "reported; predicted probability",
    r"in earnest": "exactly",
    r"(?<!finding )kinds|kind of|of (?:its|that|this|one|any) kind": "formats, types",
    r"passed over": "ignored",
    r"anew|once more": "again",
    r"(?:is|are|was|were) there(?! (?:a|an|any|no|enough|something|nothing)\b)": "exists, occurs",
    r"there too|there, too": "also",
    r"of (?:two|several|more|others|equal|these) (?:\w+ )?(?:\w+ )?the ": "say the case first",
    r"got no better": "did not improve",
    r"what (?:is|are) (?:there|scored|learned|held|tried|drawn|known|seen|said)": "name the thing",
}
"""Words that are never used, by pattern, and what to write instead."""

BRITISH = (
    r"(?:behaviou?r(?<=our)|colour|neighbour|favour|honour|flavour)\w*"
    r"|(?:un|mis)?labell(?:ed|ing)|modell(?:ed|ing)|cancell(?:ed|ing)|licence|centre[ds]?|whilst"
    r"|(?:normal|token|initial|summar|recogn|serial|organ|minim|maxim|general|memor|standard"
    r"|visual|vector|capital|custom|synchron|optim|util|regular|random|final|emphas|prior)"
    r"is(?:e|ed|es|er|ers|ing|ation|ations)|analys(?:e|ed|es|ing)|catalogue|programme|judgement"
)
SPACED_PERCENT = r"(?:\d|\}|#) %(?![({}])"
SPELLING = {BRITISH: "the American spelling", SPACED_PERCENT: "12.3%, no blank before the sign"}

NAMES = {
    r"told|tell|tells|telling": "the thing's own name: evaluation, message ...",
    r"mend|mends|mended": "fix",
    r"giveaways?": "leakage",
    r"commonest": "most_frequent",
    r"likeliest|likelier": "most_probable, more_probable",
    r"circumstances": "run_details",
    r"phrases?": "ngram",
    r"colour|neighbour|labelled": "American spelling",
}
"""Words that no variable, argument, function or class contains."""

EXCEPTIONS = {
    "phrases bigrams": "names of options that people may try",
    "passage|phrase|post": "names that a column of texts may have",
    "`phrases`": "key of run.json: how many n-grams the run has",
    "`said`": "key of calibration.json: the predicted probabilities of the curve",
    "data.unlabelled": "config key",
    "`unlabelled`": "key of run.json: the unlabeled texts",
    "--unlabelled": "option of that key",
}
"""Texts that stay, each with its reason."""
KEYS = {
    "phrases": "key of run.json",
    "said": "key of calibration.json",
    "unlabelled": "config key",
    "--unlabelled": "option of that key",
}
"""String constants of the code that stay, each with its reason."""

PAIRS = [(rf"(?<![\w./-])(?:{pattern})(?![\w])", advice) for pattern, advice in WORDS.items()]
SENTENCE_PATTERNS = [
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in [*PAIRS, (rf"\b(?:{BRITISH})\b", SPELLING[BRITISH])]
] + [(re.compile(SPACED_PERCENT), SPELLING[SPACED_PERCENT])]
NAME_PATTERNS = [(re.compile(rf"(?:{pattern})"), advice) for pattern, advice in NAMES.items()]
SO_THAT = re.compile(r"\bso that\b", re.IGNORECASE)
MOST_WORDS = 25
CLAUSES = re.compile(r"(?<=[.!?:;])\s+|\n\s*\n|\n *[-*|#]|\n(?= *\w+: )")
NO_PROSE = re.compile(
    r"^```.*?^```|\([^()]*\)|`[^`\n]*`|^ *\|[^\n]*$|^[^\n]*\S {3,}\S[^\n]*$",
    re.DOTALL | re.MULTILINE,
)
"""Asides such as citations, code and rows of tables, which do not make a sentence long."""
NAME_LIST = re.compile(r"[\w ]*_[\w ]*")
"""Names of columns, which are no sentence."""
SESSION = re.compile(r"^```console.*?^```", re.DOTALL | re.MULTILINE)
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Passage:
    """A text that people read, and the line that it begins on."""

    line: int
    text: str
    is_name: bool = False
    is_prose: bool = True


def python_passages(source: str) -> Iterator[Passage]:
    """Yield strings, docstrings, names and comments, the latter joined where lines follow."""
    tree = ast.parse(source)
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in inside and isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield Passage(node.lineno, "".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Passage(node.lineno, node.value)
        elif name := defined_name(node):
            yield Passage(getattr(node, "lineno", 1), name, is_name=True)
    yield from comments(source)


def defined_name(node: ast.AST) -> str:
    """The name that a node of the syntax tree defines, if it does."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    return ""


def comments(source: str) -> Iterator[Passage]:
    """Yield the comments of a module, those on lines of their own joined into one passage."""
    block: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, text = token.start[0], token.string.lstrip("#: ")
        own_line = token.line.lstrip().startswith("#")
        if block and not (own_line and line == block[-1][0] + 1):
            yield Passage(block[0][0], "\n".join(text for _, text in block))
            block = []
        block.append((line if own_line else -1, text))
        if not own_line:
            yield Passage(line, block.pop()[1])
    if block:
        yield Passage(block[0][0], "\n".join(text for _, text in block))


def passages(path: Path) -> Iterator[Passage]:
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from python_passages(source)
    elif path.name == "CHANGELOG.md":
        unreleased = source.partition("\n## [0.1.0]")[0]
        yield Passage(1, re.sub(r"`[^`\n]*`", "x", unreleased))  # names that are no longer used
    elif path.name == "pyproject.toml":
        yield Passage(1, source.partition("[tool.ruff]")[0], is_prose=False)
    elif path.suffix == ".md":
        yield Passage(1, SESSION.sub(lambda session: without_quotes(session[0]), source))
    else:
        yield Passage(1, source, is_prose=False)


def without_quotes(session: str) -> str:
    """Blank what a session quotes from the bundled tables: three words in a row suffice."""
    words = list(WORD.finditer(session))
    for three in zip(words, words[1:], words[2:], strict=False):
        if tuple(word[0].lower() for word in three) in bundled_trigrams():
            start, end = three[0].start(), three[2].end()
            session = session[:start] + re.sub(r"\w", " ", session[start:end]) + session[end:]
    return session


@cache
def bundled_trigrams() -> frozenset[tuple[str, ...]]:
    tables = [table.read_text(encoding="utf-8").lower() for table in (ROOT / "data").glob("*.csv")]
    rows = [WORD.findall(row) for table in tables for row in table.splitlines()]
    return frozenset(three for row in rows for three in zip(row, row[1:], row[2:], strict=False))


def faults(path: Path) -> list[str]:
    """List each place of a file that needs another word."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {word!r} -> {advice}   in: {sentence}"
        for passage in passages(path)
        for line, word, advice, sentence in found(passage)
    ]


def found(passage: Passage) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, word, advice and sentence of each fault of a passage."""
    text = "" if passage.text in KEYS else passage.text
    for exception in EXCEPTIONS:
        text = text.replace(exception, " " * len(exception))
    patterns = NAME_PATTERNS if passage.is_name else SENTENCE_PATTERNS
    for pattern, advice in patterns:
        for match in pattern.finditer(text.replace("\n", " ")):
            line = passage.line + text.count("\n", 0, match.start())
            yield line, match[0], advice, sentence_at(passage.text, match.start())
    if passage.is_prose and not passage.is_name:
        yield from long_sentences(passage)


def long_sentences(passage: Passage) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, reason, advice and beginning of each sentence that is two."""
    if NAME_LIST.fullmatch(passage.text):
        return
    text = NO_PROSE.sub(_placeholder, passage.text)
    place = 0
    for sentence in CLAUSES.split(text):
        place = text.find(sentence, place)
        line = passage.line + text.count("\n", 0, place)
        beginning = " ".join(sentence.split())[:110]
        words = [word for word in sentence.split() if any(map(str.isalpha, word))]
        if len(words) > MOST_WORDS:
            yield line, f"{len(words)} words", "two sentences", beginning
        if len(SO_THAT.findall(sentence)) > 1:
            yield line, "so that ... so that", "two sentences", beginning


def _placeholder(match: re.Match[str]) -> str:
    """One word for code and asides, none for blocks and rows of tables; lines keep their number."""
    lines = "\n" * match[0].count("\n")
    return lines if lines or "|" in match[0][:4] else "x"


def sentence_at(text: str, place: int) -> str:
    """The words around a place, at most 110 characters."""
    start = max(text.rfind(". ", 0, place) + 1, text.rfind("\n\n", 0, place) + 1, place - 60, 0)
    return " ".join(text[start : start + 130].split())[:110]


def groups() -> dict[str, list[Path]]:
    """All files with sentences, by the name of their test case."""
    found: dict[str, list[Path]] = {"embedclf": sorted(PACKAGE.glob("*.py"))}
    for folder in sorted({file.parent for file in PACKAGE.rglob("*.py")} - {PACKAGE}):
        found[folder.relative_to(ROOT).as_posix()] = sorted(folder.glob("*.py"))
    templates = PACKAGE / "reports" / "html" / "templates"
    found["templates"] = [file for file in sorted(templates.iterdir()) if file.is_file()]
    found["tests/benchmarks"] = sorted((ROOT / "tests" / "benchmarks").glob("*.py"))
    found["tests/golden"] = sorted((ROOT / "tests" / "golden").iterdir())
    found["configs"] = sorted((ROOT / "configs").iterdir())
    for page in sorted((ROOT / "docs").glob("*.md")):
        found[f"docs/{page.stem}"] = [page]
    for name in ("README.md", "CHANGELOG.md", "data/README.md", "Makefile", "pyproject.toml"):
        found[name.removesuffix(".md")] = [ROOT / name]
    return found


@pytest.mark.parametrize(
    "files", [pytest.param(files, id=name) for name, files in groups().items()]
)
def test_sentences_use_plain_words(files: list[Path]) -> None:
    listed = [fault for file in files for fault in faults(file)]
    assert not listed, "\n" + "\n".join(listed)


@pytest.mark.parametrize("exception", [*EXCEPTIONS, *(f'"{key}"' for key in KEYS)])
def test_every_exception_is_in_use(exception: str) -> None:
    files = [file for files in groups().values() for file in files]
    assert any(exception in file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize(
    "sentence",
    [
        "the validation loss got no better",
        "what is scored with them was learned by heart",
        "rows have a text that is there under another label too",
        "what is there once tells nothing of other texts",
        "no label that training never saw can be given from it",
        "a share of the rows; of several labels the likeliest",
        "What parts the columns of a text table",
        "mends 1 row",
        "12.3 % of the rows",
        "the colour of a neighbour",
        "sorted so that equal rows meet, so that one pass is enough",
        "a sentence with " + "far " * 20 + "too many words for anyone to read aloud",
    ],
)
def test_a_sentence_with_such_a_word_is_found(sentence: str) -> None:
    assert list(found(Passage(1, sentence)))


@pytest.mark.parametrize(
    "sentence",
    [
        "stopped early: no improvement for 3 epochs; best epoch: 9",
        "rows share their text with a row that has a different label",
        "12.3% of texts are truncated; an optimistic score",
        "We recommend the most probable label, given the text",
        "part of the table; chunk.tell() is a position",
        "Find likely label errors with `suspects`",
    ],
)
def test_plain_sentences_pass(sentence: str) -> None:
    assert not list(found(Passage(1, sentence)))
