"""predict, explain."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from embedclf.cli.console import check_page, flag, open_run, print_parts, say
from embedclf.cli.options import (
    FILE,
    form_options,
    input_format_option,
    json_option,
    progress_option,
    run_option,
    verbosity_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.inference.inputs import TableFormat
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
@form_options
@progress_option
@json_option
@verbosity_options
def predict(
    source: Path | None,
    path: Path | None,
    texts: tuple[str, ...],
    output: Path | None,
    best: int,
    all_probabilities: bool,
    safe_csv: bool,
    kind: InputFormat | None,
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
    from embedclf.cli.console import Display
    from embedclf.cli.predict_progress import PredictProgress
    from embedclf.inference import predict
    from embedclf.reports import inference as inference_report

    output = None if str(output) == "-" else output
    if bool(texts) == (source is not None):
        raise click.UsageError("Give one of INPUT, - for standard input, and -t TEXT.")
    if as_json and output:
        raise click.UsageError("Give -o or --json, not both.")
    request = predict.PredictionRequest(
        form=_form(texts, kind, delimiter, encoding),
        output=output,
        as_objects=as_json,
        held=bool(texts) and not as_json and output is None,
        safe=safe_csv,
        all_probabilities=all_probabilities,
        best=best,
    )
    run = open_run(path)
    shared = output is None and sys.stdout.isatty()
    with Display(progress, quiet=flag("quiet"), shared=shared) as display:
        predicted = predict.predict(run, source or texts, request, PredictProgress(display))
    if output is not None:
        say(f"{output}: {predicted.count:,} rows written")
    if predicted.rows:
        click.echo(inference_report.predictions(predicted.rows))


@click.command(short_help="Tell what each token of a text added.")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@run_option
@click.option("--file", type=FILE, help="A table of texts, or - for standard input.")
@click.option("--label", help="The label to explain; else what is predicted.")
@click.option("--html", type=FILE, help="Write a page for a browser.")
@input_format_option
@form_options
@json_option
@verbosity_options
def explain(
    texts: tuple[str, ...],
    path: Path | None,
    file: Path | None,
    label: str | None,
    html: Path | None,
    kind: InputFormat | None,
    delimiter: str | None,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Tell what each token of a text added to the logit of its prediction.

    Exact without hidden layers; with them integrated gradients.
    """
    from embedclf.inference import explain
    from embedclf.inference.outputs import open_object, whole_output
    from embedclf.reports import inference as inference_report
    from embedclf.reports.html import page
    from embedclf.system.files import write_text

    if bool(texts) == (file is not None):
        raise click.UsageError("Give one of TEXT and --file.")
    if as_json and html:
        raise click.UsageError("Give --html or --json, not both.")
    printed = check_page("--html", html)
    form = _form(texts, kind, delimiter, encoding)
    for text in filter(_names_file, texts):
        say(f"{text}: taken as a text; --file takes the file of that name")
    run = open_run(path)
    with explain.explain_run(run, file or texts, form, label) as told:
        if as_json:
            with open_object("explanations", str(run.path)) as output:
                for one in told:
                    output.write(inference_report.explanation_json(one).encode())
        elif printed:
            with whole_output() as whole:
                whole.writelines(map(str.encode, page.explanations(str(run.path), told)))
        elif html is not None:
            write_text(html, page.explanations(str(run.path), told))
            say(f"{html}: written")
        else:
            print_parts(inference_report.explanations(told))


def _form(
    texts: tuple[str, ...], kind: InputFormat | None, delimiter: str | None, encoding: str | None
) -> TableFormat:
    """How a file is to be read, where there is one."""
    from embedclf.inference.inputs import TableFormat

    if texts and (kind or delimiter or encoding):
        raise click.UsageError(
            "--input-format, --delimiter and --encoding tell how a file is read; texts are none."
        )
    return TableFormat(kind, delimiter, encoding)


def _names_file(text: str) -> bool:
    return text == "-" or os.path.exists(text)
