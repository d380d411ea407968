"""TensorFlow and Keras are imported without what they do not need."""

from __future__ import annotations

import subprocess
import sys


def test_what_keras_does_not_need_is_not_imported_but_can_be_later() -> None:
    code = """
import gc, sys
from embedclf.model.light_imports import light_imports
with light_imports():
    import keras
assert gc.isenabled()
print([name for name in ("matplotlib", "pandas", "scipy", "sklearn") if name in sys.modules])
import pandas, sklearn.metrics
print(keras.ops.add(1, 2).numpy())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n3\n"
