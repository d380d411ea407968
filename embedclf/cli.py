"""The commands: parse, call, print."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from embedclf import __version__
from embedclf.boundary import Boundary
from embedclf.console import flag, open_run, print_parts, say
from embedclf.errors import ConfigError
from embedclf.options import (
    FILE,
    form_options,
    input_format_option,
    json_option,
    override_option,
    progress_option,
    run_option,
    talk_options,
    tf_logs_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.kinds import InputFormat
    from embedclf.sources import Form


@click.group(
    cls=Boundary,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="embedclf %(version)s")
def main() -> None:
    """A text classifier from a CSV in seconds, in Keras."""


@main.command(short_help="Check config and data; train nothing.")
@click.argument("config", type=FILE)
@override_option
@json_option
@talk_options
def check(config: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check that a config and its data can be used; train nothing."""
    from embedclf import report
    from embedclf.config import load_config
    from embedclf.preparation import prepare

    settings = load_config(config, overrides)
    facts = prepare(settings).facts
    click.echo(report.to_json(facts) if as_json else report.prepared(facts, settings))
    say(f"{config}: config and data can be used")


@main.command()
@click.argument("config", type=FILE)
@override_option
@click.option("-o", "--output", type=FILE, help="The run's folder; nothing may be there yet.")
@progress_option
@click.option("--resume", is_flag=True, help="Go on with a training that was killed.")
@click.option("--tensorboard", type=FILE, help="Also write TensorBoard's log into this folder.")
@tf_logs_option
@json_option
@talk_options
def train(
    config: Path,
    overrides: tuple[str, ...],
    output: Path | None,
    progress: str,
    resume: bool,
    tensorboard: Path | None,
    tf_logs: bool,
    as_json: bool,
) -> None:
    """Train a classifier and leave a run.

    Ctrl-C ends the training early and keeps the best finished epoch, if there is one.
    """
    from embedclf import report, training
    from embedclf.config import load_config
    from embedclf.progress import Display
    from embedclf.talk import Talk

    settings = load_config(config, overrides)
    _show_tensorflow(tf_logs)
    with Display(progress, quiet=flag("quiet"), before_time="at most") as display:
        run = training.train(
            settings,
            name=config.stem,
            output=output,
            tell=Talk(settings, display),
            tensorboard=tensorboard,
            resume=resume,
        )
    say(report.circumstances(run.record), only_verbose=True)
    click.echo(report.trained_json(run) if as_json else report.trained(run))


@main.command(short_help="Score a run on labelled rows.")
@run_option
@click.option(
    "--data",
    type=FILE,
    help="The labelled table; else the config's test or validation rows.",
)
@form_options
@json_option
@talk_options
def evaluate(
    path: Path | None,
    data: Path | None,
    delimiter: str | None,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Score a run on labelled rows, beside always guessing the commonest label."""
    from embedclf import report
    from embedclf.evaluation import evaluate_run

    run = open_run(path)
    scored = evaluate_run(run, data, delimiter=delimiter, encoding=encoding)
    say(f"read as {scored.form}")
    shown = report.evaluation_json(run.path, scored) if as_json else report.evaluation(scored)
    click.echo(shown)


@main.command(short_help="Classify a table, lines or texts.")
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
@talk_options
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
    from embedclf import answers, prediction
    from embedclf.progress import Display
    from embedclf.tally import Tally

    output = None if str(output) == "-" else output
    if bool(texts) == (source is not None) or (as_json and output):
        raise click.UsageError(
            "Give one of INPUT, - for standard input, and -t TEXT; not both -o and --json."
        )
    request = prediction.Request(
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
        predicted = prediction.predict(run, source or texts, request, Tally(display))
    if output is not None:
        say(f"{output}: {predicted.count:,} rows written")
    if predicted.rows:
        click.echo(answers.predictions(predicted.rows))


@main.command(short_help="Tell what each token of a text added.")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@run_option
@click.option("--file", type=FILE, help="A table of texts, or - for standard input.")
@click.option("--label", help="The label to explain; else what is predicted.")
@click.option("--html", type=FILE, help="Write a page for a browser.")
@input_format_option
@form_options
@json_option
@talk_options
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
    from embedclf import answers, explanation, pages
    from embedclf.atomic import write_text
    from embedclf.outputs import open_object, whole_output

    if bool(texts) == (file is not None) or (as_json and html):
        raise click.UsageError("Give one of TEXT and --file; not both --html and --json.")
    printed = str(html) == "-"
    if html is not None and not printed and html.suffix.lower() not in {".html", ".htm"}:
        raise click.UsageError(f"--html {html}: a page has a name in .html.")
    form = _form(texts, kind, delimiter, encoding)
    for text in filter(_names_file, texts):
        say(f"{text}: taken as a text; --file takes the file of that name")
    run = open_run(path)
    with explanation.explain_run(run, file or texts, form, label) as told:
        if as_json:
            with open_object("explanations", str(run.path)) as output:
                for one in told:
                    output.write(answers.explanation_json(one).encode())
        elif printed:
            with whole_output() as whole:
                whole.writelines(map(str.encode, pages.explanations(str(run.path), told)))
        elif html is not None:
            write_text(html, pages.explanations(str(run.path), told))
            say(f"{html}: written")
        else:
            print_parts(answers.explanations(told))


@main.command(short_help="Show a network and what it means.")
@click.argument("target", type=FILE, metavar="[CONFIG|RUN]", required=False)
@override_option
@tf_logs_option
@json_option
@talk_options
def summary(target: Path | None, overrides: tuple[str, ...], tf_logs: bool, as_json: bool) -> None:
    """Show layers, shapes and parameters of a config or a run, and what they mean."""
    from embedclf import description, report

    _show_tensorflow(tf_logs)
    if target is not None and not target.exists():
        raise ConfigError(f"{target}: no such config or run; `embedclf runs` lists the runs here")
    if target is not None and target.is_file():
        told = description.describe_config(target, overrides)
    elif overrides:
        raise click.UsageError("-s goes with a config; a run is as it was trained.")
    else:
        told = description.describe_run(open_run(target))
    click.echo(report.summary_json(told) if as_json else report.summary(told))


@main.command(short_help="List the runs with their scores.")
@json_option
@talk_options
def runs(as_json: bool) -> None:
    """List the runs in ./runs with their scores, oldest first."""
    from embedclf import report
    from embedclf.run import find_runs

    found, faults = find_runs()
    click.echo(report.runs_json(found) if as_json else report.runs(found))
    for fault in faults:
        click.echo(f"embedclf: {fault}", err=True)


@main.command(short_help="Print the config's JSON schema.")
@talk_options
def schema() -> None:
    """Print the JSON schema of the config, for editors that complete and check YAML."""
    from embedclf import report
    from embedclf.config import json_schema

    click.echo(report.to_json(json_schema()))


def _form(
    texts: tuple[str, ...], kind: InputFormat | None, delimiter: str | None, encoding: str | None
) -> Form:
    """How a file is to be read, where there is one."""
    from embedclf.sources import Form

    if texts and (kind or delimiter or encoding):
        raise click.UsageError(
            "--input-format, --delimiter and --encoding tell how a file is read; texts are none."
        )
    return Form(kind, delimiter, encoding)


def _names_file(text: str) -> bool:
    return text == "-" or os.path.exists(text)


def _show_tensorflow(show: bool) -> None:
    """Ask for TensorFlow's log before it is imported."""
    if show:
        os.environ["EMBEDCLF_TF_LOGS"] = "1"
