"""init, check, suspects, schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.console import Display, echo_info, start_tensorflow
from embedclf.cli.options import (
    FILE,
    config_argument,
    json_option,
    override_option,
    progress_option,
    tf_logs_option,
    verbosity_options,
)
from embedclf.system.terminal import to_json

if TYPE_CHECKING:
    from embedclf.audit.findings import Severity


@click.command(short_help="Tell what is wrong with config and data; train nothing.")
@config_argument
@override_option
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "error"]),
    help="End with status 1 where something that grave is found.",
)
@json_option
@verbosity_options
def check_command(
    config_path: Path, overrides: tuple[str, ...], fail_on: Severity | None, as_json: bool
) -> None:
    """Tell what is wrong with a config and its data, and what mends it; train nothing."""
    from embedclf.audit.check import audit_data, raise_on_findings
    from embedclf.config.loading import load_config
    from embedclf.reports.audit import audit_json, audit_text

    config = load_config(config_path, overrides)
    audit = audit_data(config)
    click.echo(audit_json(audit) if as_json else audit_text(audit, config))
    # After the report, which must be visible whatever the exit status.
    raise_on_findings(audit, fail_on)
    echo_info(f"{config_path}: config and data can be used")


@click.command(short_help="Look at a table and write a config for it.")
@click.argument("data", type=FILE)
@click.option(
    "-o", "--output", type=FILE, help="The config; else named after DATA, and - prints it."
)
@click.option(
    "--text", multiple=True, help="A column of the text, where it is not found. Repeatable."
)
@click.option(
    "--label", multiple=True, help="The column of the label; repeated, columns of 0 and 1."
)
@click.option("--validation", type=FILE, help="A table to tell the best epoch by.")
@click.option("--test", type=FILE, help="A table to score at the end.")
@click.option("--delimiter", help="What parts the columns, where it is not detected.")
@click.option("--encoding", help="The table's encoding, where it is not UTF-8.")
@json_option
@verbosity_options
def init_command(data: Path, output: Path | None, as_json: bool, **options: Any) -> None:
    """Look at a table and write a config that trains on it, with the reason of each setting.

    The columns of texts and labels, and tables to validate and to test on that stand beside DATA,
    are found. What is there already is not written over.
    """
    from embedclf.autoconfig.proposal import InitOptions, propose
    from embedclf.system.files import create_text

    proposal = propose(data, InitOptions(**options))
    target = None if str(output) == "-" else output or Path(f"{proposal.name}.yaml")
    config = proposal.to_yaml(target.parent if target else Path())
    if target is not None:
        create_text(target, config)
    values = {"config": target and str(target), **proposal.facts()}
    text = config.rstrip() if target is None else f"config: {target}"  # echo ends the line
    click.echo(to_json(values) if as_json else text)
    echo_info(proposal.summary(target))


@click.command(short_help="Find rows that are probably mislabelled.")
@config_argument
@override_option
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    default=5,
    show_default=True,
    help="Networks to train, each without its share of the rows.",
)
@click.option(
    "-o", "--output", type=FILE, help="Table for all suspects; its ending tells the kind."
)
@click.option(
    "-n",
    "--rows",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many of the most suspect rows to print.",
)
@progress_option
@tf_logs_option
@json_option
@verbosity_options
def suspects_command(
    config_path: Path,
    overrides: tuple[str, ...],
    folds: int,
    output: Path | None,
    rows: int,
    progress: str,
    tf_logs: bool,
    as_json: bool,
) -> None:
    """Find rows of the training table that are probably mislabelled, the most suspect first.

    The config's network is trained once a fold and judges the rows that it has not seen.
    """
    from embedclf.audit.suspects import find_label_errors
    from embedclf.cli.train_progress import FoldProgress
    from embedclf.config.loading import load_config
    from embedclf.reports.audit import suspects_json, suspects_text

    config = load_config(config_path, overrides)
    start_tensorflow(show_logs=tf_logs)
    with Display(progress, time_prefix="at most") as display:
        label_errors = find_label_errors(
            config, folds=folds, max_rows=rows, output=output, on_event=FoldProgress(display)
        )
    if output is not None:
        echo_info(f"{output}: {label_errors.suspects:,} rows written")
    click.echo(suspects_json(label_errors) if as_json else suspects_text(label_errors))


@click.command(short_help="Print the config's JSON schema.")
@verbosity_options
def schema_command() -> None:
    """Print the JSON schema of the config, for editors that complete and check YAML."""
    from embedclf.config.schema import json_schema

    click.echo(to_json(json_schema()))
