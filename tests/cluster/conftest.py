"""Two workers on this machine, which all tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from embedclf.cluster.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    with connect("local:2") as client:
        yield client


@pytest.fixture(scope="session")
def scheduler(client: Any) -> str:
    """The address of the cluster."""
    address: str = client.scheduler.address
    return address
