"""What the command line does to its own process."""

from __future__ import annotations

import os
import subprocess
import sys

from embedclf.model.tensorflow_import import SHOW_LOGS


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    variables = os.environ | environment
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True)


def test_only_the_thread_that_imports_keras_does_without_and_a_variable_shows_logs() -> None:
    code = """
from embedclf.cli import process
with process.tensorflow_ahead(show_logs=False):
    import pandas, sklearn.metrics
    from embedclf.model.backend import keras
print(keras.backend.backend(), pandas.Series([1]).sum())
"""
    done = run_python(code, **{SHOW_LOGS: "1"})
    assert done.stdout == "tensorflow 1\n"
    assert "oneDNN" in done.stderr or "cuda" in done.stderr.lower()
