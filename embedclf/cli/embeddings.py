"""embeddings neighbors, analogy, movement, show, map, export."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from embedclf.cli.console import echo_chunks, echo_info, open_run
from embedclf.cli.options import FILE, json_option, run_option, verbosity_options
from embedclf.errors import RequestError
from embedclf.system.terminal import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from embedclf.cli.options import Command
    from embedclf.inference.projection import Method, RankBy, WordMap
    from embedclf.inference.vector_export import ExportFormat
    from embedclf.runs.run import Run

    Answer = tuple[dict[str, Any], str]

Query = TypeVar("Query")

_limit_option = click.option(
    "-k", "limit", type=click.IntRange(1), default=10, show_default=True, help="How many to show."
)

_ngrams_option = click.option(
    "--phrases", "ngrams", is_flag=True, help="Show phrases as well as tokens."
)


def _listing_options(command: Command) -> Command:
    """The options of the commands that list vectors."""
    return run_option(_limit_option(_ngrams_option(json_option(verbosity_options(command)))))


@click.group(short_help="Look at the vectors of a run, and export them.")
def embeddings_group() -> None:
    """Look at the vectors that a run has learned, and hand them to other programs."""


@embeddings_group.command(short_help="Words whose vectors point the same way.")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@_listing_options
def neighbors_command(
    words: tuple[str, ...], path: Path | None, limit: int, ngrams: bool, as_json: bool
) -> None:
    """Tell which words' vectors point most nearly where that of WORD does.

    `cosine` is of the angle between them. `push` is what the word's vector adds to the logit of the
    label it speaks for. At a terminal without WORD, words are asked for.
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports.embeddings import neighbors_text, neighbors_values

    run = open_run(path)
    embeddings = Embeddings.from_run(run)

    def find(word: str) -> Answer:
        row = embeddings.find_row(word)
        entry = embeddings.entry(row)
        neighbors = embeddings.neighbors(row, limit, ngrams=ngrams)
        return neighbors_values(word, neighbors, entry), neighbors_text(neighbors, entry)

    _echo_answers(run, words or _prompt("word"), find, as_json=as_json)


@embeddings_group.command(short_help="A is to B as C is to what?")
@click.argument("words", nargs=-1, metavar="[A B C]")
@_listing_options
def analogy_command(
    words: tuple[str, ...], path: Path | None, limit: int, ngrams: bool, as_json: bool
) -> None:
    """Tell what is to C as B is to A: the words nearest to B - A + C.

    At a terminal without words, three are asked for. Vectors that were learned from labels know
    what tells labels apart; those of GloVe know more of this kind.
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports.embeddings import neighbors_text, neighbors_values

    if len(words) not in (0, 3):
        raise click.UsageError("Give three words: A B C.")
    run = open_run(path)
    embeddings = Embeddings.from_run(run)

    def find(abc: Sequence[str]) -> Answer:
        if len(abc) != 3:
            # Not a UsageError, which would end the prompt; the next line may be right.
            raise RequestError(f"{' '.join(abc)!r}: not three words")
        a, b, c = map(embeddings.find_row, abc)
        neighbors = embeddings.analogy(a, b, c, limit, ngrams=ngrams)
        return neighbors_values(" ".join(abc), neighbors), neighbors_text(neighbors)

    # Three words on the command line are one query, as is each line at the prompt.
    queries = [words] if words else (line.split() for line in _prompt("a b c"))
    _echo_answers(run, queries, find, as_json=as_json)


@embeddings_group.command(short_help="Which vectors training moved most.")
@_listing_options
def movement_command(path: Path | None, limit: int, ngrams: bool, as_json: bool) -> None:
    """Tell which vectors training moved most, and what they were before it.

    Vectors begin by chance, or as word vectors; the run keeps what makes them again.
    """
    from embedclf.reports.embeddings import movement_json, movement_text
    from embedclf.training.movement import measure_movement

    run = open_run(path)
    movement = measure_movement(run, limit, ngrams=ngrams)
    click.echo(movement_json(run.path, movement) if as_json else movement_text(movement))


@embeddings_group.command(short_help="What the embedding layer gives for a text.")
@click.argument("text")
@run_option
@json_option
@verbosity_options
def show_command(text: str, path: Path | None, as_json: bool) -> None:
    """Show the ids of TEXT and the block of vectors that the embedding layer gives for them."""
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports.embeddings import token_vectors_json, token_vectors_text

    run = open_run(path)
    embedded = Embeddings.from_run(run).embed_text(text)
    if as_json:
        click.echo(token_vectors_json(run.path, embedded))
    else:
        echo_chunks([token_vectors_text(embedded), "\n"])


@embeddings_group.command(short_help="The most decisive words in a plane.")
@click.option(
    "-o",
    "--output",
    type=FILE,
    default="map.html",
    show_default=True,
    help="A page (.html), or a picture (.svg, .png).",
)
@run_option
@click.option(
    "-n", "limit", type=click.IntRange(3, 2_000), default=200, show_default=True, help="Words."
)
@click.option(
    "--by",
    type=click.Choice(["push", "count"]),
    default="push",
    show_default=True,
    help="The most decisive words, or the most frequent.",
)
@click.option(
    "--method",
    type=click.Choice(["pca", "tsne"]),
    default="pca",
    show_default=True,
    help="Principal components, or t-SNE.",
)
@_ngrams_option
@verbosity_options
def map_command(
    output: Path, path: Path | None, limit: int, by: RankBy, method: Method, ngrams: bool
) -> None:
    """Draw the words of a run as a map: those whose vectors are alike stand together.

    Each has the colour of the label that it speaks for most.
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.inference.projection import build_word_map

    if output.suffix.lower() not in {".html", ".htm", ".svg", ".png"}:
        raise click.UsageError(f"-o {output}: a map has a name in .html, .svg or .png.")
    run = open_run(path)
    embeddings, seed = Embeddings.from_run(run), int(run.record["seed"])
    drawn = build_word_map(embeddings, limit, by=by, method=method, ngrams=ngrams, seed=seed)
    _write_map(drawn, output, run)
    echo_info(f"{output}: {len(drawn.points):,} words drawn")


@embeddings_group.command(short_help="Write the vectors for other programs.")
@click.option(
    "--format",
    "export_format",
    type=click.Choice(["word2vec", "tsv", "npz", "parquet"]),
    required=True,
    help="word2vec: text, as gensim reads it; tsv: a folder for TensorBoard's Projector.",
)
@click.option("-o", "--output", type=FILE, required=True, help="The file, or with tsv the folder.")
@run_option
@_ngrams_option
@verbosity_options
def export_command(
    export_format: ExportFormat, output: Path, path: Path | None, ngrams: bool
) -> None:
    """Write the vectors of a run's vocabulary, the most frequent token first."""
    from embedclf.inference.embeddings import Embeddings
    from embedclf.inference.vector_export import export_vectors

    embeddings = Embeddings.from_run(open_run(path))
    count = export_vectors(embeddings, output, export_format, ngrams=ngrams)
    echo_info(f"{output}: {count:,} vectors written")


def _write_map(drawn: WordMap, output: Path, run: Run) -> None:
    """Write a map in the format that the file's suffix names."""
    from embedclf.reports.html.word_map import render_word_map, word_map_png, word_map_svg
    from embedclf.system.files import write_bytes, write_text

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
    """Answer the words of the command line together, those typed at a prompt one by one.

    At a prompt an unknown word is no reason to end.
    """
    # A sequence comes from the command line, an iterator from the prompt.
    if isinstance(queries, Sequence):
        # All are found before any is printed, so an unknown word leaves no partial output.
        answers = [find(query) for query in queries]
        if as_json:
            words = [values for values, _ in answers]
            click.echo(to_json({"run": str(run.path), "words": words}))
        else:
            click.echo("\n".join(text for _, text in answers), nl=False)  # each text ends its line
        return
    for query in queries:
        try:
            values, text = find(query)
        except RequestError as error:
            click.echo(str(error), err=True)
        else:
            click.echo(to_json(values) if as_json else text)


def _prompt(label: str) -> Iterator[str]:
    """Ask for lines until the input ends.

    Raises:
        click.UsageError: Standard input is not a terminal.
    """
    if sys.stdin is None or not sys.stdin.isatty():  # None if it was closed
        raise click.UsageError("Name a word; at a terminal words are asked for.")
    echo_info("One a line; Ctrl-D ends it.")
    while True:
        click.echo(f"{label}> ", nl=False, err=True)  # standard output has answers only
        # Bytes that are not UTF-8 must not end the session.
        line = sys.stdin.buffer.readline().decode(errors="surrogateescape")
        if not line:
            click.echo(err=True)  # Ctrl-D leaves the cursor behind the prompt
            return
        if line.strip():
            yield line.strip()
