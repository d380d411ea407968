"""evaluate, compare, report, threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.cli.console import check_page, open_run, say
from embedclf.cli.options import (
    FILE,
    baseline_option,
    by_option,
    form_options,
    json_option,
    labelled_option,
    run_option,
    verbosity_options,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Score a run on labelled rows.")
@run_option
@labelled_option
@by_option
@baseline_option
@click.option(
    "--mistakes",
    type=click.IntRange(0),
    default=5,
    metavar="N",
    help="Show so many of the worst mistakes; 5 when left out.",
)
@form_options
@json_option
@verbosity_options
def evaluate(
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
    from embedclf.reports import evaluation as evaluation_report

    _check_form(data, delimiter, encoding)
    run = open_run(path)
    wanted = EvaluationRequest(data, delimiter, encoding, by, baseline=baseline, mistakes=mistakes)
    told = evaluate_run(run, wanted)
    say(f"read as {told.scored.labeled.table.form}")
    click.echo(
        evaluation_report.appraisal_json(run.path, told)
        if as_json
        else evaluation_report.appraisal(told)
    )


@click.command(short_help="Compare two runs on the same rows.")
@click.argument("first", type=FILE, metavar="RUN")
@click.argument("second", type=FILE, metavar="RUN")
@click.option("--data", type=FILE, help="The labelled table; else rows that both were tested on.")
@json_option
@verbosity_options
def compare(first: Path, second: Path, data: Path | None, as_json: bool) -> None:
    """Compare two runs on the same rows: differences, whether they are chance, changed rows."""
    from embedclf.evaluation import compare
    from embedclf.reports import comparison as comparison_report

    told = compare.compare_runs(open_run(first), open_run(second), data)
    show = comparison_report.comparison_json if as_json else comparison_report.comparison
    click.echo(show(first, second, told))


@click.command("report", short_help="Make one page of all that is known of a run.")
@run_option
@labelled_option
@by_option
@baseline_option
@click.option(
    "-o", "--output", type=FILE, help="The page; report.html in the run when left out, - prints it."
)
@click.option("--open", "shown", is_flag=True, help="Open it in a browser.")
@form_options
@verbosity_options
def make_report(
    path: Path | None,
    data: Path | None,
    by: tuple[str, ...],
    baseline: bool,
    output: Path | None,
    shown: bool,
    delimiter: str | None,
    encoding: str | None,
) -> None:
    """Make one page for people of all that is known of a run: verdict, curves, mistakes, data.

    The page is a single file that needs no network, for screens, phones and paper.
    """
    from embedclf.evaluation.evaluate import EvaluationRequest
    from embedclf.reports.html import report_data, run_report
    from embedclf.runs.run import REPORT

    printed = check_page("-o", output)
    if printed and shown:
        raise click.UsageError("-o - prints the page; --open needs it in a file.")
    _check_form(data, delimiter, encoding)
    run = open_run(path)
    wanted = EvaluationRequest(
        data, delimiter, encoding, by, baseline=baseline, mistakes=report_data.MISTAKES
    )
    page = run_report.page(report_data.gather(run, wanted))
    if printed:
        click.echo(page, nl=False)
    else:
        _publish(page, output or run.path / REPORT, shown=shown)


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
def threshold(path: Path | None, metric: str | None, as_json: bool) -> None:
    """Show what thresholds come to on a run's validation rows; choose another with --metric."""
    from embedclf.evaluation import run_thresholds
    from embedclf.reports import evaluation as evaluation_report
    from embedclf.runs.run import REPORT

    rule = None if metric is None else run_thresholds.parse_rule(metric)
    run = open_run(path)
    told = (
        run_thresholds.threshold_table(run)
        if rule is None
        else run_thresholds.set_threshold(run, rule)
    )
    if as_json:
        click.echo(evaluation_report.weighed_json(run.path, told))
    else:
        click.echo(evaluation_report.weighed(told))
    if rule is not None:
        say(f"{run.path}: decides so from now on")
        if (run.path / REPORT).exists():
            say(f"{run.path / REPORT}: tells of before; `embedclf report` makes it anew")


def _check_form(data: Path | None, delimiter: str | None, encoding: str | None) -> None:
    """Refuse to be told how to read a table that is not named."""
    if data is None and (delimiter or encoding):
        raise click.UsageError("--delimiter and --encoding tell how to read --data; name it too.")


def _publish(page: str, file: Path, *, shown: bool) -> None:
    """Write a page and name it; show it where that is wanted."""
    import webbrowser

    from embedclf.system.files import write_text

    write_text(file, [page])
    say(f"{file}: written")
    click.echo(file)
    if shown and not webbrowser.open(file.resolve().as_uri()):
        say(f"no browser could be opened; open {file} by hand")
