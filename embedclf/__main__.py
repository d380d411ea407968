"""`python -m embedclf`."""

from embedclf.cli import main

main(prog_name="embedclf")
