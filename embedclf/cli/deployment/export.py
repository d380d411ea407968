"""export."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from embedclf.cli.console import echo_info, open_run, start_tensorflow
from embedclf.cli.options import FILE, progress_option, run_argument, verbosity_options
from embedclf.export.exporter import ExportOptions
from embedclf.export.formats import FORMATS, VECTOR_FORMATS
from embedclf.model.tensorflow_import import quiet
from embedclf.system.terminal import format_count, format_definitions

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.export.export import Export
    from embedclf.export.vectors import VectorFormat
    from embedclf.runs.run import Run


@click.command(short_help="Write a classifier for other programs.")
@run_argument()
@click.option(
    "--format",
    "name",
    type=click.Choice([*FORMATS, *VECTOR_FORMATS]),
    metavar="FORMAT",
    required=True,
    help="A model: onnx, js, savedmodel, litert, or compact, which is a much smaller run. Vectors"
    " alone: word2vec (for gensim), tsv (for TensorBoard's Projector), npz or parquet.",
)
@click.option(
    "-o", "--output", type=FILE, required=True, help="Folder to write; a file for vectors but tsv."
)
@click.option(
    "--input",
    "model_input",
    type=click.Choice(["text", "ids"]),
    default="text",
    show_default=True,
    help="onnx: what the model takes; with ids, all operations are of ONNX itself.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0.0, 100.0),
    default=0.1,
    show_default=True,
    metavar="POINTS",
    help="compact: points of accuracy that it may lose on the validation rows.",
)
@click.option("--ngrams", is_flag=True, help="Vectors: include n-grams, not only tokens.")
@progress_option
@verbosity_options
def export_command(
    run_name: Path | None,
    name: str,
    output: Path,
    model_input: str,
    max_loss: float,
    ngrams: bool,
) -> None:
    """Write the classifier of a run for other programs, and prove that it computes the same.

    \b
      embedclf export reviews-1 --format onnx -o reviews-onnx

    The folder has a README.md with a program that uses the model. It is written only if the
    model, read back, gives the same token ids and probabilities as the run. Both are compared
    on texts that are hard to split, and on the validation rows.

    Formats of vectors have the vectors of the vocabulary, the most frequent token first.
    """
    _check_options(name)
    run = open_run(run_name)
    if name in VECTOR_FORMATS:
        echo_info(f"{output}: {_export_vectors(run, name, output, ngrams=ngrams)} written")
        return
    export = _export_model(run, name, output, ExportOptions(model_input, max_loss))
    echo_info(f"{output}: {_summarize(export)}")
    if name == "compact":
        from embedclf.reports.compact import compact_entries

        echo_info(format_definitions(compact_entries(export.facts, export.facts["bytes_now"])))


def _export_model(run: Run, name: str, output: Path, options: ExportOptions) -> Export:
    from embedclf.export.export import export_run

    if not FORMATS[name].starts_tensorflow:
        return export_run(run, name, output, options)
    start_tensorflow(show_logs=False)
    with quiet():  # LiteRT writes a line of its own
        return export_run(run, name, output, options)


def _export_vectors(run: Run, name: str, output: Path, *, ngrams: bool) -> str:
    """Return the number of vectors, with the noun."""
    from embedclf.export.vectors import export_vectors
    from embedclf.inference.embeddings import Embeddings

    vector_format = cast("VectorFormat", name)
    count = export_vectors(Embeddings.from_run(run), output, vector_format, ngrams=ngrams)
    return format_count(count, "vector")


def _check_options(name: str) -> None:
    """Refuse an option that the format does not heed."""
    context = click.get_current_context()
    for parameter, formats in _takers().items():
        is_typed = context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE
        if is_typed and name not in formats:
            flag = next(each.opts[0] for each in context.command.params if each.name == parameter)
            raise click.UsageError(f"{flag} is for --format {', '.join(formats)} only")


def _takers() -> dict[str, tuple[str, ...]]:
    """Return the formats that heed each option."""
    options = {"model_input": "input", "max_loss": "max_loss"}
    of_models = {
        parameter: tuple(name for name, chosen in FORMATS.items() if option in chosen.options)
        for parameter, option in options.items()
    }
    return of_models | {"ngrams": VECTOR_FORMATS}


def _summarize(export: Export) -> str:
    """`ONNX, 1.2 MB; as the run on 33 hard texts and 234 validation rows ...`."""
    proof = export.proof
    rows = f"{proof.rows:,} validation rows" if proof.rows else f"no rows ({proof.missing_rows})"
    same = "equal ids, " if proof.compares_ids else ""
    difference = f"probabilities within {proof.largest_difference:.0e}"
    size = f"{export.size / 1e6:,.1f} MB"
    return (
        f"{export.title}, {size}; {proof.own_texts} hard texts and {rows} compared: "
        f"{same}{difference}"
    )
