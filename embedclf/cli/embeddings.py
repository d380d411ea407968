"""embeddings neighbors, analogy, movement, show, map."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from embedclf.cli.console import echo, echo_chunks, echo_info, open_run
from embedclf.cli.habits.usage_errors import CommandGroup
from embedclf.cli.options import (
    FILE,
    json_option,
    progress_option,
    run_option,
    verbosity_options,
)
from embedclf.errors import RequestError
from embedclf.system.terminal import format_count, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from embedclf.cli.options import Command
    from embedclf.inference.projection import Method, RankBy, WordMap
    from embedclf.runs.run import Run

    Answer = tuple[dict[str, Any], str]

Query = TypeVar("Query")

_limit_option = click.option(
    "-k",
    "limit",
    type=click.IntRange(1),
    metavar="N",
    default=10,
    show_default=True,
    help="How many to show.",
)

_ngrams_option = click.option("--ngrams", is_flag=True, help="Include n-grams, not only tokens.")


def _listing_options(command: Command) -> Command:
    """Options of the commands that list vectors."""
    return run_option(_limit_option(_ngrams_option(json_option(verbosity_options(command)))))


@click.group(cls=CommandGroup, short_help="Explore the learned vectors.")
def embeddings_command() -> None:
    """Explore the vectors that a run has learned.

    `embedclf export` writes them for other programs.
    """


@embeddings_command.command(short_help="Find the words nearest to a word.")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@_listing_options
def neighbors_command(
    words: tuple[str, ...], run_name: Path | None, limit: int, ngrams: bool, as_json: bool
) -> None:
    """Find the words whose vectors are most similar to that of WORD.

    `cosine` is the cosine similarity. `push` is what a word adds to the logit of its label.
    Without WORD, you are asked for words.

    \b
      embedclf embeddings neighbors great awful
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports.embeddings import neighbors_text, neighbors_values

    run = open_run(run_name)
    embeddings = Embeddings.from_run(run)

    def find(word: str) -> Answer:
        row = embeddings.find_row(word)
        entry = embeddings.entry(row)
        neighbors = embeddings.neighbors(row, limit, ngrams=ngrams)
        return neighbors_values(word, neighbors, entry), neighbors_text(neighbors, entry)

    _echo_answers(run, words or _prompt("word"), find, as_json=as_json)


@embeddings_command.command(short_help="Complete: A is to B as C is to ...")
@click.argument("words", nargs=-1, metavar="[A B C]")
@_listing_options
def analogy_command(
    words: tuple[str, ...], run_name: Path | None, limit: int, ngrams: bool, as_json: bool
) -> None:
    """Find what is to C as B is to A: the words nearest to B - A + C.

    Vectors that are learned from labels encode what separates the labels. Analogies of meaning
    need pretrained vectors, such as GloVe. Without words, you are asked for three.

    \b
      embedclf embeddings analogy man woman king
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports.embeddings import neighbors_text, neighbors_values

    if len(words) not in (0, 3):
        raise click.UsageError("pass three words: A B C")
    run = open_run(run_name)
    embeddings = Embeddings.from_run(run)

    def find(abc: Sequence[str]) -> Answer:
        if len(abc) != 3:
            # Not a UsageError, which would end the prompt.
            raise RequestError(f"{' '.join(abc)!r}: enter three words, such as: man woman king")
        a, b, c = map(embeddings.find_row, abc)
        neighbors = embeddings.analogy(a, b, c, limit, ngrams=ngrams)
        return neighbors_values(" ".join(abc), neighbors), neighbors_text(neighbors)

    # Three words on the command line are one query, as is each line at the prompt.
    queries = [words] if words else (line.split() for line in _prompt("a b c"))
    _echo_answers(run, queries, find, as_json=as_json)


@embeddings_command.command(short_help="Show which vectors training changed most.")
@_listing_options
def movement_command(run_name: Path | None, limit: int, ngrams: bool, as_json: bool) -> None:
    """Show which vectors training changed most, compared with their initial values.

    Initial values are random or pretrained. They are recomputed from the seed or the vector file.
    """
    from embedclf.reports.embeddings import movement_json, movement_text
    from embedclf.training.movement import measure_movement

    run = open_run(run_name)
    movement = measure_movement(run, limit, ngrams=ngrams)
    echo(movement_json(run.path, movement) if as_json else movement_text(movement))


@embeddings_command.command(short_help="Show the token ids and vectors of a text.")
@click.argument("text")
@run_option
@json_option
@verbosity_options
def show_command(text: str, run_name: Path | None, as_json: bool) -> None:
    """Show the token ids of TEXT and the output of the embedding layer for them."""
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports.embeddings import token_vectors_json, token_vectors_text

    run = open_run(run_name)
    embedded = Embeddings.from_run(run).embed_text(text)
    if as_json:
        echo(token_vectors_json(run.path, embedded))
    else:
        echo_chunks([token_vectors_text(embedded), "\n"])


@embeddings_command.command(short_help="Draw the words as a 2-D map.")
@click.option(
    "-o",
    "--output",
    type=FILE,
    default="map.html",
    show_default=True,
    help="Page (.html) or picture (.svg, .png).",
)
@run_option
@click.option(
    "-n",
    "limit",
    type=click.IntRange(3, 2_000),
    metavar="N",
    default=200,
    show_default=True,
    help="How many words to draw.",
)
@click.option(
    "--by",
    type=click.Choice(["push", "count"]),
    default="push",
    show_default=True,
    help="Draw the words of largest effect (push) or the most frequent (count).",
)
@click.option(
    "--method",
    type=click.Choice(["pca", "tsne"]),
    default="pca",
    show_default=True,
    help="Projection: principal components or t-SNE.",
)
@_ngrams_option
@progress_option
@verbosity_options
def map_command(
    output: Path, run_name: Path | None, limit: int, by: RankBy, method: Method, ngrams: bool
) -> None:
    """Draw the words of a run as a map: similar vectors are close to each other.

    The color of a word is that of the label it supports most.
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.inference.projection import build_word_map

    if output.suffix.lower() not in {".html", ".htm", ".svg", ".png"}:
        raise click.UsageError(f"-o {output}: must end in .html, .svg or .png")
    run = open_run(run_name)
    embeddings, seed = Embeddings.from_run(run), int(run.record["seed"])
    drawn = build_word_map(embeddings, limit, by=by, method=method, ngrams=ngrams, seed=seed)
    _write_map(drawn, output, run)
    echo_info(f"{output}: {format_count(len(drawn.points), 'word')} drawn")


def _write_map(drawn: WordMap, output: Path, run: Run) -> None:
    """Write a map in the format of the file's extension."""
    from embedclf.reports.html.word_map import render_word_map, word_map_png, word_map_svg
    from embedclf.system.publishing.drafts import write_bytes, write_text

    suffix = output.suffix.lower()
    if suffix == ".png":
        write_bytes(output, [word_map_png(drawn)])
    elif suffix == ".svg":
        write_text(output, [word_map_svg(drawn)])
    else:
        write_text(output, render_word_map(str(run.path), drawn))


def _echo_answers(
    run: Run, queries: Iterable[Query], find: Callable[[Query], Answer], *, as_json: bool
) -> None:
    """Answer words of the command line together, those typed at the prompt one by one.

    At the prompt, a word outside the vocabulary is reported and the next one is asked for.
    """
    # A sequence comes from the command line, an iterator from the prompt.
    if isinstance(queries, Sequence):
        # Find all before printing any: an error must not leave partial output.
        answers = [find(query) for query in queries]
        if as_json:
            words = [values for values, _ in answers]
            echo(to_json({"run": str(run.path), "words": words}))
        else:
            echo("\n".join(text for _, text in answers), nl=False)  # each text ends its line
        return
    for query in queries:
        try:
            values, text = find(query)
        except RequestError as error:
            echo(str(error), err=True)
        else:
            echo(to_json(values) if as_json else text)


def _prompt(label: str) -> Iterator[str]:
    """Ask for lines until the input ends.

    Raises:
        click.UsageError: Standard input is not a terminal.
    """
    if sys.stdin is None or not sys.stdin.isatty():  # None if it was closed
        raise click.UsageError("pass a word; only at a terminal you are asked for one")
    echo_info("one query per line; Ctrl-D ends")
    while True:
        echo(f"{label}> ", nl=False, err=True)  # standard output is for answers
        # Bytes that are not UTF-8 must not end the session.
        line = sys.stdin.buffer.readline().decode(errors="surrogateescape")
        if not line:
            echo(err=True)  # after Ctrl-D, the cursor is still behind the prompt
            return
        if line.strip():
            yield line.strip()
