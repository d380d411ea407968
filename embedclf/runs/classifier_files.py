"""The files of a classifier in a run: written, and read without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from embedclf.config.token_patterns import CLASSIC, find_pattern_fault
from embedclf.errors import RunError
from embedclf.runs.contents.classifier import Curve, LabelsFile, NgramsFacts, TextFile, WeightsFile
from embedclf.runs.contents.values import convert
from embedclf.runs.sealed_json import parse_json
from embedclf.system.files import map_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.data.labels import Labels
    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.model.weights import Weights
    from embedclf.runs.writer import RunDraft
    from embedclf.text.tokenizer import Tokenizer

T = TypeVar("T")

MODEL_FILE = "model.keras"
WEIGHTS_FILE = "weights.json"
"""Where the arrays of weights lie in `model.keras`. Missing before format 8."""

TOKENIZER_FILE = "text.json"
TOKENS_FILE = "tokens.arrow"
"""Before format 8, tokens and n-grams are in `text.json`."""

NGRAMS_FILE = "ngrams.arrow"
"""Missing if there are no n-grams."""

EMBEDDING_FILE = "embedding.arrow"
"""In a compact run instead of `model.keras`: its embedding, whose step is in `weights.json`."""

KERNELS_FILE = "kernels.arrow"
"""In a compact run: the kernels of the dense layers, whose shapes are in `weights.json`."""

NGRAM_KEYS_FILE = "ngram-keys.arrow"
"""In a compact run instead of `ngrams.arrow`."""

LABELS_FILE = "labels.json"
CALIBRATION_FILE = "calibration.json"
"""Missing unless the calibration is isotonic."""

CLASSIFIER_FILES = (
    MODEL_FILE,
    WEIGHTS_FILE,
    TOKENIZER_FILE,
    TOKENS_FILE,
    NGRAMS_FILE,
    LABELS_FILE,
    CALIBRATION_FILE,
)


@dataclass(frozen=True)
class ClassifierFiles:
    """The files of a classifier, finished or not."""

    directory: Path
    names: frozenset[str]
    map: Callable[[str], memoryview]
    """Returns the content of a file by its name."""

    @classmethod
    def of(cls, directory: Path) -> ClassifierFiles:
        """Return the files in a directory, which are not compared with any checksum."""
        names = frozenset(file.name for file in directory.iterdir())
        return cls(directory, names, lambda name: map_file(directory / name)[0])

    def read_json(self, name: str, kind: type[T]) -> T:
        """Read the values of a file, as a type of `embedclf.runs.contents`.

        Raises:
            RunError: It is damaged.
        """
        file = self.directory / name
        return convert(parse_json(self.map(name), file), kind, file)

    def damaged(self, name: str) -> RunError:
        """Return the error for a file that does not fit the others."""
        fault = "damaged, or does not fit the other files"
        return RunError(f"{self.directory / name}: {fault}; restore it or train again")


def write_classifier(
    draft: RunDraft,
    network: Any,
    pooling: str,
    tokenizer: Tokenizer,
    labels: Labels,
    calibration: Calibration | None,
) -> Classifier:
    """Write the files of a classifier.

    Args:
        draft: The run that is being written.
        network: A `keras.Model`.
        pooling: Pooling of the network.
        tokenizer: Of the texts that it was trained on.
        labels: That it predicts.
        calibration: Of its probabilities.

    Returns:
        The classifier that is read from the files, so that what is measured with it is what users
        get.
    """
    from embedclf.model.stored_weights import save_network

    if calibration is not None:
        draft.write_json(CALIBRATION_FILE, calibration.to_json())
    write_tokenizer(draft, tokenizer)
    draft.write_json(LABELS_FILE, labels.to_json())
    draft.write_json(WEIGHTS_FILE, save_network(network, draft.path / MODEL_FILE))
    return read_classifier(pooling, ClassifierFiles.of(draft.path))


def read_classifier(pooling: str, files: ClassifierFiles) -> Classifier:
    """Load the classifier from the files of a run, finished or not.

    Args:
        pooling: Pooling of the network.
        files: Of the run, or of the classifier before its refit.

    Raises:
        RunError: A file is damaged, or does not fit the others.
    """
    # Here: listing runs imports neither NumPy nor Arrow.
    from embedclf.model.classifier import Classifier

    tokenizer, labels = read_tokenizer(files), read_labels(files)
    weights = _read_weights(pooling, files)
    if not _fit(weights, tokenizer, labels):
        raise files.damaged(EMBEDDING_FILE if EMBEDDING_FILE in files.names else MODEL_FILE)
    calibration = _read_calibration(files, labels) if CALIBRATION_FILE in files.names else None
    return Classifier(tokenizer, labels, weights, calibration)


def read_labels(files: ClassifierFiles) -> Labels:
    """Read the labels of a classifier.

    Raises:
        RunError: The file is damaged.
    """
    from embedclf.data.labels import Labels

    values = files.read_json(LABELS_FILE, LabelsFile)
    names = values["names"]
    lengths = {len(names), len(values["counts"]), len(values.get("weights") or names)}
    is_binary = values["task"] == "binary"
    if lengths != {len(set(names))} or (is_binary and len(names) != 2):
        raise files.damaged(LABELS_FILE)
    return Labels.from_json(dict(values))


def write_tokenizer(draft: RunDraft, tokenizer: Tokenizer) -> None:
    """Write the files of a tokenizer."""
    from embedclf.system.arrow import number_column, text_column, write_columns

    ngrams = tokenizer.ngrams
    draft.write_json(TOKENIZER_FILE, tokenizer.to_json() | {"ngrams": {"longest": ngrams.max_n}})
    tokens = write_columns({"token": text_column(tokenizer.tokens)})
    draft.write_bytes(TOKENS_FILE, tokens)
    if len(ngrams):
        pairs = {"head": number_column(ngrams.heads), "tail": number_column(ngrams.tails)}
        draft.write_bytes(NGRAMS_FILE, write_columns(pairs))


def read_tokenizer(files: ClassifierFiles) -> Tokenizer:
    """Read the tokenizer of a classifier; RunError if it is damaged."""
    import numpy as np

    from embedclf.runs.contents.arrays import read_numbers, read_tokens
    from embedclf.text.ngrams import Ngrams
    from embedclf.text.tokenizer import Tokenizer

    values = files.read_json(TOKENIZER_FILE, TextFile)
    no_ngrams: NgramsFacts = {"longest": 1}
    ngrams = values.get("ngrams", no_ngrams)  # since format 2
    # Before format 8
    tokens = values.get("tokens", [])
    pairs: list[Any] = [ngrams.get(key, []) for key in ("heads", "tails")]
    if TOKENS_FILE in files.names:
        tokens = read_tokens(files.map(TOKENS_FILE), files.directory / TOKENS_FILE)
    if NGRAMS_FILE in files.names:
        place = files.directory / NGRAMS_FILE
        pairs = read_numbers(files.map(NGRAMS_FILE), place, "head", "tail")
    if NGRAM_KEYS_FILE in files.names:
        from embedclf.runs.compact_files import read_ngram_pairs

        pairs = read_ngram_pairs(files)
    fault = find_pattern_fault(values.get("token_pattern", CLASSIC))
    if fault or values.get("vector_words", 0) > len(tokens):
        raise files.damaged(TOKENIZER_FILE)
    heads, tails = (np.asarray(ids, np.int32) for ids in pairs)
    try:
        found = Ngrams.from_pairs(ngrams["longest"], heads, tails)
        tokenizer = Tokenizer.from_json(values, tokens, found)
    except ValueError as error:
        raise files.damaged(TOKENIZER_FILE) from error
    ids = np.arange(tokenizer.first_ngram_id, tokenizer.vocabulary_rows)
    # An n-gram that begins with itself would have no end
    if (heads >= ids).any() or (tails >= tokenizer.first_ngram_id).any():
        raise files.damaged(TOKENIZER_FILE)
    return tokenizer


def _read_weights(pooling: str, files: ClassifierFiles) -> Weights:
    if EMBEDDING_FILE in files.names:
        from embedclf.runs.compact_files import read_quantized

        return read_quantized(pooling, files).restore()
    from embedclf.model.stored_weights import map_weights, read_weights

    model = files.map(MODEL_FILE)
    try:
        if WEIGHTS_FILE not in files.names:
            return read_weights(bytes(model), pooling)
        return map_weights(model, dict(files.read_json(WEIGHTS_FILE, WeightsFile)), pooling)
    except (IndexError, ValueError) as error:
        raise files.damaged(MODEL_FILE) from error


def _fit(weights: Weights, tokenizer: Tokenizer, labels: Labels) -> bool:
    """Whether weights are finite, and have a row for each id, and an output for each label."""
    from embedclf.runs.contents.arrays import is_finite

    kept = () if weights.kept is None else (weights.kept,)
    tables, layers = (weights.trained, *kept), weights.dense
    if any(table.ndim != 2 for table in tables) or any(k.ndim != 2 for k, _ in layers):
        return False
    width = sum(table.shape[1] for table in tables)
    if weights.pooling == "flatten":
        width *= tokenizer.input_length
    sizes = [width, *(len(bias) for _, bias in layers)]
    return (
        len(weights.trained) == tokenizer.vocabulary_rows
        and all(len(table) == tokenizer.first_ngram_id for table in kept)
        and [kernel.shape for kernel, _ in layers] == list(pairwise(sizes))
        and sizes[-1] == labels.outputs
        and all(map(is_finite, (*tables, *chain.from_iterable(layers))))
    )


def _read_calibration(files: ClassifierFiles, labels: Labels) -> Calibration:
    from embedclf.model.classifier import Calibration

    curves = files.read_json(CALIBRATION_FILE, list[Curve])
    knots = [(curve["said"], curve["true"]) for curve in curves]
    rising = all(sorted(said) == said and len(said) == len(true) for said, true in knots)
    if not rising or len(curves) != labels.outputs:
        raise files.damaged(CALIBRATION_FILE)
    return Calibration.from_json(curves)
