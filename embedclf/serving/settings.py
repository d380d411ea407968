"""How the service is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """What a single request can ask for."""

    max_rows: int = 1000
    max_body: int = 10_000_000
    """Bytes."""
    timeout: float = 30.0
    """Seconds in which a request must arrive."""
    max_requests: int = 256
    """Requests at once in a process."""


@dataclass(frozen=True)
class Settings:
    """What is served, and to whom."""

    runs: tuple[Path, ...]
    """Folders; the first is the default."""
    limits: Limits = field(default_factory=Limits)
    root_path: str = ""
    """Path of the service at the proxy in front of it."""
    token: str | None = field(default=None, repr=False)
    """What clients must send; None serves everybody."""
    hosts: frozenset[str] | None = None
    """Names that requests may call the service by, besides IP addresses; None allows any."""
