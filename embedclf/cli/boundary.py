"""Errors -> one line and an exit status."""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import click

from embedclf import __version__
from embedclf.errors import EmbedclfError
from embedclf.system import interrupts


class ErrorBoundary(click.Group):
    """A group that turns each error of its commands into one line and an exit status."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the group's own arguments, which stand before the command."""
        # Click parses these before it calls `invoke`, whose handlers would miss the errors.
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise  # a UsageError whose message is the help
        except click.UsageError as error:
            _exit_with_usage(ctx, error)
        except OSError as error:  # from printing --help
            _exit_with_os_error(ctx, error)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a user's mistake never shows a traceback."""
        started = time.perf_counter()
        _prepare_output()
        try:
            with interrupts.handled():
                super().invoke(ctx)
            # A full disk may show only now; after the `try` no handler would see the error.
            sys.stdout.flush()
        except EmbedclfError as error:
            _exit(ctx, str(error), error.exit_status)
        except click.exceptions.NoArgsIsHelpError:
            raise  # caught before its base class, UsageError
        except click.UsageError as error:
            _exit_with_usage(ctx, error)
        except KeyboardInterrupt as interrupt:
            reason = f"; {interrupt}" if str(interrupt) else ""
            _exit(ctx, f"interrupted{reason}", 130)  # 128 + SIGINT, as shells report it
        except OSError as error:
            _exit_with_os_error(ctx, error)
        except MemoryError as error:
            hint = "lower text.sequence_length, text.vocabulary_size or model.embedding_dim"
            _exit(ctx, f"not enough memory: {error}; {hint}", 1)
        # Nested contexts share `meta`, so the -v of the command arrives here.
        if ctx.meta.get("verbose"):
            python = ".".join(map(str, sys.version_info[:3]))
            seconds = time.perf_counter() - started
            click.echo(f"embedclf {__version__}, Python {python}: {seconds:.2f} s", err=True)


def _exit(ctx: click.Context, message: str, status: int) -> NoReturn:
    click.echo(f"embedclf: {message}", err=True)
    ctx.exit(status)


def _exit_with_usage(ctx: click.Context, error: click.UsageError) -> NoReturn:
    path = (error.ctx or ctx).command_path
    _exit(ctx, f"{error.format_message().rstrip('.')}; see `{path} --help`", 2)


def _exit_with_os_error(ctx: click.Context, error: OSError) -> NoReturn:
    """Exit after a failed write; if the reader has closed the pipe, without a message."""
    if error.errno != errno.EPIPE:
        # An error while writing to an open stream names no file.
        place = error.filename or "standard output"
        click.echo(f"embedclf: {place}: {error.strerror}", err=True)
    # Python flushes standard output once more at exit, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    ctx.exit(1)


def _prepare_output() -> None:
    """Write UTF-8 whatever the locale, and replace closed standard streams by the null device.

    A closed stream's descriptor would go to the next file that is opened, which messages would
    then be written into. So the null device takes all free descriptors from 0 to 2.
    """
    # The system always hands out the lowest free descriptor.
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(free)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until exit
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):  # a StringIO has no encoding
            # Even UTF-8 fails on lone surrogates, which stand for undecodable bytes of file names.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
