"""`python -m embedclf`, and the command `embedclf`."""

import sys


def run() -> None:
    """Run the command line; Ctrl-C while it loads is quiet too."""
    try:
        from embedclf.cli import main

        main(prog_name="embedclf")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
