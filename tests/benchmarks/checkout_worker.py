"""A process that runs commands of one checkout, one job after another.

TensorFlow is imported once, which takes as long as training on a hundred rows.

PYTHONPATH=CHECKOUT python tests/benchmarks/checkout_worker.py [HIDDEN PACKAGE ...]
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(hidden: Sequence[str]) -> None:
    """Read a job per line from standard input: command lines in JSON; answer with a line each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A module that is None cannot be found, as if its package were not installed.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    # Only answers go to standard output, whatever libraries print.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _import_libraries()
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), file=answers, flush=True)


def _import_libraries() -> None:
    """Import what every training needs, so that the first one takes no longer than others."""
    import keras  # noqa: F401
    import sklearn.linear_model  # noqa: F401


def _run(commands: list[list[str]]) -> dict[str, Any]:
    """Run command lines until one fails."""
    from click.testing import CliRunner

    from embedclf.cli.main import main as embedclf

    seconds = []
    for arguments in commands:
        began = time.perf_counter()
        done = CliRunner().invoke(embedclf, arguments)
        seconds.append(time.perf_counter() - began)
        if done.exit_code:
            return {"error": f"{done.stderr[-400:]} {done.exception!r}"}
    return {"seconds": seconds}


if __name__ == "__main__":
    main(sys.argv[1:])
