"""Texts, labels, and a classifier that was fitted once."""

from __future__ import annotations

from typing import Any

import pytest

from embedclf import TextClassifier
from tests.conftest import reviews

TEXTS, LABELS = map(list, zip(*reviews(80), strict=True))

QUICK: dict[str, Any] = {
    "epochs": 4,
    "epochs_by": "validation",
    "refit": False,
    "embedding_dim": 4,
    "learning_rate": 0.05,
}
"""Parameters for few steps."""


def quick(**parameters: Any) -> TextClassifier:
    """A classifier that is fitted in a few steps."""
    return TextClassifier(**{**QUICK, **parameters})


@pytest.fixture(scope="session")
def fitted() -> TextClassifier:
    return quick().fit(TEXTS, LABELS)
