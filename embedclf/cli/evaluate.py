"""evaluate, compare, report, threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.cli.console import check_page_name, echo_info, open_run
from embedclf.cli.options import (
    FILE,
    baseline_option,
    by_option,
    data_option,
    json_option,
    run_option,
    table_format_options,
    verbosity_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run


@click.command(short_help="Score a run on labelled rows.")
@run_option
@data_option
@by_option
@baseline_option
@click.option(
    "--mistakes",
    type=click.IntRange(0),
    default=5,
    metavar="N",
    help="Show so many of the worst mistakes; 5 when left out.",
)
@table_format_options
@json_option
@verbosity_options
def evaluate_command(
    path: Path | None,
    data: Path | None,
    by: tuple[str, ...],
    baseline: bool,
    mistakes: int,
    delimiter: str | None,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Score a run on labelled rows, with intervals, beside baselines, by slice, at its worst."""
    from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run
    from embedclf.reports.evaluation import evaluation_json, evaluation_text

    _check_table_format(data, delimiter, encoding)
    run = open_run(path)
    request = EvaluationRequest(
        data, delimiter, encoding, by, baseline=baseline, max_mistakes=mistakes
    )
    evaluation = evaluate_run(run, request)
    echo_info(f"read as {evaluation.scored.labeled.table.description}")
    click.echo(evaluation_json(run.path, evaluation) if as_json else evaluation_text(evaluation))


@click.command(short_help="Compare two runs on the same rows.")
@click.argument("first", type=FILE, metavar="RUN")
@click.argument("second", type=FILE, metavar="RUN")
@click.option("--data", type=FILE, help="The labelled table; else rows that both were tested on.")
@json_option
@verbosity_options
def compare_command(first: Path, second: Path, data: Path | None, as_json: bool) -> None:
    """Compare two runs on the same rows: differences, whether they are chance, changed rows."""
    from embedclf.evaluation.compare import compare_runs
    from embedclf.reports.comparison import comparison_json, comparison_text

    comparison = compare_runs(open_run(first), open_run(second), data)
    render = comparison_json if as_json else comparison_text
    click.echo(render(first, second, comparison))


@click.command(short_help="Make one page of all that is known of a run.")
@run_option
@data_option
@by_option
@baseline_option
@click.option(
    "-o", "--output", type=FILE, help="The page; report.html in the run when left out, - prints it."
)
@click.option("--open", "open_page", is_flag=True, help="Open it in a browser.")
@table_format_options
@verbosity_options
def report_command(
    path: Path | None,
    data: Path | None,
    by: tuple[str, ...],
    baseline: bool,
    output: Path | None,
    open_page: bool,
    delimiter: str | None,
    encoding: str | None,
) -> None:
    """Make one page for people of all that is known of a run: verdict, curves, mistakes, data.

    The page is a single file that needs no network, for screens, phones and paper.
    """
    from embedclf.evaluation.evaluate import EvaluationRequest
    from embedclf.reports.html.report_data import MAX_MISTAKES, gather_report_data
    from embedclf.reports.html.run_report import render_run_report
    from embedclf.runs.run import REPORT_FILE

    _check_page(output, open_page=open_page)
    _check_table_format(data, delimiter, encoding)
    run, limit = open_run(path), MAX_MISTAKES
    request = EvaluationRequest(
        data, delimiter, encoding, by, baseline=baseline, max_mistakes=limit
    )
    page = render_run_report(gather_report_data(run, request))
    if str(output) == "-":
        click.echo(page, nl=False)
    else:
        _write_page(page, output or run.path / REPORT_FILE, open_page=open_page)


@click.command(short_help="Weigh a run's threshold, or choose it anew.")
@run_option
@click.option(
    "--metric",
    metavar="RULE",
    help="Decide by it from now on: f1, micro_f1, youden, 0.3, precision=0.9, recall=0.95 or "
    "cost=1:10 (of a false positive : of a false negative).",
)
@json_option
@verbosity_options
def threshold_command(path: Path | None, metric: str | None, as_json: bool) -> None:
    """Show what thresholds come to on a run's validation rows; choose another with --metric."""
    from embedclf.evaluation.run_thresholds import parse_rule, set_thresholds, tabulate_thresholds
    from embedclf.reports.thresholds import threshold_json, threshold_text

    rule = None if metric is None else parse_rule(metric)
    run = open_run(path)
    table = tabulate_thresholds(run) if rule is None else set_thresholds(run, rule)
    click.echo(threshold_json(run.path, table) if as_json else threshold_text(table))
    if rule is not None:
        _echo_new_threshold(run)


def _check_table_format(data: Path | None, delimiter: str | None, encoding: str | None) -> None:
    """Raise a UsageError if the format of a table is given, but no table."""
    if data is None and (delimiter or encoding):
        raise click.UsageError("--delimiter and --encoding tell how to read --data; name it too.")


def _check_page(output: Path | None, *, open_page: bool) -> None:
    """Raise a UsageError if a page cannot be written to, or opened from, its output."""
    check_page_name("-o", output)
    if open_page and str(output) == "-":
        raise click.UsageError("-o - prints the page; --open needs it in a file.")


def _write_page(page: str, file: Path, *, open_page: bool) -> None:
    """Write a page, print its path, and open it in a browser if asked to."""
    import webbrowser

    from embedclf.system.files import write_text

    write_text(file, [page])
    echo_info(f"{file}: written")
    # The path is the command's result, so -q does not silence it.
    click.echo(file)
    # A file URI needs an absolute path.
    if open_page and not webbrowser.open(file.resolve().as_uri()):
        echo_info(f"no browser could be opened; open {file} by hand")


def _echo_new_threshold(run: Run) -> None:
    """Say that the run has changed, and that its report has not."""
    from embedclf.runs.run import REPORT_FILE

    echo_info(f"{run.path}: decides so from now on")
    report = run.path / REPORT_FILE
    if report.exists():
        echo_info(f"{report}: tells of before; `embedclf report` makes it anew")
