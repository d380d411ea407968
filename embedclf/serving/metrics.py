"""Counts and times for Prometheus."""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder where several workers count; the library reads it."""

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What a worker counts."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        requests = Counter("embedclf_requests", "Requests.", ("path", "status"), registry=registry)
        seconds = Histogram(
            "embedclf_request_seconds",
            "Seconds from the headers of a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        rows = Counter("embedclf_rows", "Rows predicted.", ("run",), registry=registry)
        # The library looks up labels under a lock, which takes longer than counting
        self._requests, self._seconds = cache(requests.labels), cache(seconds.labels)
        self._rows = cache(rows.labels)

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests(path, str(status)).inc()
        self._seconds(path).observe(seconds)

    def count_rows(self, run: str, rows: int) -> None:
        """Count predicted rows of a run."""
        self._rows(run).inc(rows)

    def render(self) -> bytes:
        """Return all numbers in the text format of Prometheus, those of all workers together."""
        registry = self._registry
        if os.environ.get(SHARED_FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
