"""predict, explain."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.console import (
    check_page_name,
    echo,
    echo_chunks,
    echo_info,
    echo_warning,
    has_colors,
    open_run,
)
from embedclf.cli.deployment.cluster import check_cluster_options, predict_parts
from embedclf.cli.habits.usage_errors import Suggestion
from embedclf.cli.options import (
    FILE,
    TABLE,
    json_option,
    progress_option,
    reading_options,
    run_option,
    verbosity_options,
)
from embedclf.system.terminal import format_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from embedclf.config.fields import Tables
    from embedclf.inference.explanation import Explanation
    from embedclf.inference.inputs import TextSource
    from embedclf.inference.predict import PredictionRequest
    from embedclf.runs.run import Run


@click.command(short_help="Classify a table, lines or single texts.")
@click.argument("sources", type=TABLE, metavar="[INPUT|-]...", nargs=-1)
@click.option("-t", "--text", "texts", multiple=True, help="Text to classify. Repeatable.")
@click.option("-o", "--output", type=FILE, help="Table to write; its extension decides the format.")
@run_option
@json_option
@click.option(
    "-k",
    "--best",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Add the N most probable labels.",
)
@click.option("--all-probabilities", is_flag=True, help="Add the probability of every label.")
@click.option("--prefix", default="", help="Prefix for the names of added columns.")
@click.option("--excel", is_flag=True, help="Write CSV that Excel opens correctly.")
@click.option("--safe-csv", is_flag=True, help="Escape cells that spreadsheets run as formulas.")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Predict in parallel: local:N processes, or a Dask scheduler; -o is then a folder.",
)
@click.option(
    "--on-bad-part",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="What a part that cannot be read means for the exit status; all others are predicted.",
)
@reading_options()
@progress_option
@verbosity_options
def predict_command(
    sources: tuple[str, ...],
    run_name: Path | None,
    texts: tuple[str, ...],
    output: Path | None,
    best: int,
    all_probabilities: bool,
    prefix: str,
    excel: bool,
    safe_csv: bool,
    cluster: str | None,
    on_bad_part: str,
    reading: dict[str, Any],
    as_json: bool,
) -> None:
    """Classify the rows of a table, lines from standard input (-), or texts (-t).

    \b
      embedclf predict new.csv -o predictions.csv
      embedclf predict -t "a great film" --run reviews-1
      cat lines.txt | embedclf predict - --json

    INPUT is a file, a folder of tables, a pattern such as 'data/*.csv', or a URI. Of several, all
    rows are read in order.

    Rows keep their columns and their order, and gain five columns. `prediction` and `probability`
    are the result. `truncated` means that the text is longer than the model reads. `unknown_share`
    is the fraction of tokens that are not in the vocabulary. With `no_known_token`, the model knows
    no token of the text, so the prediction is its default.

    Several labels of a row are a list; CSV and TSV join them.

    Without -o, rows go to standard output: as CSV in UTF-8, or as JSON Lines if the input is JSON.
    With -o, a CSV keeps the delimiter and the encoding of a CSV input; an assumed cp1252 becomes
    UTF-8.
    """
    output = None if str(output) == "-" else output
    _check_predict_options(sources, texts, output, as_json=as_json)
    _check_texts_alone(texts, reading, prefix)
    check_cluster_options(cluster, sources, output)
    run = open_run(run_name, always_named=True)
    if texts and not as_json and output is None:
        if excel or safe_csv:
            raise Suggestion("--excel and --safe-csv are for tables; write one with -o FILE")
        _show_predictions(run, texts, best, all_probabilities=all_probabilities)
        return

    from embedclf.inference.predict import PredictionRequest  # typed texts do without it

    request = PredictionRequest(
        reading=reading,
        output=output,
        as_json=as_json,
        escape_formulas=safe_csv,
        for_excel=excel,
        prefix=prefix,
        all_probabilities=all_probabilities,
        top_k=best,
    )
    source: Tables | list[str] = [*texts] if texts else _as_tables(sources)
    if cluster is None:
        _run_prediction(run, source, request)
    else:
        predict_parts(run, sources, request, cluster, skip_bad=on_bad_part == "skip")


@click.command(short_help="Show what each token contributes to a prediction.")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("-t", "--text", "more_texts", multiple=True, help="Text to explain. Repeatable.")
@run_option
@click.option(
    "--file", type=TABLE, metavar="TABLE", help="Table of texts, or - for standard input."
)
@click.option("--label", help="Label to explain. Default: the predicted one.")
@click.option("--html", type=FILE, help="Write an HTML page.")
@json_option
@reading_options()
@progress_option
@verbosity_options
def explain_command(
    texts: tuple[str, ...],
    more_texts: tuple[str, ...],
    run_name: Path | None,
    file: str | None,
    label: str | None,
    html: Path | None,
    reading: dict[str, Any],
    as_json: bool,
) -> None:
    """Show how much each token of a text contributes to the logit of its prediction.

    \b
      embedclf explain "a great film"
      embedclf explain --file new.csv --html explanations.html

    Without hidden layers, contributions are exact. With hidden layers, they are integrated
    gradients.
    """
    from embedclf.inference.explain import explain_run

    texts += more_texts
    _check_explain_options(texts, file, html, as_json=as_json)
    _check_texts_alone(texts, reading)
    for text in filter(_is_file_name, texts):
        echo_info(f"{text}: explained as a text; to explain the file, write --file {text}")
    run = open_run(run_name, always_named=True)
    # Computed while they are written, so those of a large table do not fill the memory.
    source: Tables | list[str] = [*texts] if file is None else file
    with explain_run(run, source, reading, label, on_note=echo_warning) as explanations:
        if as_json:
            _echo_explanations_json(explanations, run)
        elif html is not None:
            _write_explanations_page(explanations, run, html)
        else:
            _echo_explanations(explanations)


def check_no_run(sources: Sequence[str]) -> None:
    """Refuse a run among the inputs, where it is a habit from other tools.

    Raises:
        Suggestion: There is one.
    """
    from embedclf.runs.locations import RECORD_FILE
    from embedclf.runs.selection import locate_run

    for name in sources:
        if not os.path.isfile(name) and (locate_run(Path(name)) / RECORD_FILE).is_file():
            raise Suggestion(f"{name} is a run: write --run {shlex.quote(name)}")


def _check_predict_options(
    sources: tuple[str, ...], texts: tuple[str, ...], output: Path | None, *, as_json: bool
) -> None:
    check_no_run(sources)
    if texts and sources:
        raise Suggestion(
            "-t is a text to classify; a column is named with --text-column; pass INPUT or -t "
            "TEXT, not both"
        )
    if not texts and not sources:
        raise click.UsageError("pass a file, - for standard input, or -t TEXT")
    if "-" in sources and len(sources) > 1:
        raise click.UsageError("pass - alone; standard input cannot be read with other tables")
    if as_json and output:
        raise click.UsageError("pass -o or --json, not both")


def _check_explain_options(
    texts: tuple[str, ...], file: str | None, html: Path | None, *, as_json: bool
) -> None:
    if bool(texts) == (file is not None):
        raise click.UsageError("pass a TEXT or --file")
    if as_json and html:
        raise click.UsageError("pass --html or --json, not both")
    check_page_name("--html", html)


def _check_texts_alone(
    texts: tuple[str, ...], reading: Mapping[str, Any], prefix: str = ""
) -> None:
    """Refuse options of tables for texts.

    Raises:
        click.UsageError: There are some.
    """
    if texts and (reading or prefix):
        raise click.UsageError("options that say how to read or name columns need a table")


def _as_tables(sources: tuple[str, ...]) -> Tables:
    return sources[0] if len(sources) == 1 else sources


def _show_predictions(
    run: Run, texts: Sequence[str], best: int, *, all_probabilities: bool
) -> None:
    """Predict texts of the command line, and print a table."""
    from embedclf.inference.few_rows import predict_texts
    from embedclf.reports.inference import predictions_text

    rows = predict_texts(run, texts, all_probabilities=all_probabilities, top_k=best)
    echo(predictions_text(rows))


def _run_prediction(run: Run, source: Tables | list[str], request: PredictionRequest) -> None:
    """Predict, then report the rows that were written."""
    from embedclf.inference.predict import predict
    from embedclf.reports.inference import no_known_token_text

    summary = predict(run, source, request, _echo_source)
    if request.output is not None:
        echo_info(f"{request.output}: {format_count(summary.row_count, 'row')} written")
    for sentence in summary.line_counts:
        echo_info(sentence)
    for note in summary.notes:
        echo_warning(note)
    if summary.without_known_token:
        echo_info(no_known_token_text(summary.without_known_token))


def _echo_source(source: TextSource) -> None:
    if source.description:
        echo_info(source.description)


def _is_file_name(text: str) -> bool:
    # Not `Path.exists`, which raises an error for a text that is too long for a file name.
    return text == "-" or os.path.exists(text)


def _echo_explanations(explanations: Iterable[Explanation]) -> None:
    from embedclf.reports.inference import explanations_text

    echo_chunks(explanations_text(explanations, legend=has_colors()))


def _echo_explanations_json(explanations: Iterable[Explanation], run: Run) -> None:
    from embedclf.inference.outputs import open_json_object
    from embedclf.reports.inference import explanation_json

    with open_json_object("explanations", str(run.path)) as output:
        for explanation in explanations:
            output.write(explanation_json(explanation).encode())


def _write_explanations_page(explanations: Iterable[Explanation], run: Run, file: Path) -> None:
    from embedclf.inference.outputs import buffered_stdout
    from embedclf.reports.html.explanations import render_explanations
    from embedclf.system.publishing.drafts import write_text

    chunks = render_explanations(str(run.path), explanations)
    if str(file) == "-":
        with buffered_stdout() as stdout:
            stdout.writelines(map(str.encode, chunks))
    else:
        write_text(file, chunks)
        echo_info(f"{file}: written")
