"""TensorFlow's start: quiet unless it fails."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from embedclf.model import backend


def write_natively(text: str) -> None:
    os.write(2, text.encode())


def test_native_noise_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with backend.quiet():
        write_natively("noise\n")
    assert capfd.readouterr().err == ""


def test_native_noise_is_shown_when_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with backend.quiet():
            write_natively("the cause\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "the cause\n"


def test_native_noise_is_shown_on_request(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(backend.SHOW_LOG, "1")
    with backend.quiet():
        write_natively("noise\n")
    assert capfd.readouterr().err == "noise\n"


def test_another_keras_backend_in_the_environment_does_not_matter() -> None:
    code = "from embedclf.model.backend import keras; print(keras.backend.backend())"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "tensorflow\n"


def test_the_device_is_told() -> None:
    device = backend.start("cpu", 1)
    assert device.kind == "cpu"
    assert device.name
    assert device.cores >= 1


def test_python_s_own_lines_are_shown_meanwhile() -> None:
    code = """
import os, sys
from embedclf import backend
with backend.quiet():
    os.write(2, b"noise\\n")
    print("a fact", file=sys.stderr)
print("another", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "a fact\nanother\n"


def test_what_keras_does_not_need_is_not_imported_but_can_be_later() -> None:
    code = """
import gc, sys
from embedclf import backend
assert gc.isenabled()
told = [name for name in ("matplotlib", "pandas", "scipy", "sklearn") if name in sys.modules]
import pandas, sklearn.metrics
print(told, backend.keras.ops.add(1, 2).numpy())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] 3\n"


def test_only_the_thread_that_imports_keras_does_without() -> None:
    code = """
import threading
importing = threading.Thread(target=__import__, args=("embedclf.model.backend",))
importing.start()
import pandas, sklearn.metrics
importing.join()
from embedclf.model.backend import keras
print(pandas.Series([1]).sum())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
