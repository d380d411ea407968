"""Refitting: a new network trained on all rows, for as many epochs as were best without some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.errors import DataError, EmbedclfError, RunError
from embedclf.history import INTERRUPTED, Refit
from embedclf.initialization import initialize
from embedclf.preparation import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.checkpoints import Checkpoint
    from embedclf.history import Epoch, Resumed, Step
    from embedclf.initialization import Initial
    from embedclf.preparation import Prepared


@dataclass(frozen=True)
class Learned:
    """A network that was fitted, and what it was made from."""

    prepared: Prepared
    initial: Initial
    net: Any


def refit(
    validated: Learned,
    epochs: int,
    *,
    folder: Path,
    hashes: dict[str, str],
    tell: Callable[[Refit | Resumed | Step | Epoch], None],
    checkpoint: Checkpoint,
) -> Learned | str:
    """Train a new network on all rows; its vocabulary is that of all of them, too.

    Args:
        validated: The network that told how many epochs are best.
        epochs: How many these are.
        folder: Where scratch files are.
        hashes: SHA-256 of the tables that it was trained with.
        tell: Called with what begins, each step and each epoch.
        checkpoint: Where to keep how far it is.

    Returns:
        The new one, or why there is none: Ctrl-C, a table that is no longer what it was, a loss
        that is no longer a number, too little memory or room on the disk. What was learned before
        is no worse for that.

    Raises:
        RunError: The checkpoint is damaged.
    """
    from embedclf import backend, fitting, network

    config = validated.prepared.config
    try:
        prepared = prepare(config, folder, holds_out=False)
        if prepared.hashes() != hashes:
            raise DataError("a table has changed since the training began")
        tell(Refit(len(prepared.train), epochs))
        initial = initialize(prepared)
        backend.start(config.training.device, config.seed)
        net = network.begin(prepared, initial)
        fitting.fit_epochs(
            net,
            prepared,
            epochs=epochs,
            paces=initial.paces,
            tell=tell,
            checkpoint=checkpoint,
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    except RunError:
        raise
    except EmbedclfError as error:
        return " ".join(str(error).split())
    except MemoryError as error:
        return f"not enough memory: {error}"
    except OSError as error:
        return f"{error.filename or 'scratch files'}: {error.strerror}"
    return Learned(prepared, initial, net)
