"""What a training on a cluster can do, and what it must leave to a single machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.config.schema import Config


def cluster_config(config: Config) -> Config:
    """Return the config of a training on a cluster: its rows are held out by their texts.

    Raises:
        RequestError: The config asks for something that needs all rows on one machine.
    """
    for key, way_out in _unsupported(config):
        raise RequestError(f"--cluster: {key} needs all rows on one machine; {way_out}")
    if not isinstance(config.data.validation, float):
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"split": "hash"})})


_NEEDS_ALL_ROWS: dict[str, object] = {
    "data.weight": None,
    "data.unlabelled": None,
    "data.merge_label_forms": False,
    "model.vectors": "none",
    "training.refit": False,
    "training.epochs_by": "validation",
}
"""Keys, and the value that a training on a cluster supports."""


def _unsupported(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each setting that needs all rows, with what to do about it."""
    data = config.data
    for key in ("group", "time"):
        if isinstance(data.validation, float) and getattr(data, key) is not None:
            yield f"data.{key}", f"set data.validation to a table, or -s data.{key}=null"
    for key, supported in _NEEDS_ALL_ROWS.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section), name)
        if value != supported:
            written = "null" if supported is None else str(supported).lower()
            yield key, f"-s {key}={written} turns it off"
