"""The most memory that this process has had."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Return the most bytes of memory that this process has had; 0 if unknown."""
    try:
        # Linux's getrusage also counts the process that has started this one
        peak = re.search(rb"VmHWM:\s+(\d+) kB", _STATUS.read_bytes())
    except OSError:
        peak = None
    return _peak_of_usage() if peak is None else int(peak[1]) * 1024


def _peak_of_usage() -> int:
    try:
        import resource
    except ModuleNotFoundError:  # on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
