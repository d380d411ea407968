"""export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from embedclf.cli.console import echo_info, open_run, start_tensorflow
from embedclf.cli.options import FILE, progress_option, run_argument, verbosity_options
from embedclf.export.formats import FORMATS
from embedclf.system.terminal import format_definitions

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.export.export import Export


@click.command(short_help="Write a classifier for other programs.")
@run_argument()
@click.option(
    "--format",
    "name",
    type=click.Choice(list(FORMATS)),
    metavar="FORMAT",
    required=True,
    help="onnx, js, savedmodel, litert, or compact: a much smaller run.",
)
@click.option("-o", "--output", type=FILE, required=True, help="Folder to write.")
@click.option(
    "--input",
    "model_input",
    type=click.Choice(["text", "ids"]),
    default="text",
    show_default=True,
    help="onnx: what the model takes; with ids, all operations are of ONNX itself.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0.0, 100.0),
    default=0.1,
    show_default=True,
    metavar="POINTS",
    help="compact: points of accuracy that it may lose on the validation rows.",
)
@progress_option
@verbosity_options
def export_command(
    run_name: Path | None, name: str, output: Path, model_input: str, max_loss: float
) -> None:
    """Write the classifier of a run for other programs, and prove that it computes the same.

    \b
      embedclf export reviews-1 --format onnx -o reviews-onnx

    The folder has a README.md with a program that uses the model. It is written only if the
    model, read back, gives the same token ids and probabilities as the run. Both are compared
    on texts that are hard to split, and on the validation rows.
    """
    from embedclf.export.export import export_run
    from embedclf.export.exporter import ExportOptions

    _check_options(name)
    if FORMATS[name].starts_tensorflow:
        start_tensorflow(show_logs=False)
    options = ExportOptions(model_input, max_loss)
    export = export_run(open_run(run_name), name, output, options)
    echo_info(f"{output}: {_summarize(export)}")
    if name == "compact":
        from embedclf.reports.compact import compact_entries

        echo_info(format_definitions(compact_entries(export.facts, export.size)))


def _check_options(name: str) -> None:
    """Refuse an option that the format does not heed."""
    context = click.get_current_context()
    for parameter, option in {"model_input": "input", "max_loss": "max_loss"}.items():
        is_typed = context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE
        if is_typed and option not in FORMATS[name].options:
            flag = f"--{option.replace('_', '-')}"
            takers = [each for each, chosen in FORMATS.items() if option in chosen.options]
            raise click.UsageError(f"{flag} is for --format {', '.join(takers)} only")


def _summarize(export: Export) -> str:
    """`ONNX, 1.2 MB; as the run on 33 hard texts and 234 validation rows ...`."""
    proof = export.proof
    rows = f"{proof.rows:,} validation rows" if proof.rows else f"no rows ({proof.missing_rows})"
    same = "equal ids, " if proof.compares_ids else ""
    difference = f"probabilities within {proof.largest_difference:.0e}"
    size = f"{export.size / 1e6:,.1f} MB"
    return (
        f"{export.title}, {size}; {proof.own_texts} hard texts and {rows} compared: "
        f"{same}{difference}"
    )
