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
    """The one place where an error becomes a line and an exit status."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before the command."""
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            self._refuse(ctx, error)
        except OSError as error:  # help that has nowhere to go
            self._give_up(ctx, error)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a user's mistake never shows a traceback."""
        began = time.perf_counter()
        _prepare_output()
        try:
            with interrupts.raised():
                super().invoke(ctx)
            sys.stdout.flush()
        except EmbedclfError as error:
            click.echo(f"embedclf: {error}", err=True)
            ctx.exit(error.status)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            self._refuse(ctx, error)
        except KeyboardInterrupt as interrupt:
            why = f"; {interrupt}" if str(interrupt) else ""
            click.echo(f"embedclf: interrupted{why}", err=True)
            ctx.exit(130)
        except OSError as error:
            self._give_up(ctx, error)
        except MemoryError as error:
            hint = "lower text.sequence_length, text.vocabulary_size or model.embedding_dim"
            click.echo(f"embedclf: not enough memory: {error}; {hint}", err=True)
            ctx.exit(1)
        if ctx.meta.get("verbose"):
            python = ".".join(map(str, sys.version_info[:3]))
            spent = time.perf_counter() - began
            click.echo(f"embedclf {__version__}, Python {python}: {spent:.2f} s", err=True)

    def _refuse(self, ctx: click.Context, error: click.UsageError) -> NoReturn:
        path = (error.ctx or ctx).command_path
        fault = error.format_message().rstrip(".")
        click.echo(f"embedclf: {fault}; see `{path} --help`", err=True)
        ctx.exit(2)

    def _give_up(self, ctx: click.Context, error: OSError) -> NoReturn:
        """End on a full disk or a reader that has gone; the latter is no news."""
        if error.errno != errno.EPIPE:
            place = error.filename or "standard output"
            click.echo(f"embedclf: {place}: {error.strerror}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer goes nowhere
        ctx.exit(1)


def _prepare_output() -> None:
    """Write UTF-8 whatever the locale; standard streams that were closed lead nowhere.

    The null device takes the numbers 0 to 2 where they are free, so that no file gets one of them
    and is written into.
    """
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(free)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until exit
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
