"""The formats, and where each is written. Other programs' packages are imported when needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from embedclf.errors import needs_extra

if TYPE_CHECKING:
    from embedclf.export.exporter import Exporter


class Format(NamedTuple):
    """A format of models."""

    exporter: str
    """Module and class."""
    needs: tuple[str, ...] = ()
    """Packages that must be installed, to write it or to prove it."""
    extra: str = ""
    """The extra of embedclf that installs them."""
    options: tuple[str, ...] = ()
    """Names of `ExportOptions` that it heeds."""
    starts_tensorflow: bool = False
    """Whether it needs TensorFlow, which takes seconds to start."""


FORMATS = {
    "onnx": Format(
        "embedclf.export.onnx.exporter:OnnxExporter", ("onnx", "onnxruntime"), "onnx", ("input",)
    ),
    "js": Format("embedclf.export.javascript.exporter:JavaScriptExporter"),
    "savedmodel": Format(
        "embedclf.export.tensorflow.savedmodel:SavedModelExporter", starts_tensorflow=True
    ),
    "litert": Format(
        "embedclf.export.tensorflow.litert:LiteRtExporter",
        ("ai_edge_litert",),
        "litert",
        starts_tensorflow=True,
    ),
    "compact": Format("embedclf.export.compact.exporter:CompactExporter", options=("max_loss",)),
}

VECTOR_FORMATS = ("word2vec", "tsv", "npz", "parquet")
"""The formats of vectors alone."""


def open_exporter(name: str) -> Exporter:
    """Return the exporter of a format.

    Raises:
        RequestError: A package that it needs is not installed.
    """
    chosen = FORMATS[name]
    with needs_extra(chosen.extra, f"--format {name}"):
        for package in chosen.needs:
            import_module(package)
    module, name_in_module = chosen.exporter.split(":")
    return cast("Exporter", getattr(import_module(module), name_in_module)())
