"""The weights after a round: what all shards have changed, added up.

This is iterative parameter mixing (McDonald, Hall and Mann, Distributed Training Strategies for the
Structured Perceptron, 2010), or local SGD (Stich, Local SGD Converges Fast and Communicates Little,
2019), with sums instead of means. Few steps of a round use the same row of the embedding. A mean
over all shards would lose most of what these have learned. An accumulator of the optimizer becomes
what as many steps, one after the other, would have made of the same gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.training.steps.losses import RunningLoss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.cluster.training.rounds import Plan
    from embedclf.cluster.training.work_folder import WorkFolder
    from embedclf.config.schema import Config
    from embedclf.system.arrays import Floats


def merge_round(
    plan: Plan, number: int, results: Sequence[dict[str, Any]], loss: Sequence[float]
) -> list[float]:
    """Add up what all shards have changed in a round, in their order.

    Args:
        plan: Of the training.
        number: Of the round.
        results: What `train_round` has returned for each shard.
        loss: Of the epoch before the round, as `RunningLoss.totals`.

    Returns:
        The loss of the epoch so far, in the same form.
    """
    before, after = plan.weights(number), plan.weights(number + 1)

    def work() -> tuple[dict[str, Any], list[str]]:
        changes = _Changes(before, plan.config, [result["steps"] for result in results])
        total = RunningLoss("")
        for totals in (loss, *(result["loss"] for result in results)):
            total.merge(totals)
        files = [after.write_array(name, values) for name, values in changes.merge()]
        return {"loss": total.totals}, files

    so_far: list[float] = after.do("weights", work)["loss"]
    return so_far


def step_factors(own: Any, total: Any, decay: float) -> Floats:
    """Return what to multiply the changes of an accumulator by, before they are added up.

    After n steps of a moving average with the decay d, a shard has 1 - d^n of the mean of its
    gradients in it. All steps in a row would have 1 - d^N of the mean over all shards.

    Args:
        own: Steps of the shard: for each row (rows,), or a number.
        total: Steps of all shards.
        decay: 1 for a sum, which is added up as it is.
    """
    own, total = np.asarray(own, np.float64), np.maximum(np.asarray(total, np.float64), 1.0)
    if decay == 1.0:
        return np.ones(own.shape, np.float32)
    made = np.where(own > 0, 1.0 - decay**own, 1.0)
    factors: Floats = (own / total * (1.0 - decay**total) / made).astype(np.float32)
    return factors


class _Changes:
    """What the shards have changed in a round."""

    def __init__(self, folder: WorkFolder, config: Config, steps: Sequence[int]) -> None:
        from embedclf.model.optimizers import OPTIMIZERS

        self._folder, self._steps = folder, steps
        self._decays = OPTIMIZERS[config.training.optimizer].decays
        self._has_row_state = bool(self._decays) and config.model.trainable_embedding
        self._shards = [f"shard-{shard:06}" for shard in range(len(steps))]
        self._rows = [folder.map_array(f"{shard}-rows") for shard in self._shards]

    def merge(self) -> Iterator[tuple[str, Floats]]:
        """Yield the name and the new value of each variable, one at a time."""
        embedding = self._copy("embedding")
        for shard, rows in zip(self._shards, self._rows, strict=True):
            embedding[rows] += self._folder.map_array(f"{shard}-embedding")
        yield "embedding", embedding
        del embedding
        if self._has_row_state:
            yield "row_state", self._merge_row_state()
        index = 0
        while (self._folder.path / f"dense-{index}.npy").exists():
            yield f"dense-{index}", self._merge_vector(f"dense-{index}", 1.0)
            index += 1
        for index, decay in enumerate(self._decays):
            yield f"dense_state-{index}", self._merge_vector(f"dense_state-{index}", decay)

    def _merge_row_state(self) -> Floats:
        state = self._copy("row_state")
        width = state.shape[1] // len(self._decays)  # accumulators are side by side
        uses = [self._folder.map_array(f"{shard}-uses") for shard in self._shards]
        total = np.zeros(len(state), np.int64)
        for rows, counts in zip(self._rows, uses, strict=True):
            total[rows] += counts
        for shard, rows, counts in zip(self._shards, self._rows, uses, strict=True):
            change = self._folder.map_array(f"{shard}-row_state")
            for index, decay in enumerate(self._decays):
                columns = slice(index * width, (index + 1) * width)
                factors = step_factors(counts, total[rows], decay)
                state[rows, columns] += change[:, columns] * factors[:, None]
        return state

    def _merge_vector(self, name: str, decay: float) -> Floats:
        """Merge a variable without rows of ids, such as a kernel."""
        value, total = self._copy(name), sum(self._steps)
        for shard, steps in zip(self._shards, self._steps, strict=True):
            change = self._folder.map_array(f"{shard}-{name}")
            value += change * step_factors(steps, total, decay)
        return value

    def _copy(self, name: str) -> Floats:
        return np.array(self._folder.map_array(name))
