"""A second network, trained on all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.data.dataset import prepare_refit
from embedclf.errors import DataError, EmbedclfError, RunError
from embedclf.runs.history import INTERRUPTED, RefitStarted
from embedclf.training.fitting import FittedNetwork, fit_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.runs.history import Epoch, Resumed, Step
    from embedclf.training.checkpoints import Checkpoint


def refit(
    validated: FittedNetwork,
    *,
    directory: Path,
    hashes: dict[str, str],
    on_event: Callable[[RefitStarted | Resumed | Step | Epoch], None],
    checkpoint: Checkpoint,
) -> FittedNetwork | str:
    """Train a new network on all rows; its vocabulary is learned from all of them, too.

    Args:
        validated: The network whose best epoch is the number of epochs. Its training was not
            interrupted.
        directory: For scratch files.
        hashes: SHA-256 of the tables that `validated` was trained on.
        on_event: Called when the refit starts, with each step, and at the end of each epoch.
        checkpoint: Where to keep the state of the training, and to resume it from.

    Returns:
        The new network, or the reason why there is none: Ctrl-C, a changed table, a loss that is
        not finite, too little memory or disk space. The validated network can be saved all the
        same.

    Raises:
        RunError: The checkpoint is damaged.
    """
    epochs = validated.history.best_epoch
    try:
        dataset = prepare_refit(validated.dataset, directory)
        # The test table is read a second time; another program may have written to it since
        if dataset.hashes() != hashes:
            raise DataError("a table has changed since the training began")
        on_event(RefitStarted(len(dataset.train), epochs))
        return fit_network(dataset, refit_of=validated, on_event=on_event, checkpoint=checkpoint)
    except KeyboardInterrupt:
        return INTERRUPTED
    # Not a reason to save without a refit: that would remove the intact first checkpoint, too
    except RunError:
        raise
    except EmbedclfError as error:
        return " ".join(str(error).split())
    except MemoryError as error:
        return f"not enough memory: {error}"
    except OSError as error:
        return f"{error.filename or 'scratch files'}: {error.strerror}"
