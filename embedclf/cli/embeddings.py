"""embeddings neighbors, analogy, movement, show, map, export."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from embedclf.cli.console import open_run, print_parts, say
from embedclf.cli.options import FILE, json_option, run_option, verbosity_options
from embedclf.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from embedclf.inference.projection import By, Method
    from embedclf.inference.vector_export import Form
    from embedclf.runs.run import Run

    Answer = tuple[dict[str, Any], str]

Asked = TypeVar("Asked")

F = TypeVar("F", bound="Callable[..., Any]")

_count_option = click.option(
    "-k", "most", type=click.IntRange(1), default=10, show_default=True, help="How many to show."
)

_phrases_option = click.option("--phrases", is_flag=True, help="Show phrases as well as tokens.")


def _listing_options(command: F) -> F:
    """What all commands that list vectors know."""
    return run_option(_count_option(_phrases_option(json_option(verbosity_options(command)))))


@click.group(short_help="Look at the vectors of a run, and export them.")
def embeddings() -> None:
    """Look at the vectors that a run has learned, and hand them to other programs."""


@embeddings.command(short_help="Words whose vectors point the same way.")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@_listing_options
def neighbors(
    words: tuple[str, ...], path: Path | None, most: int, phrases: bool, as_json: bool
) -> None:
    """Tell which words' vectors point most nearly where that of WORD does.

    `cosine` is of the angle between them. `push` is what the word's vector adds to the logit of the
    label it speaks for. At a terminal without WORD, words are asked for.
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports import inference as inference_report

    run = open_run(path)
    known = Embeddings.of(run)

    def answer(word: str) -> Answer:
        number = known.number_of(word)
        entry = known.entry(number)
        found = known.neighbors(number, most, phrases=phrases)
        facts = inference_report.near_facts(word, entry, found)
        return facts, f"{inference_report.entry_line(entry)}\n\n{inference_report.near(found)}\n"

    _print_answers(run, words or _asked("word"), answer, as_json=as_json)


@embeddings.command(short_help="A is to B as C is to what?")
@click.argument("words", nargs=-1, metavar="[A B C]")
@_listing_options
def analogy(
    words: tuple[str, ...], path: Path | None, most: int, phrases: bool, as_json: bool
) -> None:
    """Tell what is to C as B is to A: the words nearest to B - A + C.

    At a terminal without words, three are asked for. Vectors that were learned from labels know
    what tells labels apart; those of GloVe know more of this kind.
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports import inference as inference_report

    if len(words) not in (0, 3):
        raise click.UsageError("Give three words: A B C.")
    run = open_run(path)
    known = Embeddings.of(run)

    def answer(given: Sequence[str]) -> Answer:
        if len(given) != 3:
            raise RequestError(f"{' '.join(given)!r}: not three words")
        one, other, third = map(known.number_of, given)
        found = known.analogy(one, other, third, most, phrases=phrases)
        facts = inference_report.near_facts(" ".join(given), None, found)
        return facts, f"{inference_report.near(found)}\n"

    asked = [words] if words else (line.split() for line in _asked("a b c"))
    _print_answers(run, asked, answer, as_json=as_json)


@embeddings.command(short_help="Which vectors training moved most.")
@_listing_options
def movement(path: Path | None, most: int, phrases: bool, as_json: bool) -> None:
    """Tell which vectors training moved most, and what they were before it.

    Vectors begin by chance, or as word vectors; the run keeps what makes them again.
    """
    from embedclf.reports import inference as inference_report
    from embedclf.training.movement import movement as moved

    run = open_run(path)
    told = moved(run, most, phrases=phrases)
    if as_json:
        click.echo(_json({"run": str(run.path), **inference_report.movement_facts(told)}))
    else:
        click.echo(inference_report.movement(told))


@embeddings.command(short_help="What the embedding layer gives for a text.")
@click.argument("text")
@run_option
@json_option
@verbosity_options
def show(text: str, path: Path | None, as_json: bool) -> None:
    """Show the ids of TEXT and the block of vectors that the embedding layer gives for them."""
    from embedclf.inference.embeddings import Embeddings
    from embedclf.reports import inference as inference_report

    run = open_run(path)
    told = Embeddings.of(run).block(text)
    if as_json:
        click.echo(_json({"run": str(run.path), **inference_report.block_facts(told)}))
    else:
        print_parts([inference_report.block(told), "\n"])


@embeddings.command("map", short_help="The most decisive words in a plane.")
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
    "-n", "most", type=click.IntRange(3, 2_000), default=200, show_default=True, help="Words."
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
@_phrases_option
@verbosity_options
def draw(output: Path, path: Path | None, most: int, by: By, method: Method, phrases: bool) -> None:
    """Draw the words of a run as a map: those whose vectors are alike stand together.

    Each has the colour of the label that it speaks for most.
    """
    from embedclf.inference.embeddings import Embeddings
    from embedclf.inference.projection import draw_map
    from embedclf.reports.html import word_map
    from embedclf.system.files import write_bytes, write_text

    kind = output.suffix.lower()
    if kind not in {".html", ".htm", ".svg", ".png"}:
        raise click.UsageError(f"-o {output}: a map has a name in .html, .svg or .png.")
    run = open_run(path)
    seed = int(run.record["seed"])
    drawn = draw_map(Embeddings.of(run), most, by=by, method=method, phrases=phrases, seed=seed)
    if kind == ".png":
        write_bytes(output, [word_map.png(drawn)])
    else:
        write_text(
            output, [word_map.svg(drawn)] if kind == ".svg" else word_map.page(str(run.path), drawn)
        )
    say(f"{output}: {len(drawn.spots):,} words drawn")


@embeddings.command(short_help="Write the vectors for other programs.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["word2vec", "tsv", "npz", "parquet"]),
    required=True,
    help="word2vec: text, as gensim reads it; tsv: a folder for TensorBoard's Projector.",
)
@click.option("-o", "--output", type=FILE, required=True, help="The file, or with tsv the folder.")
@run_option
@_phrases_option
@verbosity_options
def export(form: Form, output: Path, path: Path | None, phrases: bool) -> None:
    """Write the vectors of a run's vocabulary, the most frequent token first."""
    from embedclf.inference import vector_export
    from embedclf.inference.embeddings import Embeddings

    count = vector_export.export(Embeddings.of(open_run(path)), output, form, phrases=phrases)
    say(f"{output}: {count:,} vectors written")


def _print_answers(
    run: Run, asked: Iterable[Asked], answer: Callable[[Asked], Answer], *, as_json: bool
) -> None:
    """Answer what was given at once; what is asked at a terminal one by one, mistakes and all."""
    if isinstance(asked, Sequence):
        answers = [answer(one) for one in asked]
        if as_json:
            click.echo(_json({"run": str(run.path), "words": [facts for facts, _ in answers]}))
        else:
            click.echo("\n".join(text for _, text in answers), nl=False)
        return
    for one in asked:
        try:
            facts, text = answer(one)
        except RequestError as error:
            click.echo(str(error), err=True)
        else:
            click.echo(_json(facts) if as_json else text)


def _asked(prompt: str) -> Iterator[str]:
    """Lines that are typed, until there are no more.

    Raises:
        click.UsageError: Nobody is there to type.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("Name a word; at a terminal words are asked for.")
    say("One a line; Ctrl-D ends it.")
    while True:
        click.echo(f"{prompt}> ", nl=False, err=True)
        line = sys.stdin.buffer.readline().decode(errors="surrogateescape")
        if not line:
            click.echo(err=True)
            return
        if line.strip():
            yield line.strip()


def _json(values: dict[str, Any]) -> str:
    from embedclf.system import terminal

    return terminal.to_json(values)
