"""The cluster: processes on this machine, or a scheduler that somebody runs."""

from __future__ import annotations

import logging
import re
import signal
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import resource_tracker
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from embedclf.errors import RequestError, needs_extra
from embedclf.system import interrupts
from embedclf.system.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCAL = re.compile(r"local:([1-9][0-9]{0,3})")

_ENVIRONMENT = "distributed.nanny.pre-spawn-environ"

_SETTINGS = {"distributed.admin.low-level-log-length": 10}
"""Dask keeps the last thousand messages of each connection, with the arguments of all tasks in
them: 90 MB after 512 tasks of a training."""

_LOCAL_SETTINGS = {
    f"{_ENVIRONMENT}.MALLOC_TRIM_THRESHOLD_": 1 << 26,
    f"{_ENVIRONMENT}.MALLOC_MMAP_THRESHOLD_": 1 << 25,
    "distributed.worker.profile.enabled": False,
    # Until a worker is given up; on a busy machine, a start can take longer than the usual 15 s
    "distributed.deploy.lost-worker-timeout": "30s",
}
"""Dask lets workers return memory to the system at once. Then every array of NumPy gets new pages:
a million short texts took 4.5 instead of 3.1 s of CPU time."""

_ADDRESS = re.compile(r"([a-z]+://)?[^/:]+:[0-9]+|inproc://.+")

_PACKAGE = "embedclf"

_STARTS, _LOOK_SECONDS = 3, 2.0

_SCHEDULER_TIMEOUT, _WORKER_TIMEOUT = "10s", "60s"


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """Connect to a cluster.

    Certificates for TLS are those of Dask's own configuration (`distributed.comm.tls`).

    Args:
        address: `local:N` starts N processes, which end with the block. Anything else is the
            address of a scheduler, such as `tcp://10.0.0.1:8786`.

    Yields:
        A `distributed.Client`.

    Raises:
        RequestError: Dask is not installed; no scheduler answers, or it has no worker; or a machine
            has another version of embedclf.
    """
    with needs_extra("cluster", "--cluster"):
        from distributed import Client
    # Its warnings are for developers; what matters to users comes back as errors
    for name in ("distributed", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from dask import config

    with config.set(_SETTINGS):
        if local := _LOCAL.fullmatch(address):
            with _local_cluster(int(local[1])) as cluster, Client(cluster) as client:
                yield client
        else:
            with _connected(address) as client:
                yield client


def local_threads(address: str) -> int | None:
    """Return the threads of `local:N`, also while a process starts again; None for a scheduler."""
    local = _LOCAL.fullmatch(address)
    return int(local[1]) * _threads_of_process(int(local[1])) if local else None


def _threads_of_process(processes: int) -> int:
    return max(1, available_cores() // processes)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    from distributed import Client

    if not _ADDRESS.fullmatch(address) or address.startswith("local:"):
        raise RequestError(
            f"--cluster {address}: is no address; write local:N for N processes on this machine, "
            "or the address of a scheduler, such as tcp://10.0.0.1:8786"
        )
    try:
        client = Client(address, timeout=_SCHEDULER_TIMEOUT)
    except (OSError, ValueError, TypeError) as error:
        raise RequestError(
            f"--cluster {address}: no scheduler answers there ({type(error).__name__}); write "
            "local:N for processes on this machine, or start one: dask scheduler"
        ) from error
    with client:
        _require_same_versions(address, {"the scheduler": _version_of_scheduler(client)})
        try:
            client.wait_for_workers(1, timeout=_WORKER_TIMEOUT)
        except TimeoutError as error:
            raise RequestError(
                f"--cluster {address}: has no worker; start some: dask worker {address}"
            ) from error
        # Functions of embedclf itself cannot be called before it is known to be there
        _require_same_versions(address, client.run(version, _PACKAGE, on_error="return"))
        yield client


@contextmanager
def _local_cluster(workers: int) -> Iterator[Any]:
    """Start processes on this machine. Those that are killed start again, even while they start.

    Raises:
        RequestError: They cannot be started.
    """
    from dask import config

    ended = Event()

    def keep_up(cluster: Any) -> None:
        while not ended.wait(_LOOK_SECONDS):
            cluster.scale(workers)  # those that Dask has given up

    with config.set(_LOCAL_SETTINGS), ExitStack() as stack:
        with interrupts.deferred(), _deaf_to_interrupts():
            cluster = stack.enter_context(_start_local(workers))
        keeper = Thread(target=keep_up, args=(cluster,), daemon=True)
        keeper.start()
        try:
            yield cluster
        finally:
            ended.set()
            keeper.join()


def _start_local(workers: int) -> Any:
    from distributed import LocalCluster

    failure = None
    for _ in range(_STARTS):
        try:
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=_threads_of_process(workers),
                dashboard_address="127.0.0.1:0",  # any free port; 8787 may be taken
                # Work here has its own bounds; by default, Dask would pause a busy worker
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
        except RuntimeError as error:
            failure = error
    raise RequestError(
        f"--cluster local:{workers}: a process ended while it started; there may be too little "
        "memory for so many: name fewer"
    ) from failure


def _version_of_scheduler(client: Any) -> Any:
    try:
        return client.run_on_scheduler(version, _PACKAGE)
    except PackageNotFoundError as error:
        return error


def _require_same_versions(address: str, found: dict[str, Any]) -> None:
    """Raise RequestError if a machine has another version of embedclf, or none.

    Args:
        address: Of the scheduler.
        found: The version on each machine, or the error of looking for it.
    """
    own = version(_PACKAGE)
    for machine, each in found.items():
        if each == own or not isinstance(each, str | PackageNotFoundError):
            continue  # a worker may have ended in between
        other = f"embedclf {each}" if isinstance(each, str) else "no embedclf"
        raise RequestError(
            f"--cluster {address}: {machine} has {other}; install embedclf {own} there, the "
            "version of this command"
        )


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: they end with this one.

    A thread or process inherits the mask of the thread that starts it. The threads of Dask that
    start workers again do, too.
    """
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    resource_tracker.ensure_running()  # its start would end the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
