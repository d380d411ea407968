"""Forward passes: their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embedclf.model.backend import tf
from embedclf.model.forward_pass import ForwardPass, TokenBatch

GRADIENTS = {
    "average": tf.raw_ops.SparseSegmentMeanGrad,
    "sqrt": tf.raw_ops.SparseSegmentSqrtNGrad,
}


def gradient(pooling: str, vectors: Any, batch: TokenBatch, kernel: Any, slopes: Any) -> Any:
    """The gradient of the vectors, compiled as in a training step."""
    forward = ForwardPass(pooling, (), length=9, width=3, outputs=1, hidden=[])

    def compute() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            logits, _ = forward.logits(vectors, batch, [kernel, tf.zeros(1)], [])
        return tape.gradient(logits, vectors, slopes)

    return tf.function(compute, autograph=False)().numpy()


@pytest.mark.parametrize("pooling", GRADIENTS)
def test_a_single_output_has_tensorflows_gradient_to_the_last_bit(pooling: str) -> None:
    rng, used, lengths = np.random.default_rng(3), 25, [4, 0, 700, 1, 33, 0]
    vectors, kernel, slopes = (
        tf.constant(rng.standard_normal(shape).astype(np.float32))
        for shape in ((used, 3), (3, 1), (len(lengths), 1))
    )
    places = tf.constant(rng.integers(0, used, sum(lengths)).astype(np.int32))
    segments = tf.constant(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths))
    batch = TokenBatch(tf.range(used), places, segments, tf.constant(len(lengths)))
    expected = GRADIENTS[pooling](
        grad=slopes, indices=places, segment_ids=segments, output_dim0=used
    )
    assert np.array_equal(
        gradient(pooling, vectors, batch, kernel, slopes),
        (expected @ tf.transpose(kernel)).numpy(),
    )
