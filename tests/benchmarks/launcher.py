"""Run a command, and write what it used to a file.

A process starts with the peak memory of the one that starts it, until its own is larger. That of a
benchmark is hundreds of megabytes, so `processes` starts commands by this script, which needs 10.

    python -I -S tests/benchmarks/launcher.py FILE COMMAND...
"""

import os
import signal
import sys
import time

file, *command = sys.argv[1:]
began = time.perf_counter()
pid = os.posix_spawnp(command[0], command, os.environ, setsigdef=[signal.SIGPIPE])
_, status, used = os.wait4(pid, 0)
figures = (
    os.waitstatus_to_exitcode(status),
    time.perf_counter() - began,
    used.ru_utime + used.ru_stime,
    used.ru_maxrss,
)
# Not by pathlib, which would need more memory.
with open(file, "w", encoding="ascii") as lines:
    lines.write(" ".join(map(str, figures)))
