"""The files of a classifier in a run: written, and read without TensorFlow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.system.files import map_file

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from embedclf.data.labels import Labels
    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.runs.writer import RunDraft
    from embedclf.text.tokenizer import Tokenizer

MODEL_FILE = "model.keras"
WEIGHTS_FILE = "weights.json"
"""Where the arrays of weights lie in `model.keras`. Missing before format 8."""

TOKENIZER_FILE = "text.json"
TOKENS_FILE = "tokens.arrow"
"""Before format 8, tokens and n-grams are in `text.json`."""

NGRAMS_FILE = "ngrams.arrow"
"""Missing if there are no n-grams."""

LABELS_FILE = "labels.json"
CALIBRATION_FILE = "calibration.json"
"""Missing unless the calibration is isotonic."""

_WRONG_PLACES = (
    f"{WEIGHTS_FILE}: does not fit {MODEL_FILE} and {TOKENS_FILE}; restore them or train again"
)


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
    names = {file.name for file in draft.path.iterdir()}
    return read_classifier(pooling, lambda name: map_file(draft.path / name)[0], names)


def read_classifier(
    pooling: str, read: Callable[[str], memoryview], names: Container[str]
) -> Classifier:
    """Load the classifier from the files of a run, finished or not.

    Args:
        pooling: Pooling of the network.
        read: Returns the content of a file by its name.
        names: Of the files that exist.

    Raises:
        RunError: The places of the weights do not fit the other files.
    """
    # Here: listing runs imports neither NumPy nor Arrow.
    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.model.stored_weights import map_weights, read_weights

    model, tokenizer = read(MODEL_FILE), read_tokenizer(read, names)
    if WEIGHTS_FILE in names:
        try:
            weights = map_weights(model, _read_json(read, WEIGHTS_FILE), pooling)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise RunError(_WRONG_PLACES) from error
        if len(weights.trained) != tokenizer.vocabulary_rows:
            raise RunError(_WRONG_PLACES)
    else:
        weights = read_weights(bytes(model), pooling)
    calibration = _read_json(read, CALIBRATION_FILE) if CALIBRATION_FILE in names else None
    return Classifier(
        tokenizer,
        read_labels(read),
        weights,
        None if calibration is None else Calibration.from_json(calibration),
    )


def read_labels(read: Callable[[str], memoryview]) -> Labels:
    """Read the labels of a classifier."""
    from embedclf.data.labels import Labels

    return Labels.from_json(_read_json(read, LABELS_FILE))


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


def read_tokenizer(read: Callable[[str], memoryview], names: Container[str]) -> Tokenizer:
    """Read the tokenizer of a classifier; arguments as for `read_classifier`."""
    import numpy as np

    from embedclf.system.arrow import read_columns, to_numpy
    from embedclf.text.ngrams import Ngrams
    from embedclf.text.tokenizer import Tokenizer

    values = _read_json(read, TOKENIZER_FILE)
    ngrams = values.get("ngrams", {"longest": 1})  # since format 2
    # Before format 8
    tokens, heads, tails = (values.get("tokens"), ngrams.get("heads", []), ngrams.get("tails", []))
    if TOKENS_FILE in names:
        tokens = read_columns(read(TOKENS_FILE))["token"].to_pylist()
    if NGRAMS_FILE in names:
        heads, tails = map(to_numpy, read_columns(read(NGRAMS_FILE)).values())
    pairs = (np.asarray(ids, np.int32) for ids in (heads, tails))
    return Tokenizer.from_json(values, tokens, Ngrams.from_pairs(ngrams["longest"], *pairs))


def _read_json(read: Callable[[str], memoryview], name: str) -> Any:
    return json.loads(bytes(read(name)))
