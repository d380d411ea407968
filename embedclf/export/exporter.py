"""What an export format has to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Floats
    from embedclf.system.fields import TextColumns


@dataclass(frozen=True)
class ExportOptions:
    """What to export, where a format has a choice."""

    input: str = "text"
    """`text`, or `ids` for a network alone."""
    max_loss: float = 0.1
    """Points of the score on the validation rows that a smaller run may lose."""


@dataclass(frozen=True)
class ExportSource:
    """A run, opened and checked."""

    run: Run
    classifier: Classifier
    """What the export must equal."""
    columns: TextColumns
    """That its texts are made of."""
    options: ExportOptions


class Scores(NamedTuple):
    """What an export computes for texts."""

    probabilities: Floats
    """(n, labels) of each label, calibrated; a binary task has both labels."""
    token_ids: list[list[int]] | None = None
    """Of each text, without padding, as `Tokenizer.encode` returns them; None if unknown."""


class Exporter(Protocol):
    """Writes classifiers in one format, and reads them back."""

    title: str
    """The format, for people."""

    def prepare(self, source: ExportSource) -> ExportSource:
        """Check that a run can be exported, before any work.

        Returns:
            The source; with another classifier if the export is not to equal that of the run.

        Raises:
            RequestError: It cannot be exported so; the message names the setting and a way out.
        """

    def write(self, source: ExportSource, folder: Path) -> dict[str, Any] | None:
        """Write the files of the export.

        Args:
            source: The run.
            folder: An empty folder, which gets its final name later.

        Returns:
            Facts for `embedclf.json` and for the template of `README.md`, such as the names of
            inputs; None if the files describe themselves.
        """

    def load(self, folder: Path, source: ExportSource) -> Callable[[Sequence[str]], Scores]:
        """Load the files as other programs do, and return what scores texts."""
