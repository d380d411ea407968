"""The root group: all commands, in the order of work; errors as one line and an exit status."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import time
from collections import UserDict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import click

from embedclf import __version__
from embedclf.cli.console import echo, echo_info
from embedclf.cli.habits.usage_errors import CommandGroup, explain_usage_error
from embedclf.cli.options import verbosity_options
from embedclf.errors import EmbedclfError, describe_missing
from embedclf.system import interrupts
from embedclf.system.control_characters import escape_controls
from embedclf.system.memory.limit import require_memory
from embedclf.system.terminal import format_duration, shorten, wrap_message

_COMMAND_LINE = "embedclf.command_line"
"""Where a context keeps the arguments of the whole command line."""

_QUOTED_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")
"""A byte of an argument that is not UTF-8, as `repr` writes it."""

_SHELLS = {
    "bash": ("~/.bashrc", 'eval "$(_EMBEDCLF_COMPLETE=bash_source embedclf)"'),
    "zsh": ("~/.zshrc", 'eval "$(_EMBEDCLF_COMPLETE=zsh_source embedclf)"'),
    "fish": ("~/.config/fish/config.fish", "_EMBEDCLF_COMPLETE=fish_source embedclf | source"),
}
"""The file that each shell runs at its start, and the line for it."""


@click.command(short_help="Set up tab completion for your shell.")
@click.argument("shell", type=click.Choice(list(_SHELLS)), required=False)
@verbosity_options
def completion_command(shell: str | None) -> None:
    """Print the line that turns on tab completion of commands, options and runs.

    Add it to your shell's start file. Without an argument, the shell is that of $SHELL.

    \b
      embedclf completion bash >> ~/.bashrc
    """
    file, line = _SHELLS[shell or _current_shell()]
    echo_info(f"add this line to {file}, then open a new shell:")
    echo(line)


@click.command(hidden=True)
def version_command() -> None:
    """Print the version, as --version does."""
    echo(f"embedclf {__version__}")


SECTIONS = {
    "Prepare": {"init": "data", "check": "data", "suspects": "data", "suggest": "suggest"},
    "Train": {"train": "runs", "tune": "tune", "runs": "runs", "summary": "runs"},
    "Evaluate": dict.fromkeys(("evaluate", "report", "compare", "threshold"), "evaluate"),
    "Use": {"predict": "predict", "explain": "predict", "embeddings": "embeddings"},
    "Deploy": {"export": "deployment.export", "serve": "deployment.serve"},
    "Other": {"schema": "data", "completion": "main"},
}
"""The commands by purpose, as the help lists them, and the module of each."""


class LazyCommands(UserDict[str, Any]):
    """Commands by name; a module that is not imported yet stands for a command of it."""

    def __getitem__(self, name: str) -> click.Command:
        """Return a command; import its module at the first use."""
        found = self.data[name]
        if isinstance(found, str):
            module = import_module(f"embedclf.cli.{found}")
            found = self.data[name] = getattr(module, f"{name}_command")
        command: click.Command = found
        return command


class RootGroup(CommandGroup):
    """The root group: lists the commands by purpose, and ends each error as one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments before the command."""
        ctx.meta[_COMMAND_LINE] = [*args]
        # Click parses them before it calls `invoke`, so its handlers would miss the errors.
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise  # a UsageError whose message is the help
        except click.UsageError as error:
            _exit_with_usage(ctx, error)
        except OSError as error:  # from printing --help
            _exit_with_os_error(ctx, error)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; mistakes of users never show a traceback."""
        started = time.perf_counter()
        _prepare_output()
        try:
            require_memory()
            with interrupts.handled():
                super().invoke(ctx)
            # A full disk may show only now; after the `try`, no handler would see the error.
            sys.stdout.flush()
        except EmbedclfError as error:
            _exit(ctx, _describe_error(error), error.exit_status)
        except click.exceptions.NoArgsIsHelpError:
            raise  # caught before its base class, UsageError
        except click.UsageError as error:
            _exit_with_usage(ctx, error)
        except KeyboardInterrupt as interrupt:
            reason = f"; {interrupt}" if str(interrupt) else ""
            _exit(ctx, f"interrupted{reason}", 130)  # 128 + SIGINT, as shells report it
        except OSError as error:
            _exit_with_os_error(ctx, error)
        except (MemoryError, ImportError) as error:
            _exit(ctx, _describe_shortage(error, ctx.invoked_subcommand), 1)
        # Nested contexts share `meta`, so the -v of the command is visible here.
        if ctx.meta.get("verbose"):
            python = ".".join(map(str, sys.version_info[:3]))
            seconds = time.perf_counter() - started
            duration = format_duration(seconds)
            echo(f"embedclf {__version__}, Python {python}: {duration}", err=True)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with a line each, by section."""
        del ctx
        longest = max(len(name) for section in SECTIONS.values() for name in section)
        room = formatter.width - longest - 6
        for title, names in SECTIONS.items():
            # Names of one length align the sections with each other.
            rows = [
                (name.ljust(longest), self.commands[name].get_short_help_str(room))
                for name in names
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(
    cls=RootGroup,
    commands=LazyCommands({k: v for section in SECTIONS.values() for k, v in section.items()}),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="embedclf %(version)s")
def main() -> None:
    """Train a text classifier on a table in seconds, and use it.

    \b
      embedclf train reviews.csv
      embedclf predict new-reviews.csv
      embedclf predict -t "a great film"
    """


main.add_command(version_command)


def _current_shell() -> str:
    """Return the name of the user's shell.

    Raises:
        click.UsageError: It is unknown.
    """
    name = Path(os.environ.get("SHELL", "")).name
    if name not in _SHELLS:
        raise click.UsageError("name your shell: bash, zsh or fish")
    return name


def _exit(ctx: click.Context, message: str, status: int) -> NoReturn:
    message = _QUOTED_BYTE.sub(r"\\x\1", message)  # as everywhere else
    echo(wrap_message(f"embedclf: {message}"), err=True)
    ctx.exit(status)


def _describe_error(error: EmbedclfError) -> str:
    """Return one line, even if a name has a line break; more only if the error means to."""
    return str(error) if error.has_lines else escape_controls(str(error))


def _describe_shortage(error: MemoryError | ImportError, command: str | None) -> str:
    """Say what to do if memory ran out, maybe for a library, or if a library is missing."""
    module = _missing_module(error)
    if module is not None:
        return describe_missing(str(command), module)
    if isinstance(error, MemoryError):
        hint = "lower text.sequence_length, text.vocabulary_size or model.embedding_dim"
        return f"not enough memory: {error}; {hint}"
    fault = shorten(" ".join(str(error).split()), 200)
    if "map segment" in fault or "allocate memory" in fault:
        return f"not enough memory for a library: {fault}; raise the limit (ulimit -v)"
    return f"a library cannot be loaded: {fault}; install embedclf again"


def _missing_module(error: MemoryError | ImportError) -> str | None:
    """Return the module that is not installed, or None if another fault is the cause."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    module = error.name.partition(".")[0]
    return None if find_spec(module) else module


def _exit_with_usage(ctx: click.Context, error: click.UsageError) -> NoReturn:
    _exit(ctx, explain_usage_error(error, ctx, ctx.meta[_COMMAND_LINE]), 2)


def _exit_with_os_error(ctx: click.Context, error: OSError) -> NoReturn:
    """Exit after a failed write, without a message if the reader has closed the pipe."""
    if error.errno != errno.EPIPE:
        # An error while writing to an open stream names no file.
        place = error.filename or "standard output"
        echo(f"embedclf: {place}: {error.strerror}", err=True)
    # Python flushes standard output again at exit, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    ctx.exit(1)


def _prepare_output() -> None:
    """Write UTF-8 in any locale, and replace closed standard streams by the null device.

    The next file that is opened would get the descriptor of a closed stream, and messages would be
    written into that file. So the null device takes all free descriptors from 0 to 2.
    """
    # The system always returns the lowest free descriptor.
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(free)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until exit
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):  # a StringIO has no encoding
            # Lone surrogates, undecodable bytes of file names, are not even valid UTF-8.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
