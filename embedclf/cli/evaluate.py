"""evaluate, compare, report, threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from embedclf.cli.console import (
    check_page_name,
    current_display,
    echo,
    echo_info,
    echo_notes,
    open_run,
    start_tensorflow,
)
from embedclf.cli.options import (
    FILE,
    TABLE,
    RunName,
    baseline_option,
    by_option,
    data_option,
    json_option,
    progress_option,
    reading_options,
    run_argument,
    verbosity_options,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from embedclf.evaluation.evaluate import EvaluationRequest
    from embedclf.runs.run import Run


@click.command(short_help="Score a run on labeled rows.")
@run_argument()
@data_option
@by_option
@baseline_option
@click.option(
    "--mistakes",
    type=click.IntRange(0),
    default=5,
    metavar="N",
    show_default=True,
    help="How many of the worst mistakes to show.",
)
@click.option(
    "--learning-curve",
    is_flag=True,
    help="Instead train on 1/8, 1/4, 1/2 and all of the training rows, and show how the score "
    "grows and what twice the rows would bring.",
)
@json_option
@reading_options(labels=True)
@progress_option
@verbosity_options
def evaluate_command(
    run_name: Path | None,
    data: str | None,
    by: tuple[str, ...],
    baseline: bool,
    mistakes: int,
    learning_curve: bool,
    reading: dict[str, Any],
    as_json: bool,
) -> None:
    """Score a run on labeled rows: metrics with 95% intervals, baselines, mistakes.

    \b
      embedclf evaluate reviews-1
      embedclf evaluate reviews-1 --data new.csv --by language
      embedclf evaluate reviews-1 --learning-curve
    """
    from embedclf.evaluation.evaluate import EvaluationRequest

    _check_reading(data, reading)
    if learning_curve:
        _check_curve_options()
        _show_learning_curve(open_run(run_name), data, reading, as_json=as_json)
    else:
        request = EvaluationRequest(data, reading, by, baseline=baseline, max_mistakes=mistakes)
        _show_evaluation(open_run(run_name), request, as_json=as_json)


@click.command(short_help="Compare two runs on the same rows.")
@click.argument("first", type=RunName(), metavar="RUN")
@click.argument("second", type=RunName(), metavar="RUN")
@click.option(
    "--data",
    type=TABLE,
    metavar="TABLE",
    help="Labeled table. Default: the rows that tested both.",
)
@json_option
@reading_options(labels=True)
@progress_option
@verbosity_options
def compare_command(
    first: Path, second: Path, data: str | None, reading: dict[str, Any], as_json: bool
) -> None:
    """Compare two runs on the same rows: scores, differences with 95% intervals, changed rows.

    \b
      embedclf compare reviews-1 reviews-2
    """
    from embedclf.evaluation.compare import compare_runs
    from embedclf.reports.comparison import comparison_json, comparison_text

    _check_reading(data, reading)
    one, other = open_run(first), open_run(second)
    comparison = compare_runs(one, other, data, reading)
    echo_notes([comparison.table])
    render = comparison_json if as_json else comparison_text
    echo(render(one.path, other.path, comparison))


@click.command(short_help="Write an HTML page about a run.")
@run_argument()
@data_option
@by_option
@baseline_option
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="Page to write; - prints it. Default: report.html in the run.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@reading_options(labels=True)
@progress_option
@verbosity_options
def report_command(
    run_name: Path | None,
    data: str | None,
    by: tuple[str, ...],
    baseline: bool,
    output: Path | None,
    open_page: bool,
    reading: dict[str, Any],
) -> None:
    """Write an HTML page about a run: verdict, scores, curves, mistakes, data.

    The page is a single file without external resources. It fits phones, screens and paper.

    \b
      embedclf report reviews-1 --open
    """
    from embedclf.evaluation.evaluate import EvaluationRequest
    from embedclf.reports.html.report_data import MAX_MISTAKES, gather_report_data
    from embedclf.reports.html.run_report import render_run_report
    from embedclf.runs.known_files import REPORT_FILE

    _check_page(output, open_page=open_page)
    _check_reading(data, reading)
    run, limit = open_run(run_name), MAX_MISTAKES
    request = EvaluationRequest(data, reading, by, baseline=baseline, max_mistakes=limit)
    report = gather_report_data(run, request)
    echo_notes([report.evaluation.scored.labeled.table])
    page = render_run_report(report)
    if str(output) == "-":
        echo(page, nl=False)
    else:
        _write_page(page, output or run.path / REPORT_FILE, open_page=open_page)


@click.command(short_help="Show or set the decision threshold.")
@run_argument()
@click.option(
    "--metric",
    metavar="RULE",
    help="Set the threshold by this rule: 0.3, f1, micro_f1, youden, precision=0.9, recall=0.95 or "
    "cost=1:10 (false positive : false negative).",
)
@progress_option
@json_option
@verbosity_options
def threshold_command(run_name: Path | None, metric: str | None, as_json: bool) -> None:
    """Show precision and recall at several thresholds, measured on the validation rows.

    With --metric, set the threshold that predictions use.

    \b
      embedclf threshold reviews-1
      embedclf threshold reviews-1 --metric precision=0.9
    """
    from embedclf.evaluation.run_thresholds import parse_rule, set_thresholds, tabulate_thresholds
    from embedclf.reports.thresholds import threshold_json, threshold_text

    rule = None if metric is None else parse_rule(metric)
    run = open_run(run_name)
    table = tabulate_thresholds(run) if rule is None else set_thresholds(run, rule)
    echo(threshold_json(run.path, table) if as_json else threshold_text(table))
    if rule is not None:
        _echo_new_threshold(run)


def _show_evaluation(run: Run, request: EvaluationRequest, *, as_json: bool) -> None:
    """Print how good a run is on labeled rows."""
    from embedclf.evaluation.evaluate import evaluate_run
    from embedclf.reports.evaluation import evaluation_json, evaluation_text

    evaluation = evaluate_run(run, request)
    table = evaluation.scored.labeled.table
    echo_info(f"{table.name}: read as {table.description}")
    echo_notes([table])
    echo(evaluation_json(run.path, evaluation) if as_json else evaluation_text(evaluation))


def _check_curve_options() -> None:
    """Refuse options that a learning curve has no use for.

    Raises:
        click.UsageError: There is one.
    """
    context = click.get_current_context()
    for name in ("by", "mistakes", "baseline"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--learning-curve does not use --{name}; leave one of them out")


def _show_learning_curve(
    run: Run, data: str | None, reading: Mapping[str, Any], *, as_json: bool
) -> None:
    """Measure how the score grows with the training rows, store that in the run, and print it."""
    from embedclf.cli.train_progress import CurveProgress
    from embedclf.reports.learning_curve import (
        learning_curve_json,
        learning_curve_text,
        plan_text,
    )
    from embedclf.runs.known_files import LEARNING_CURVE_FILE
    from embedclf.training.folds.learning_curve import measure_learning_curve, open_learning_curve

    with open_learning_curve(run, data, reading) as plan:
        start_tensorflow(show_logs=False)
        echo_notes([plan.folds.tokenized.rows.table])
        echo_info(plan_text(run, plan))
        fits = 2 if plan.folds.config.training.refit else 1
        show = CurveProgress(current_display(), fits=fits)
        curve = measure_learning_curve(plan, on_event=show)
    echo((learning_curve_json if as_json else learning_curve_text)(run, curve))
    # After the result, which must be visible even if the run cannot be written to
    run.write_addition(LEARNING_CURVE_FILE, curve.to_json())
    echo_info(f"saved in {run.path}; `embedclf report {run.path}` draws it")


def _check_reading(data: str | None, reading: Mapping[str, Any]) -> None:
    """Refuse options of a table without a table.

    Raises:
        click.UsageError: There are options only.
    """
    if data is None and reading:
        raise click.UsageError("options that say how to read a table need --data TABLE")


def _check_page(output: Path | None, *, open_page: bool) -> None:
    """Check where a page is to be written.

    Raises:
        click.UsageError: The name is not a page's, or --open has no file to open.
    """
    check_page_name("-o", output)
    if open_page and str(output) == "-":
        raise click.UsageError("--open needs a file; replace -o - by -o PAGE.html")


def _write_page(page: str, file: Path, *, open_page: bool) -> None:
    """Write a page, print its path, and optionally open it in a browser."""
    import webbrowser

    from embedclf.system.publishing.drafts import write_text

    write_text(file, [page])
    # The path is the command's result, so -q does not silence it.
    echo(str(file))
    # A file URI needs an absolute path.
    if open_page and not webbrowser.open(file.resolve().as_uri()):
        echo_info(f"no browser found; open {file} yourself")


def _echo_new_threshold(run: Run) -> None:
    """Say that the threshold has changed, and that the report has not."""
    from embedclf.runs.known_files import REPORT_FILE

    echo_info(f"{run.path}: threshold updated")
    report = run.path / REPORT_FILE
    if report.exists():
        echo_info(f"{report}: shows the old threshold; update it: `embedclf report {run.path}`")
