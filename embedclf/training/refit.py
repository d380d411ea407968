"""A second network on all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.data.dataset import prepare_dataset
from embedclf.errors import DataError, EmbedclfError, RunError
from embedclf.runs.history import INTERRUPTED, RefitStarted
from embedclf.training.finishing import FittedNetwork
from embedclf.training.initialization import initialize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.runs.history import Epoch, Resumed, Step
    from embedclf.training.checkpoints import Checkpoint


def refit(
    validated: FittedNetwork,
    epochs: int,
    *,
    folder: Path,
    hashes: dict[str, str],
    on_event: Callable[[RefitStarted | Resumed | Step | Epoch], None],
    checkpoint: Checkpoint,
) -> FittedNetwork | str:
    """Train a new network on all rows; its vocabulary is that of all of them, too.

    Args:
        validated: The network that told how many epochs are best.
        epochs: How many these are.
        folder: Where scratch files are.
        hashes: SHA-256 of the tables that it was trained with.
        on_event: Called with what begins, each step and each epoch.
        checkpoint: Where to keep how far it is.

    Returns:
        The new one, or why there is none: Ctrl-C, a table that is no longer what it was, a loss
        that is no longer a number, too little memory or room on the disk. What was learned before
        is no worse for that.

    Raises:
        RunError: The checkpoint is damaged.
    """
    from embedclf.model import backend
    from embedclf.training import fitting

    config = validated.dataset.config
    try:
        dataset = prepare_dataset(config, folder, holds_out=False)
        if dataset.hashes() != hashes:
            raise DataError("a table has changed since the training began")
        on_event(RefitStarted(len(dataset.train), epochs))
        initial = initialize(dataset)
        backend.start(config.training.device, config.seed)
        net = fitting.begin(dataset, initial)
        fitting.fit_epochs(
            net,
            dataset,
            epochs=epochs,
            row_learning_rates=initial.row_learning_rates,
            on_event=on_event,
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
    return FittedNetwork(dataset, initial, net)
