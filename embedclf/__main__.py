"""`python -m embedclf`, and the command `embedclf`."""

import os
import sys


def run() -> None:
    """Run the command line; Ctrl-C during its imports ends it silently."""
    _leave(_status())


def _status() -> int:
    """Run a command, and return its exit status."""
    try:
        from embedclf.cli.main import main

        main(prog_name="embedclf")
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        return end.code or 0
    return 0


def _leave(status: int) -> None:
    """End the process at once: TensorFlow needs 0.7 s to shut down."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        status = status or 1
    os._exit(status)


if __name__ == "__main__":
    run()
