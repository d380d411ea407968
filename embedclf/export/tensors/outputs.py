"""Names of what exports take and give."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedclf.model.classifier import Classifier

TEXTS, TOKEN_IDS, PROBABILITIES = "texts", "token_ids", "probabilities"


def label_output(classifier: Classifier) -> str:
    """Return the name of the output with the predicted labels."""
    return "labels" if classifier.labels.task == "multilabel" else "label"
