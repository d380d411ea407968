"""The server: a socket, one or several workers, an orderly end."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from embedclf.errors import RequestError
from embedclf.serving.log import log_warnings_of_uvicorn
from embedclf.serving.metrics import SHARED_FOLDER
from embedclf.system.publishing.drafts import draft_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import uvicorn

    from embedclf.serving.access import Access
    from embedclf.serving.settings import Settings

_BACKLOG = 2048


@dataclass(frozen=True)
class Address:
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 is any free one."""


def serve(
    settings: Settings,
    address: Address,
    *,
    workers: int = 1,
    on_listening: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests that have begun are answered before the end.

    Args:
        settings: What to serve.
        address: Where to listen.
        workers: Processes that answer requests.
        on_listening: Called with the URL as soon as clients can connect.

    Raises:
        RunError: A run cannot be loaded.
        RequestError: Nothing can listen at the address, or two runs have the same name.
    """
    with ExitStack() as stack:
        if workers > 1:
            # Before the first import of the library, which reads the variable
            shared = stack.enter_context(draft_directory(Path(tempfile.gettempdir())))
            os.environ[SHARED_FOLDER] = str(shared)
            stack.callback(os.environ.pop, SHARED_FOLDER)
        listening = stack.enter_context(_listen(address))
        url = _url(address.host, listening)
        stack.enter_context(_ends_by_signal())
        if workers == 1:
            _serve_alone(settings, listening, partial(on_listening, url))
        else:
            _serve_with_workers(settings, listening, workers, partial(on_listening, url))


def _serve_alone(
    settings: Settings, listening: socket.socket, on_listening: Callable[[], None]
) -> None:
    import uvicorn

    app = _create_app(settings)
    listening.listen(_BACKLOG)
    config = _config(app, settings)
    on_listening()
    uvicorn.Server(config).run([listening])


def _serve_with_workers(
    settings: Settings, listening: socket.socket, workers: int, on_listening: Callable[[], None]
) -> None:
    from uvicorn.supervisors import Multiprocess

    from embedclf.serving.served_runs import ServedRuns

    ServedRuns(settings.runs)  # a fault ends the service here, and not in each worker
    listening.listen(_BACKLOG)
    create = partial(_create_worker_app, settings)
    config = _config(create, settings, factory=True, workers=workers)
    log_warnings_of_uvicorn()
    on_listening()
    Multiprocess(config, [listening]).run()


def _create_worker_app(settings: Settings) -> Access:
    """Create the application of a worker, which ends with the process that started it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return _create_app(settings)


def _end_with_parent() -> None:
    """Wait for the end of the parent, which has no time to end its workers if it is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _create_app(settings: Settings) -> Access:
    """Create the application of this process."""
    from embedclf.serving.app import create_app

    log_warnings_of_uvicorn()
    app = create_app(settings)
    # What is loaded now stays. To look through all of it for garbage takes 40 ms each time
    gc.collect()
    gc.freeze()
    return app


def _config(app: Any, settings: Settings, **values: Any) -> uvicorn.Config:
    import uvicorn

    from embedclf.serving.connections import Connection

    return uvicorn.Config(
        app,
        http=cast("type[Connection]", partial(Connection, settings.limits.timeout)),
        ws="none",
        root_path=settings.root_path,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=int(settings.limits.timeout) + 1,
        **values,
    )


@contextmanager
def _listen(address: Address) -> Iterator[socket.socket]:
    """Bind a socket; raises RequestError if that is impossible."""
    try:
        [(family, kind, protocol, _, place), *_] = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise RequestError(f"--host {address.host}: {error.strerror}") from error
    with listening:
        if os.name != "nt":  # there, it would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(place)
        except OSError as error:
            raise RequestError(
                f"--port {address.port}: {error.strerror}; choose another port, or 0 for a free one"
            ) from error
        listening.set_inheritable(True)
        yield listening


def _url(host: str, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def _ends_by_signal() -> Iterator[None]:
    """Let signals end the server, and not the process: uvicorn raises them again at its end."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
