"""predict, explain."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from embedclf.cli.console import Display, check_page_name, echo_chunks, echo_info, open_run
from embedclf.cli.options import (
    FILE,
    input_format_option,
    json_option,
    progress_option,
    run_option,
    table_format_options,
    verbosity_options,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from embedclf.inference.explanation import Explanation
    from embedclf.inference.inputs import TableFormat
    from embedclf.inference.predict import PredictionRequest
    from embedclf.runs.run import Run
    from embedclf.system.formats import InputFormat


@click.command(short_help="Classify a table, lines or texts.")
@click.argument("source", type=FILE, metavar="[INPUT|-]", required=False)
@run_option
@click.option("-t", "--text", "texts", multiple=True, help="A text to classify. Repeatable.")
@click.option("-o", "--output", type=FILE, help="Table to write; its ending tells the kind.")
@click.option(
    "-k",
    "--best",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Add the N likeliest labels.",
)
@click.option("--all-probabilities", is_flag=True, help="Add the probability of each label.")
@click.option("--safe-csv", is_flag=True, help="Neutralise what a spreadsheet runs as formulas.")
@input_format_option
@table_format_options
@progress_option
@json_option
@verbosity_options
def predict_command(
    source: Path | None,
    path: Path | None,
    texts: tuple[str, ...],
    output: Path | None,
    best: int,
    all_probabilities: bool,
    safe_csv: bool,
    input_format: InputFormat | None,
    delimiter: str | None,
    encoding: str | None,
    progress: str,
    as_json: bool,
) -> None:
    """Classify the rows of a table, the lines of standard input (-), or a -t TEXT.

    Rows keep their columns and order and gain `prediction`, `probability`, `truncated` (whether the
    text is longer than the network reads) and `unknown_share` (of its tokens). Without -o they go
    to standard output, as CSV, or as JSON lines where the input is that.
    """
    from embedclf.inference.predict import PredictionRequest

    output = None if str(output) == "-" else output
    _check_predict_options(source, texts, output, as_json=as_json)
    request = PredictionRequest(
        table_format=_table_format(texts, input_format, delimiter, encoding),
        output=output,
        as_json=as_json,
        # Texts from the command line are few, so they are kept and shown as one table.
        in_memory=bool(texts) and not as_json and output is None,
        escape_formulas=safe_csv,
        all_probabilities=all_probabilities,
        top_k=best,
    )
    _run_prediction(open_run(path), source or texts, request, progress)


@click.command(short_help="Tell what each token of a text added.")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@run_option
@click.option("--file", type=FILE, help="A table of texts, or - for standard input.")
@click.option("--label", help="The label to explain; else what is predicted.")
@click.option("--html", type=FILE, help="Write a page for a browser.")
@input_format_option
@table_format_options
@json_option
@verbosity_options
def explain_command(
    texts: tuple[str, ...],
    path: Path | None,
    file: Path | None,
    label: str | None,
    html: Path | None,
    input_format: InputFormat | None,
    delimiter: str | None,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Tell what each token of a text added to the logit of its prediction.

    Exact without hidden layers; with them integrated gradients.
    """
    from embedclf.inference.explain import explain_run

    _check_explain_options(texts, file, html, as_json=as_json)
    table_format = _table_format(texts, input_format, delimiter, encoding)
    for text in filter(_is_file_name, texts):
        echo_info(f"{text}: taken as a text; --file takes the file of that name")
    run = open_run(path)
    # Computed while they are written, so those of a large table do not fill the memory.
    with explain_run(run, file or texts, table_format, label) as explanations:
        if as_json:
            _echo_explanations_json(explanations, run)
        elif html is not None:
            _write_explanations_page(explanations, run, html)
        else:
            _echo_explanations(explanations)


def _check_predict_options(
    source: Path | None, texts: tuple[str, ...], output: Path | None, *, as_json: bool
) -> None:
    if bool(texts) == (source is not None):  # both or neither
        raise click.UsageError("Give one of INPUT, - for standard input, and -t TEXT.")
    if as_json and output:
        raise click.UsageError("Give -o or --json, not both.")


def _check_explain_options(
    texts: tuple[str, ...], file: Path | None, html: Path | None, *, as_json: bool
) -> None:
    if bool(texts) == (file is not None):
        raise click.UsageError("Give one of TEXT and --file.")
    if as_json and html:
        raise click.UsageError("Give --html or --json, not both.")
    check_page_name("--html", html)


def _table_format(
    texts: tuple[str, ...],
    input_format: InputFormat | None,
    delimiter: str | None,
    encoding: str | None,
) -> TableFormat:
    """How to read the input file.

    Raises:
        click.UsageError: Its format is given, but the input is texts.
    """
    from embedclf.inference.inputs import TableFormat

    if texts and (input_format or delimiter or encoding):
        raise click.UsageError(
            "--input-format, --delimiter and --encoding tell how a file is read; texts are none."
        )
    return TableFormat(input_format, delimiter, encoding)


def _run_prediction(
    run: Run, source: Path | Sequence[str], request: PredictionRequest, progress: str
) -> None:
    """Predict, then report the rows that were written, or show those that were returned."""
    from embedclf.cli.predict_progress import PredictProgress
    from embedclf.inference.predict import predict
    from embedclf.reports.inference import predictions_text

    shared = request.output is None and sys.stdout.isatty()
    with Display(progress, shared=shared) as display:
        summary = predict(run, source, request, PredictProgress(display))
    if request.output is not None:
        echo_info(f"{request.output}: {summary.row_count:,} rows written")
    if summary.rows:
        click.echo(predictions_text(summary.rows))


def _is_file_name(text: str) -> bool:
    # Not `Path.exists`, which raises an error for a text that is too long for a file name.
    return text == "-" or os.path.exists(text)


def _echo_explanations(explanations: Iterable[Explanation]) -> None:
    from embedclf.reports.inference import explanations_text

    echo_chunks(explanations_text(explanations))


def _echo_explanations_json(explanations: Iterable[Explanation], run: Run) -> None:
    from embedclf.inference.outputs import open_json_object
    from embedclf.reports.inference import explanation_json

    with open_json_object("explanations", str(run.path)) as output:
        for explanation in explanations:
            output.write(explanation_json(explanation).encode())


def _write_explanations_page(explanations: Iterable[Explanation], run: Run, file: Path) -> None:
    from embedclf.inference.outputs import buffered_stdout
    from embedclf.reports.html.explanations import render_explanations
    from embedclf.system.files import write_text

    chunks = render_explanations(str(run.path), explanations)
    if str(file) == "-":
        with buffered_stdout() as stdout:
            stdout.writelines(map(str.encode, chunks))
    else:
        write_text(file, chunks)
        echo_info(f"{file}: written")
