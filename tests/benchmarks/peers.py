"""Tools to use instead: scripts that a benchmark times as whole processes.

python tests/benchmarks/peers.py COMMAND FILE...
"""

from __future__ import annotations

import csv
import json
import pickle
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

csv.field_size_limit(2**31 - 1)
WORD, CHARACTER = re.compile(r"\w+"), re.compile(r"\S")
DEFAULT_WORD = r"(?u)\b\w\w+\b"
"""The default of scikit-learn: words of one letter are left out."""
MANY_CELLS = 10_000_000
"""Rows times labels beyond which logistic regression is fitted by steps."""


def fasttext_lines(table: str, lines: str, unit: str = "word", separator: str = "") -> None:
    """Write a table of text and label, or labels with a separator, as fastText reads it."""
    token = WORD if unit == "word" else CHARACTER
    with (
        Path(table).open(encoding="utf-8", newline="") as rows,
        Path(lines).open("w", encoding="utf-8") as out,
    ):
        for row in csv.DictReader(rows):
            words = " ".join(token.findall(row["text"].lower()))
            labels = row["label"].split(separator) if separator else [row["label"]]
            marks = " ".join(f"__label__{label.replace(' ', '_')}" for label in labels)
            out.write(f"{marks} {words}\n")


def fasttext_f1(lines: str, answers: str) -> None:
    """Print the micro-averaged F1 of labels that `fasttext predict -1 0.5` gave."""
    hits = given = wanted = 0
    with (
        Path(lines).open(encoding="utf-8") as rows,
        Path(answers).open(encoding="utf-8") as answered,
    ):
        for row, answer in zip(rows, answered, strict=True):
            right = {word for word in row.split() if word.startswith("__label__")}
            labels = set(answer.split())
            hits, given, wanted = (
                hits + len(right & labels),
                given + len(labels),
                wanted + len(right),
            )
    print(json.dumps({"score": 2 * hits / max(given + wanted, 1)}))


def tfidf_score(
    train: str, test: str, ngrams: str, unit: str, separator: str, model: str = ""
) -> None:
    """Fit TF-IDF of n-grams and logistic regression; print accuracy, or micro-averaged F1.

    The settings do well in general: sublinear counts, no n-gram that occurs only once, and C = 10.
    For many rows times labels, the solver would need hours; there the same loss is minimized by
    stochastic gradient descent. With a path for the model, it is saved. Printed, too: the seconds
    of reading and scoring the test table, by the clock and of the CPU.
    """
    import pandas as pd
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    rows = pd.read_csv(train, dtype=str, keep_default_na=False)
    marks = MultiLabelBinarizer() if separator else None
    fitted = _fit_tfidf(rows, int(ngrams), unit, separator, marks)
    if model:
        Path(model).write_bytes(pickle.dumps((fitted, marks)))
    began = time.perf_counter(), time.process_time()
    rows = pd.read_csv(test, dtype=str, keep_default_na=False)
    predicted = fitted.predict(rows["text"])
    if marks is None:
        score = accuracy_score(rows["label"], predicted)
    else:
        labels = marks.transform(rows["label"].str.split(separator, regex=False))
        score = f1_score(labels, predicted, average="micro")
    seconds, cpu_seconds = time.perf_counter() - began[0], time.process_time() - began[1]
    print(json.dumps({"score": float(score), "seconds": seconds, "cpu_seconds": cpu_seconds}))


def _fit_tfidf(rows: Any, ngrams: int, unit: str, separator: str, marks: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    labels = rows["label"]
    model: Any = LogisticRegression(max_iter=1000, C=10)
    if separator:
        labels = marks.fit_transform(labels.str.split(separator, regex=False))
        model = OneVsRestClassifier(model)
    elif len(rows) * labels.nunique() > MANY_CELLS:
        model = SGDClassifier(loss="log_loss", alpha=1 / (10 * len(rows)), n_jobs=-1)
    patterns = {"word": WORD.pattern, "character": CHARACTER.pattern, "default": DEFAULT_WORD}
    vectorize = TfidfVectorizer(
        ngram_range=(1, ngrams), sublinear_tf=True, min_df=2, token_pattern=patterns[unit]
    )
    return make_pipeline(vectorize, model).fit(rows["text"], labels)


def tfidf_fit(table: str, model: str) -> None:
    """Fit TF-IDF and logistic regression with scikit-learn's defaults."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    Path(model).write_bytes(pickle.dumps(fitted.fit(rows["text"], rows["label"])))


def tfidf_accuracy(train: str, test: str) -> None:
    """Fit the same and print its accuracy on a test table; both count, since both take time."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    tables = (pd.read_csv(table, dtype=str, keep_default_na=False) for table in (train, test))
    rows, others = tables
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    fitted.fit(rows["text"], rows["label"])
    accuracy = (fitted.predict(others["text"]) == others["label"]).mean()
    print(json.dumps({"accuracy": float(accuracy)}))


def keras_classic(train: str, validation: str, *sizes: str) -> None:
    """Fit Embedding, Flatten, Dense on two labels as tutorials have it.

    Prints the best accuracy of any epoch, and rows a second from the second on.
    """
    import keras
    import pandas as pd
    import tensorflow as tf

    vocabulary_size, sequence_length, embedding_dim, epochs = map(int, sizes)
    tables = [pd.read_csv(table, dtype=str, keep_default_na=False) for table in (train, validation)]
    vectorize = keras.layers.TextVectorization(
        max_tokens=vocabulary_size, output_sequence_length=sequence_length
    )
    vectorize.adapt(tf.constant(tables[0]["text"].to_list()))
    names = sorted(tables[0]["label"].unique())

    def rows(table: pd.DataFrame) -> tuple[Any, Any]:
        ids = vectorize(tf.constant(table["text"].to_list())).numpy()
        return ids, (table["label"] == names[1]).to_numpy()

    (ids, goals), held_out = map(rows, tables)
    model = keras.Sequential(
        [
            keras.Input((sequence_length,), dtype="int32"),
            keras.layers.Embedding(vocabulary_size, embedding_dim),
            keras.layers.Flatten(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda _epoch, _logs: ends.append(time.perf_counter())
    )
    history = model.fit(
        ids,
        goals,
        validation_data=held_out,
        batch_size=32,
        epochs=epochs,
        verbose=0,
        callbacks=[clock],
    )
    speed = len(ids) * (epochs - 1) / (ends[-1] - ends[0])
    accuracy = max(history.history["val_accuracy"])
    print(json.dumps({"rows_per_second": speed, "accuracy": accuracy}))


def tfidf_predict(model: str, table: str, output: str) -> None:
    """Add predictions and probabilities to a table."""
    import pandas as pd

    fitted = pickle.loads(Path(model).read_bytes())  # noqa: S301 - written by this benchmark
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    probabilities = fitted.predict_proba(rows["text"])
    rows["prediction"] = fitted.classes_[probabilities.argmax(axis=1)]
    rows["probability"] = probabilities.max(axis=1)
    rows.to_csv(output, index=False)


def keras_predict(run: str, table: str, output: str) -> None:
    """Add the probabilities of a run's network to a table by Keras itself."""
    import keras
    import numpy as np
    import pandas as pd

    text = json.loads((Path(run) / "text.json").read_text(encoding="utf-8"))
    tokens = pd.read_feather(Path(run) / "tokens.arrow")["token"]
    id_of = {token: number for number, token in enumerate(tokens, start=2)}
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    ids = np.zeros((len(rows), text["sequence_length"]), np.int32)
    for row, cell in enumerate(rows["text"]):
        words = WORD.findall(cell.lower())[: ids.shape[1]]
        ids[row, : len(words)] = [id_of.get(word, 1) for word in words]
    network = keras.models.load_model(Path(run) / "model.keras")
    rows["probability"] = network.predict(ids, batch_size=512, verbose=0)[:, 0]
    rows.to_csv(output, index=False)


COMMANDS: dict[str, Callable[..., None]] = {
    "fasttext-lines": fasttext_lines,
    "fasttext-f1": fasttext_f1,
    "tfidf-score": tfidf_score,
    "tfidf-fit": tfidf_fit,
    "tfidf-accuracy": tfidf_accuracy,
    "keras-classic": keras_classic,
    "tfidf-predict": tfidf_predict,
    "keras-predict": keras_predict,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
