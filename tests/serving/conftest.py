"""A service of a run of each task, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from embedclf.serving.app import create_app
from embedclf.serving.settings import Limits, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.runs.run import Run

TOKEN = "0123456789abcdef-secret"  # noqa: S105 - of the tests alone


@pytest.fixture(scope="session")
def settings(runs: dict[str, Run]) -> Settings:
    """All runs, with small limits."""
    limits = Limits(max_rows=50, max_body=20_000, timeout=5.0)
    return Settings(tuple(run.path for run in runs.values()), limits)


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client
