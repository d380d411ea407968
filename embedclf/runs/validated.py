"""The validation rows of a run that was refit, as the network before the refit scored them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.runs.classifier_files import (
    LABELS_FILE,
    read_labels,
    read_tokenizer,
    write_tokenizer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels
    from embedclf.model.classifier import Classifier
    from embedclf.model.probabilities import AnyLogits, AnyProbabilities
    from embedclf.runs.classifier_files import ClassifierFiles
    from embedclf.runs.writer import RunDraft
    from embedclf.system.arrays import Rows
    from embedclf.text.tokenizer import Tokenizer

LOGITS_FILE = "logits.npz"

_POSITIONS, _LOGITS = "positions", "logits"
"""Names of arrays in the file."""

_LAZY = ("features", "kernel", "bias")
"""Fields of `LazyLogits`: with many outputs, they are far fewer numbers than the logits."""


@dataclass(frozen=True)
class ValidatedRows:
    """The validation rows, scored by a network that has not seen them.

    The refit trains on these rows, so its own scores on them would be inflated.
    """

    tokenizer: Tokenizer
    """Of the training rows without these; n-grams are not stored."""
    labels: Labels
    """Of the training rows without these."""
    positions: Rows
    """(n,) in their table."""
    logits: AnyLogits
    """(n, outputs) before isotonic calibration."""

    def with_thresholds(self, thresholds: Sequence[float]) -> ValidatedRows:
        """Return the same rows with other thresholds: one per output, or none for 0.5."""
        return replace(self, labels=replace(self.labels, thresholds=tuple(thresholds)))

    def probabilities(self, classifier: Classifier, positions: Rows, name: str) -> AnyProbabilities:
        """Return the calibrated probabilities (n, outputs) of the rows.

        Args:
            classifier: After the refit; its calibration was learned before.
            positions: (n,) of the rows that are expected.
            name: Of these rows, for people.

        Raises:
            RunError: They are other rows.
        """
        self.require_positions(positions, name)
        return classifier.calibrate(classifier.probabilities(self.logits))

    def require_positions(self, positions: Rows, name: str) -> None:
        """Check that rows are those that the run was validated on.

        Args:
            positions: (n,) of the rows that are expected.
            name: Of these rows, for people.

        Raises:
            RunError: They are other rows.
        """
        import numpy as np

        if not np.array_equal(positions, self.positions):
            raise RunError(
                f"{name}: not the rows that the run was validated on; choose labeled rows with "
                "--data TABLE"
            )

    def write(self, draft: RunDraft) -> None:
        """Write them into a directory of a run."""
        import numpy as np  # here: commands that list runs do without NumPy

        from embedclf.model.probabilities import LazyLogits
        from embedclf.text.ngrams import Ngrams

        arrays: dict[str, Any] = {_POSITIONS: self.positions}
        if isinstance(self.logits, LazyLogits):
            arrays |= {name: getattr(self.logits, name) for name in _LAZY}
        else:
            arrays[_LOGITS] = self.logits
        write_tokenizer(draft, replace(self.tokenizer, ngrams=Ngrams()))
        draft.write_json(LABELS_FILE, self.labels.to_json())
        np.savez(draft.path / LOGITS_FILE, **arrays)

    @classmethod
    def read(cls, files: ClassifierFiles) -> ValidatedRows:
        """Read what `write` wrote; RunError if it is damaged."""
        from embedclf.model.probabilities import LazyLogits
        from embedclf.runs.contents.arrays import read_archive

        arrays = read_archive(
            files.map(LOGITS_FILE),
            files.directory / LOGITS_FILE,
            {_POSITIONS, _LOGITS},
            {_POSITIONS, *_LAZY},
        )
        logits: Any = arrays.get(_LOGITS)
        if logits is None:
            logits = LazyLogits(*(arrays[name] for name in _LAZY))
        validated = cls(read_tokenizer(files), read_labels(files), arrays[_POSITIONS], logits)
        if not validated._fits():
            raise files.damaged(LOGITS_FILE)
        return validated

    def _fits(self) -> bool:
        """Whether the arrays have the shapes that follow from each other and the labels."""
        from embedclf.model.probabilities import LazyLogits

        logits, rows, outputs = self.logits, len(self.positions), self.labels.outputs
        if self.positions.ndim != 1 or self.positions.dtype.kind not in "iu":
            return False
        if not isinstance(logits, LazyLogits):
            return logits.shape == (rows, outputs)
        width = len(logits.kernel)
        shapes = (logits.features.shape, logits.kernel.shape, logits.bias.shape)
        return shapes == ((rows, width), (width, outputs), (outputs,))
