"""One network for several trainings, which use it in turn."""

from __future__ import annotations

from contextlib import closing
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from embedclf.model.variable_values import read_variables, write_variables
from embedclf.training.loop import TrainingLoop
from embedclf.training.steps.step_trainer import StepTrainer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from embedclf.data.dataset import Dataset
    from embedclf.runs.history import Epoch
    from embedclf.training.steps.train_step import TrainSteps

_MEMORY_BYTES = 1 << 23
"""A larger state of a training goes to disk."""


class SharedNetwork:
    """Holds the weights of the training whose turn it is; those of the others are in files.

    Side by side, five networks with a million n-grams took 1.3 GB.
    """

    def __init__(
        self,
        begin: Callable[[Dataset, TrainSteps | None], TrainSteps],
        raise_requested: Callable[[], None],
    ) -> None:
        """Start without a network.

        Args:
            begin: Returns the steps of a new training, of a new network or, if there are steps, of
                theirs. It assigns all weights that differ between trainings.
            raise_requested: Called often during an epoch; may raise.
        """
        self._begin, self._raise_requested = begin, raise_requested
        self._steps: TrainSteps | None = None
        self._first_state = _new_file()
        self._current: IO[bytes] | None = None

    def close(self) -> None:
        """Remove what is stored."""
        self._first_state.close()

    def train(self, dataset: Dataset) -> Generator[Epoch]:
        """Train on a dataset; yield each epoch. Other trainings can advance in between."""
        with _new_file() as state:
            steps = self._begin_turn(dataset, state)
            try:
                loop = TrainingLoop(StepTrainer(steps, dataset), dataset, keeps_best=False)
                with closing(loop.epochs(self._raise_requested)) as epochs:
                    while True:
                        self._switch_to(state)
                        epoch = next(epochs, None)
                        if epoch is None:
                            return
                        yield epoch
            finally:
                if self._current is state:
                    self._current = None  # nobody needs the weights

    def _begin_turn(self, dataset: Dataset, state: IO[bytes]) -> TrainSteps:
        if self._steps is None:
            steps = self._steps = self._begin(dataset, None)
            write_variables(self._first_state, steps.variables)
        else:
            self._store()
            # Kernels, optimizer and dropout begin as those of the first training
            read_variables(self._first_state, self._steps.variables)
            steps = self._begin(dataset, self._steps)
        self._current = state
        return steps

    def _switch_to(self, state: IO[bytes]) -> None:
        if self._current is not state and self._steps is not None:
            self._store()
            read_variables(state, self._steps.variables)
            self._current = state

    def _store(self) -> None:
        if self._current is not None and self._steps is not None:
            write_variables(self._current, self._steps.variables)


def _new_file() -> Any:
    return SpooledTemporaryFile(_MEMORY_BYTES)
