"""suspects: rows that are probably mislabelled."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.audit.confident_learning import confident_joint, rank, rank_several, with_equal_texts
from embedclf.data.labeled import read_labeled
from embedclf.data.scratch import TextsFile
from embedclf.errors import DataError, RequestError
from embedclf.inference.outputs import open_output
from embedclf.inference.serialization import DECIMALS
from embedclf.system.arrow import BATCH_ROWS, number_column, text_column
from embedclf.system.formats import kind_of
from embedclf.training.cross_fitting import out_of_fold, read_folds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.audit.confident_learning import RankedSuspects, Shares
    from embedclf.config.schema import Config
    from embedclf.inference.outputs import Output
    from embedclf.training.cross_fitting import Folds, Told

COLUMNS = ("line", "given", "likely", "probability_given", "probability_likely", "text")


@dataclass(frozen=True)
class LabelNoise:
    """How many rows of one label are estimated to carry another."""

    given: str
    likely: str
    rows: int


@dataclass(frozen=True)
class LabelErrors:
    """What there is to know about the labels of a table."""

    path: str
    rows: int
    """Valid ones, all of them examined."""
    task: str
    folds: int
    suspects: int
    """Rows for which another label is likelier than their own."""
    mislabelled: int
    """Estimated from the confident joint; of several labels a row, labels and not rows."""
    noise: tuple[LabelNoise, ...]
    """The same by pair of labels, most rows first."""
    first: list[dict[str, Any]]
    """The most suspect rows, keyed by `COLUMNS`."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def find_label_errors(
    config: Config,
    *,
    folds: int,
    shown: int,
    output: Path | None = None,
    on_event: Callable[[Told], None] = lambda _told: None,
) -> LabelErrors:
    """Find the rows of the training table whose label is probably wrong.

    All valid rows are examined, those that training would validate on too: each gets the
    probabilities of a network trained without it, and, where its text is there more than once, the
    others' labels beside them.

    Args:
        config: What to train on and how; the test table is not read.
        folds: How many networks are trained, each without its share of the rows.
        shown: How many of the most suspect rows to return.
        output: Table for all of them; it is there when it is whole.
        on_event: Called with what there is to say on the way.

    Raises:
        DataError: The table cannot be used, has changed meanwhile, or the output cannot be written.
        ConfigError: A file is not there.
        RequestError: The output is the training table.
        TrainingError: The device is not there, or a loss is no longer a number.
        KeyboardInterrupt: Ctrl-C; nothing is left.
    """
    with ExitStack() as stack:
        writer = None
        if output is not None:
            _refuse_own(output, config)
            writer = stack.enter_context(open_output(output, kind_of(output), COLUMNS))
        read = stack.enter_context(read_folds(config, folds))
        before = _stamp(config.data.train)
        probabilities = out_of_fold(read, on_event)
        if _stamp(config.data.train) != before:
            raise DataError(f"{config.data.train}: has changed meanwhile; run the command again")
        shares = with_equal_texts(
            read.labels.shares(probabilities), read.targets, read.tokenized.keys
        )
        several = read.labels.task == "multilabel"
        ranked = (rank_several if several else rank)(read.targets, shares)
        most = len(ranked) if writer else min(shown, len(ranked))
        rows = stack.enter_context(TemporaryFile())
        listed = _Listed(read, ranked, most, TextsFile(rows))
        if writer is not None:
            listed.write(writer)
        return _found(read, shares, ranked, listed.batch(0, min(shown, most)).to_pylist())


def _refuse_own(output: Path, config: Config) -> None:
    """Predictions keep the rows of their table and may replace it; suspects do not."""
    if output.resolve() == config.data.train.resolve():
        raise RequestError(f"-o {output}: is the training table itself; name another")


def _stamp(path: Path) -> tuple[int, int]:
    """What is another when a file has changed."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


class _Listed:
    """The most suspect rows as they stand in the table, read from it once."""

    def __init__(self, read: Folds, ranked: RankedSuspects, most: int, texts: TextsFile) -> None:
        self._read, self._ranked = read, ranked
        table, config = read.tokenized.rows.table, read.config.data
        rows = ranked.rows[:most]
        chosen = np.zeros(len(read), np.bool_)
        chosen[rows] = True
        again = read_labeled(config.train, config, lambda part: part, texts.append, only=chosen)
        self._texts = texts.reader()
        self._numbers = np.searchsorted(np.sort(rows), rows)  # (most,) place among those chosen
        self._lines = np.array(table.numbers(again.rows.tolist()), np.int64)

    def write(self, output: Output) -> None:
        """Write all of them, ranked."""
        for start in range(0, max(1, len(self._numbers)), BATCH_ROWS):
            output.write(output.render(self.batch(start, start + BATCH_ROWS), None))

    def batch(self, start: int, end: int) -> pa.RecordBatch:
        """Those of some ranks, as rows of the columns."""
        numbers = self._numbers[start:end]
        of = slice(start, start + len(numbers))
        given, likely = self._names(of)
        shares = (self._ranked.probability_given[of], self._ranked.probability_likely[of])
        columns = [
            number_column(self._lines[numbers]),
            text_column(given),
            text_column(likely),
            *(number_column(np.round(one, DECIMALS)) for one in shares),
            self._texts(numbers),
        ]
        return pa.RecordBatch.from_arrays(columns, COLUMNS)

    def _names(self, of: slice) -> tuple[list[str], list[str]]:
        """The labels given and the likely ones; of several, joined as predictions are."""
        names, ranked = self._read.labels.names, self._ranked
        if ranked.label is None:
            sides = (ranked.given[of].tolist(), ranked.likely[of].tolist())
            return [names[label] for label in sides[0]], [names[label] for label in sides[1]]
        separator = self._read.config.data.label_separator or "|"
        flags = self._read.targets[ranked.rows[of]]
        meant = flags.copy()
        meant[np.arange(len(flags)), ranked.label[of]] = ranked.likely[of]
        given, likely = (
            [separator.join(names[label] for label in np.flatnonzero(row)) for row in side]
            for side in (flags, meant)
        )
        return given, likely


def _found(
    read: Folds, shares: Shares, ranked: RankedSuspects, first: list[dict[str, Any]]
) -> LabelErrors:
    noise = sorted(_noise(read, shares), key=lambda pair: -pair[2])
    return LabelErrors(
        path=str(read.config.data.train),
        rows=len(read),
        task=read.labels.task,
        folds=read.count,
        suspects=len(ranked),
        mislabelled=round(sum(rows for *_, rows in noise)),
        noise=tuple(
            LabelNoise(given, likely, round(rows)) for given, likely, rows in noise if rows >= 0.5
        ),
        first=first,
    )


def _noise(read: Folds, shares: Shares) -> list[tuple[str, str, float]]:
    """Given label, likely label, estimated rows; of several labels, each against its absence."""
    names, targets = read.labels.names, read.targets
    if read.labels.task != "multilabel":
        joint = confident_joint(targets, shares)
        pairs = np.argwhere(joint * (1 - np.eye(len(names))) > 0).tolist()
        return [
            (names[given], names[likely], float(joint[given, likely])) for given, likely in pairs
        ]
    found = []
    for label, name in enumerate(names):
        present = shares[:, label]
        joint = confident_joint(targets[:, label], np.stack([1 - present, present], axis=1))
        found += [
            (f"no {name}", name, float(joint[0, 1])),
            (name, f"no {name}", float(joint[1, 0])),
        ]
    return found
