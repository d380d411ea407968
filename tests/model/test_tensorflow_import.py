"""TensorFlow and Keras are imported without what they do not need, and without their logs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from embedclf.model.tensorflow_import import SHOW_LOGS, quiet


def write_natively(text: str) -> None:
    os.write(2, text.encode())


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    variables = os.environ | environment
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True)


def test_native_noise_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        write_natively("noise\n")
    assert capfd.readouterr().err == ""


def test_native_noise_is_shown_if_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with quiet():
            write_natively("the cause\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "the cause\n"


def test_lines_of_python_are_shown_while_native_noise_is_not() -> None:
    code = """
import os, sys
from embedclf.model.tensorflow_import import quiet
with quiet():
    os.write(2, b"noise\\n")
    print("a fact", file=sys.stderr)
print("another", file=sys.stderr)
"""
    assert run_python(code).stderr == "a fact\nanother\n"


def test_types_are_complete_before_those_of_tensorflow_are_added() -> None:
    code = """
import sys
from embedclf.model.tensorflow_import import import_tensorflow
import_tensorflow(hides_logs=True)
import keras
print(keras.backend.backend())
names = list(sys.modules)
print(names.index("numpy.ma.core") < names.index("ml_dtypes"))
"""
    assert run_python(code, KERAS_BACKEND="jax").stdout == "tensorflow\nTrue\n"


def test_what_keras_does_not_need_is_not_imported_but_can_be_later() -> None:
    code = """
import gc, sys
from embedclf.model.tensorflow_import import light_imports
with light_imports():
    import keras
assert gc.isenabled()
print([name for name in ("matplotlib", "pandas", "scipy", "sklearn") if name in sys.modules])
import pandas, sklearn.metrics
print(keras.ops.add(1, 2).numpy())
"""
    assert run_python(code).stdout == "[]\n3\n"


def test_logs_of_an_import_are_hidden_unless_asked_for() -> None:
    code = """
from embedclf.model.tensorflow_import import import_tensorflow, shows_logs
import_tensorflow(hides_logs=not shows_logs(), light=False)
import_tensorflow(hides_logs=False)  # does nothing
"""
    assert run_python(code).stderr == ""
    assert run_python(code, **{SHOW_LOGS: "1"}).stderr
