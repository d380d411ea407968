"""serve."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from embedclf.cli.console import echo_info
from embedclf.cli.options import FILE, RunName, verbosity_options
from embedclf.errors import RequestError, needs_extra

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.serving.settings import Settings


class _Size(click.ParamType[int]):
    """A number of bytes, such as 500kB or 10MB."""

    name = "size"
    _UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}  # noqa: RUF012 - never changed

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the number of bytes."""
        found = re.fullmatch(r"(\d{1,9})\s*([kmg]?b?)", str(value).lower())
        if found is None or found[2] not in self._UNITS or not int(found[1]):
            self.fail(f"{value!r} is not a size such as 10MB", param, ctx)
        return int(found[1]) * self._UNITS[found[2]]


@click.command(short_help="Answer HTTP requests.")
@click.argument("run_names", type=RunName(), metavar="RUN...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 is any free one.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that answer requests.",
)
@click.option(
    "--root-path", default="", metavar="PATH", help="Path that a proxy removes: /reviews."
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Name of the service at a proxy; can be repeated.",
)
@click.option("--token-file", type=FILE, help="File with the token that clients must send.")
@click.option(
    "--max-rows",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Most rows in a request.",
)
@click.option(
    "--max-body", type=_Size(), default="10MB", show_default=True, help="Largest body of a request."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest time to send a request.",
)
@verbosity_options
def serve_command(
    run_names: tuple[Path, ...],
    host: str,
    port: int,
    workers: int,
    root_path: str,
    allowed_hosts: tuple[str, ...],
    token_file: Path | None,
    max_rows: int,
    max_body: int,
    timeout: float,
) -> None:
    """Answer HTTP requests with the predictions of one or several runs.

    \b
      embedclf serve reviews-1

    The service also has a page at /, and documentation at /docs. Requests that name no run use the
    first. RUN can be a name without its number: `serve reviews` uses the newest of reviews-1,
    reviews-2 and so on, and changes to a newer one while it serves. Ctrl-C or SIGTERM ends it.
    """
    from embedclf.serving.settings import Limits, Settings

    token = None if token_file is None else _read_token(token_file)
    settings = Settings(
        run_names,
        Limits(max_rows, max_body, timeout),
        _check_root_path(root_path),
        token,
        _host_names(host, allowed_hosts, has_token=token is not None),
    )
    _serve(settings, host, port, workers)


def _serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until a signal.

    Raises:
        RequestError: A package is missing.
    """
    with needs_extra("serve", "serve"):
        import httptools  # noqa: F401 - only whether it is installed
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    from embedclf.serving.server import Address, serve

    serve(
        settings,
        Address(host, port),
        workers=workers,
        on_listening=lambda url: echo_info(f"serving at {url}"),
    )


def _host_names(host: str, allowed: tuple[str, ...], *, has_token: bool) -> frozenset[str] | None:
    """Return the names that requests may call the service by; None allows any.

    Other computers cannot reach 127.0.0.1, but a page in a browser here can try, by a name that
    its owner makes mean 127.0.0.1. It has no token.
    """
    is_local = host == "localhost" or host.startswith("127.") or host == "::1"
    if not allowed and (has_token or not is_local):
        return None
    return frozenset({"localhost", *map(str.lower, allowed)})


def _check_root_path(root_path: str) -> str:
    if root_path and not re.fullmatch(r"(/[\w.~-]+)+/?", root_path):
        raise click.BadParameter(
            f"{root_path!r} is not a path such as /reviews", param_hint="--root-path"
        )
    return root_path.rstrip("/")


def _read_token(file: Path) -> str:
    """Read the token in a file.

    Raises:
        RequestError: The file cannot be read, or has no token that fits a header.
    """
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        fault = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise RequestError(f"--token-file {file}: cannot be read: {fault}") from error
    if not re.fullmatch(r"[!-~]{16,}", token):
        raise RequestError(
            f"--token-file {file}: needs one token of at least 16 characters; make one: "
            f"openssl rand -hex 32 > {file}"
        )
    return token
