"""What the command line does to its own process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from embedclf.cli import process


def write_natively(text: str) -> None:
    os.write(2, text.encode())


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    variables = os.environ | environment
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True)


def test_native_noise_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with process.quiet():
        write_natively("noise\n")
    assert capfd.readouterr().err == ""


def test_native_noise_is_shown_if_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with process.quiet():
            write_natively("the cause\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "the cause\n"


def test_lines_of_python_are_shown_while_native_noise_is_not() -> None:
    code = """
import os, sys
from embedclf.cli import process
with process.quiet():
    os.write(2, b"noise\\n")
    print("a fact", file=sys.stderr)
print("another", file=sys.stderr)
"""
    assert run_python(code).stderr == "a fact\nanother\n"


def test_types_are_complete_before_those_of_tensorflow_are_added() -> None:
    code = """
import sys
from embedclf.cli import process
process._start_tensorflow()
names = list(sys.modules)
print(names.index("numpy.ma.core") < names.index("ml_dtypes"))
"""
    assert run_python(code).stdout == "True\n"


def test_only_the_thread_that_imports_keras_does_without_and_a_variable_shows_logs() -> None:
    code = """
from embedclf.cli import process
with process.tensorflow_ahead(show_logs=False):
    import pandas, sklearn.metrics
    from embedclf.model.backend import keras
print(keras.backend.backend(), pandas.Series([1]).sum())
"""
    done = run_python(code, **{process.SHOW_LOGS: "1"})
    assert done.stdout == "tensorflow 1\n"
    assert "oneDNN" in done.stderr or "cuda" in done.stderr.lower()
