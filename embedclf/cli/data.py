"""init, check, suspects, schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.console import current_display, echo, echo_info, start_tensorflow
from embedclf.cli.options import (
    FILE,
    TABLE,
    json_option,
    progress_option,
    tf_logs_option,
    verbosity_options,
)
from embedclf.cli.source import column_options, resolve, resolve_for_audit, source_options
from embedclf.system.terminal import format_count, to_json

if TYPE_CHECKING:
    from embedclf.audit.findings import Severity
    from embedclf.autoconfig.resolve import Source


@click.command(short_help="Audit a table or a config and its data; train nothing.")
@source_options
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "error"]),
    help="Exit with status 1 if there are findings of that severity.",
)
@progress_option
@json_option
@verbosity_options
def check_command(source: Source, fail_on: Severity | None, as_json: bool) -> None:
    """Find problems in a table, or in a config and its data, and how to fix them; train nothing.

    \b
      embedclf check reviews.csv
      embedclf check reviews.yaml --fail-on error

    Finds unreadable rows, missing labels, duplicates, contradicting labels, label leakage,
    truncated texts and more.
    """
    from embedclf.audit.check import audit_data, raise_on_findings
    from embedclf.reports.audit import audit_json, audit_text
    from embedclf.tables.files import display_location

    config = resolve_for_audit(source)
    audit = audit_data(config)
    echo(audit_json(audit) if as_json else audit_text(audit, config))
    # After the report, which must be visible whatever the exit status.
    raise_on_findings(audit, fail_on)
    echo_info(f"{display_location(str(source.location))}: ready to train")


@click.command(short_help="Inspect a table and write a commented config for it.")
@click.argument("data", type=TABLE, metavar="TABLE")
@click.option(
    "-o", "--output", type=FILE, help="Config file. Default: named after TABLE; - prints it."
)
@column_options
@click.option(
    "--validation", type=TABLE, metavar="TABLE", help="Table to choose the best epoch on."
)
@click.option("--test", type=TABLE, metavar="TABLE", help="Table to score once, after training.")
@click.option("--unlabelled", type=TABLE, metavar="TABLE", help="Table of texts without labels.")
@progress_option
@json_option
@verbosity_options
def init_command(data: str, output: Path | None, as_json: bool, **options: Any) -> None:
    """Inspect a table and write a config to train on it, with the reason for each setting.

    \b
      embedclf init reviews.csv

    The columns of text and label are found, and so are validation and test tables next to TABLE
    (dev.csv and test.csv next to train.csv). An existing file is not overwritten.
    """
    from embedclf.autoconfig.resolve import Source, TableOptions
    from embedclf.system.publishing.drafts import create_text

    proposal = resolve(Source(data, options=TableOptions(**options), only_table=True), show=False)
    target = None if str(output) == "-" else output or Path(f"{proposal.name}.yaml")
    config = proposal.to_yaml(target.parent if target else Path())
    if target is not None:
        create_text(target, config)
    values = {"config": target and str(target), **proposal.facts()}
    text = config.rstrip() if target is None else f"config: {target}"  # echo ends the line
    echo(to_json(values) if as_json else text)
    echo_info(proposal.columns_text(target))


@click.command(short_help="Find likely label errors in the training table.")
@source_options
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    default=5,
    show_default=True,
    help="Number of networks; each is trained without one fold of the rows, which it then judges.",
)
@click.option(
    "-o", "--output", type=FILE, help="Table for all likely label errors; format by extension."
)
@click.option(
    "-n",
    "--rows",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many rows to print.",
)
@progress_option
@tf_logs_option
@json_option
@verbosity_options
def suspects_command(
    source: Source, folds: int, output: Path | None, rows: int, tf_logs: bool, as_json: bool
) -> None:
    """Find likely label errors in the training table, the most likely first.

    \b
      embedclf suspects reviews.csv -o suspects.csv

    The config's network is trained once per fold and judges the rows that it has not seen.
    """
    from embedclf.audit.suspects import find_label_errors
    from embedclf.cli.train_progress import FoldProgress
    from embedclf.reports.audit import suspects_json, suspects_text

    source.load()
    start_tensorflow(show_logs=tf_logs)
    config = resolve(source).config
    show = FoldProgress(current_display())
    label_errors = find_label_errors(
        config, folds=folds, max_rows=rows, output=output, on_event=show
    )
    if output is not None:
        echo_info(f"{output}: {format_count(label_errors.suspects, 'row')} written")
    echo(suspects_json(label_errors) if as_json else suspects_text(label_errors))


@click.command(short_help="Print the JSON schema of the config.")
@verbosity_options
def schema_command() -> None:
    """Print the JSON schema of the config, for editors that complete and check YAML."""
    from embedclf.config.schema import json_schema

    echo(to_json(json_schema()))
