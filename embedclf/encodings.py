"""One table, read once and encoded anew wherever a trial reads texts in another way."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from embedclf.labels import Labels
from embedclf.preparation import check_validation, prepare_parts, read_training, with_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.data import Mask
    from embedclf.parts import Cut
    from embedclf.preparation import Prepared
    from embedclf.schema import Config

    Read = tuple[Cut, Mask]

Kept = TypeVar("Kept")

_OF_CUTTING = {"unit", "lowercase"}
"""Keys of `text` that tell how texts are cut; all others count when the tokens are known."""
_CUTS, _ENCODINGS = 2, 6
"""That are kept; they are on disk, and what was used last stays."""


class Encodings:
    """Training and validation rows of a config, for each way to read its texts.

    Each is what `preparation.prepare` would make, so that a trial is the training that the same
    config would be; the test table is never looked at.
    """

    def __init__(self, stack: ExitStack) -> None:
        """Begin with nothing read.

        Args:
            stack: Closes the scratch files.
        """
        self._stack = stack
        self._cuts: OrderedDict[str, Read] = OrderedDict()
        self._encodings: OrderedDict[str, Prepared] = OrderedDict()

    def prepared(self, config: Config) -> Prepared:
        """What a training by the config reads, but for its test table.

        Raises:
            DataError: A table cannot be used.
            ConfigError: The config names labels that are not there.
        """
        config = config.model_copy(update={"data": config.data.model_copy(update={"test": None})})
        key = config.text.model_dump_json()
        found = _kept(self._encodings, key, lambda: self._encode(config), _ENCODINGS)
        return with_config(found, config)

    def _encode(self, config: Config) -> Prepared:
        key = config.text.model_dump_json(include=_OF_CUTTING)
        cut, held_out = _kept(self._cuts, key, lambda: self._read(config), _CUTS)
        labels = Labels.fit(cut.rows.take(~held_out), config.data)
        with ExitStack() as stack:
            prepared, _ = prepare_parts(
                config,
                labels,
                cut,
                held_out.astype(np.int8),
                lambda: stack.enter_context(TemporaryFile()),
            )
        check_validation(prepared)
        return prepared

    def _read(self, config: Config) -> Read:
        return read_training(config, self._stack.enter_context(TemporaryFile()))


def _kept(known: OrderedDict[str, Kept], key: str, make: Callable[[], Kept], most: int) -> Kept:
    """What is known under a key, or made; what was not used for longest is forgotten."""
    if key not in known:
        known[key] = make()
    known.move_to_end(key)
    while len(known) > most:
        known.popitem(last=False)
    return known[key]
