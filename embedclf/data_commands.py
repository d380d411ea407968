"""Commands that look at a config and its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.console import say
from embedclf.options import FILE, json_option, override_option, talk_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Check config and data; train nothing.")
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
