"""Commands that look at a config and its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.console import say
from embedclf.options import FILE, json_option, override_option, talk_options

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.findings import Severity


@click.command(short_help="Tell what is wrong with config and data; train nothing.")
@click.argument("config", type=FILE)
@override_option
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "error"]),
    help="End with status 1 where something that grave is found.",
)
@json_option
@talk_options
def check(
    config: Path, overrides: tuple[str, ...], fail_on: Severity | None, as_json: bool
) -> None:
    """Tell what is wrong with a config and its data, and what mends it; train nothing."""
    from embedclf import audit_report, auditing
    from embedclf.config import load_config

    settings = load_config(config, overrides)
    told = auditing.audit(settings)
    text = audit_report.audited_json(told) if as_json else audit_report.audited(told, settings)
    click.echo(text)
    auditing.refuse(told, fail_on)
    say(f"{config}: config and data can be used")
