"""The estimator: fit and predict texts as scikit-learn's classifiers do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from embedclf.autoconfig.columns.roles import UnclearColumnError
from embedclf.autoconfig.resolve import resolve
from embedclf.config.schema import SECTIONS
from embedclf.errors import ConfigError, DataError
from embedclf.estimator.explanations import TextExplanation
from embedclf.estimator.parameters import (
    complete,
    make_config,
    parameters_of,
    with_parameters,
)
from embedclf.estimator.rows import TextRows, texts_to_predict
from embedclf.estimator.run_files import RunFiles, opened, read_run, write_run
from embedclf.estimator.runs import train_config, written_table
from embedclf.estimator.targets import RowLabels, label_name, label_sets, output_order
from embedclf.inference.explain import explain
from embedclf.runs.selection import locate_run
from embedclf.system.arrow import text_column
from embedclf.system.fields import TextColumns
from embedclf.tables.files import display_tables

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    from embedclf.config.schema import Config
    from embedclf.data.labels import Probabilities
    from embedclf.estimator.rows import Column
    from embedclf.model.classifier import Classifier

_WEIGHT_COLUMN = "sample_weight"

_WORDINGS = {
    "--text COLUMN": "text='COLUMN'",
    "from 0 to 1, or a table": "from 0 to 1",
    ", raise data.validation, or set it to a file": "",
}
"""What messages for the command line say, and what is true of the estimator."""


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # no types
    """A text classifier for scikit-learn: `TextClassifier().fit(texts, labels).predict(texts)`.

    The parameters are the keys of the config, with the same meaning: `epochs`, `embedding_dim`.
    Those that are `auto`, the default of most, are chosen from the rows in `fit`, as
    `embedclf train TABLE` does.

    `fit` trains in a temporary folder, and prints nothing. It holds out validation rows from X:
    the fraction `validation`. It draws all random numbers from `seed`.

    Attributes:
        classes_: (classes,) the labels in the order of the columns of `predict_proba`.
        feature_names_in_: The columns of the data frame that X was.
    """

    @with_parameters
    def __init__(self, **parameters: Any) -> None:
        for name, value in complete(parameters).items():
            setattr(self, name, value)

    @classmethod
    def from_run(cls, run: str | Path) -> TextClassifier:
        """Load the classifier of a run; its parameters are the settings of the run.

        Args:
            run: Its path, or its name in `./runs`.

        Returns:
            A fitted classifier, whose classes are the texts of the labels.

        Raises:
            RunError: There is no run, or it is damaged, not one of embedclf, or of a newer format.
        """
        files = read_run(locate_run(Path(run)))
        with opened(files) as read:
            config, labels = read.config(), read.labels()
        loaded = cls(**parameters_of(config))
        names = labels.names if labels.task == "multilabel" else sorted(labels.names)
        loaded._keep(files, np.array(names, object), config)
        if config.data.fields or len(config.data.text_columns) > 1:
            loaded.feature_names_in_ = np.array(config.data.input_columns.names, object)
        return loaded

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TextClassifier:
        """Train on texts and their labels.

        Args:
            X: A column of texts (a list, a Series, an Arrow or NumPy array), or a data frame whose
                columns `text` and `fields` name. Missing texts are empty.
            y: A label per row: texts, whole numbers, or True and False. With several labels per
                row, a list of labels per row, or a matrix of 0 and 1 with a column per class.
            sample_weight: (n,) how many rows each row counts for; None if each counts for one.

        Raises:
            ValueError: X, y or a parameter cannot be used.
            TrainingError: The training cannot start, or its loss is not finite.
        """
        rows = TextRows.of(X, self.text, self.fields)
        labels = RowLabels.of(y)
        check_consistent_length(next(iter(rows.columns.values())), labels.ids)
        columns, data = _table_columns(rows, labels, sample_weight)
        with written_table(columns) as table:
            try:
                written = make_config(self.get_params(), {"train": str(table), **data})
                config = resolve(written, strict=True)
                trained = train_config(config, name="fit", output=table.with_name("run"))
            except (ConfigError, DataError) as error:
                raise ValueError(_describe(error, table)) from error
            self._keep(read_run(trained.path), labels.classes, config)
        if rows.named:
            self.feature_names_in_ = np.array(config.data.input_columns.names, object)
        elif hasattr(self, "feature_names_in_"):  # of another fit
            del self.feature_names_in_
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the labels of texts.

        Returns:
            (n,) classes; with several labels per row, (n, classes) of 0 and 1.

        Raises:
            NotFittedError: The classifier is not fitted.
            ValueError: X lacks a column, or has other cells than texts.
        """
        classifier = self._classifier
        ids = classifier.labels.decide(classifier.predict_proba(self._texts(X)))
        order = output_order(self.classes_, classifier.labels)
        if classifier.labels.task == "multilabel":
            flags: npt.NDArray[Any] = ids[:, order]
            return flags
        predicted: npt.NDArray[Any] = self.classes_[np.argsort(order)[ids]]
        return predicted

    def predict_proba(self, X: Any) -> Probabilities:
        """Predict the probability of each class; raises as `predict`.

        Returns:
            (n, classes) float32. A row adds up to 1, unless rows can have several labels.
        """
        classifier = self._classifier
        probabilities = classifier.predict_proba(self._texts(X))
        of_labels = classifier.labels.label_probabilities(probabilities)  # (n, labels)
        return of_labels[:, output_order(self.classes_, classifier.labels)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy; with several labels per row, the fraction of rows all right.

        Args:
            X: As for `predict`.
            y: As for `fit`.
            sample_weight: (n,) how many rows each row counts for; None if each counts for one.
        """
        sets = label_sets(y)
        if sets is None:
            return float(super().score(X, y, sample_weight))
        flags = self.predict(X)
        check_consistent_length(flags, sets)
        names = np.array([label_name(each) for each in self.classes_], object)
        right = [set(names[row == 1]) == own for row, own in zip(flags, sets, strict=True)]
        return float(np.average(right, weights=sample_weight))

    def explain(self, text: str, label: Any = None) -> TextExplanation:
        """Explain a prediction by the contribution of each token.

        Args:
            text: The text; fields come before it: `channel=web Good product`.
            label: The class to explain; None is the predicted one, or all predicted ones.

        Returns:
            What a notebook shows as the text in colors.

        Raises:
            NotFittedError: The classifier is not fitted.
            ValueError: There is no such class.
        """
        classifier = self._classifier
        name = None if label is None else label_name(label)
        if name is not None and name not in classifier.labels.names:
            raise ValueError(f"no class {label!r}; classes: {self.classes_.tolist()}")
        return TextExplanation(tuple(explain(classifier, [text], name)))

    def save(self, path: str | Path) -> None:
        """Write the run to a new folder, for `embedclf predict --run` and `from_run`.

        Raises:
            NotFittedError: The classifier is not fitted.
            RunError: The path already exists or cannot be written.
        """
        check_is_fitted(self)
        write_run(self._files, Path(path))

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: parameters and the files of the run, without any code."""
        return {key: each for key, each in super().__getstate__().items() if key != "_loaded"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags

    def _keep(self, files: RunFiles, classes: npt.NDArray[Any], config: Config) -> None:
        """Become the classifier of a run."""
        self._files, self.classes_ = files, classes
        columns = config.data.input_columns
        self._columns = (tuple(columns.text), tuple(columns.fields))
        self._loaded: Classifier | None = None

    @property
    def _classifier(self) -> Classifier:
        """The classifier, loaded when it is first used."""
        check_is_fitted(self)
        loaded: Classifier | None = vars(self).get("_loaded")  # a pickle has none
        if loaded is None:
            with opened(self._files) as run:
                loaded = self._loaded = run.classifier()
        return loaded

    def _texts(self, X: Any) -> Column:
        return texts_to_predict(X, TextColumns(*self._columns))


def _table_columns(
    rows: TextRows, labels: RowLabels, sample_weight: Any
) -> tuple[dict[str, Column], dict[str, Any]]:
    """Return the columns to train on, and the keys of `data` that name them.

    Raises:
        ValueError: Two columns have the same name, or a weight cannot be used.
    """
    of_labels = labels.columns()
    label: Any = list(of_labels)
    if labels.ids.ndim == 1:
        [column] = of_labels.values()
        label = _free_name(label[0], rows.columns)
        of_labels = {label: column}
    if clash := of_labels.keys() & rows.columns.keys():
        raise ValueError(f"class {min(clash)!r} has the name of a column of X; rename one of them")
    data = {"label": label, "label_separator": None, "skip_invalid": False}
    columns = {**rows.columns, **of_labels}
    if not rows.named:
        data["text"] = next(iter(rows.columns))
    if sample_weight is not None:
        data["weight"] = _free_name(_WEIGHT_COLUMN, columns)
        columns[data["weight"]] = _weights(sample_weight, len(rows))
    return columns, data


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name for a column that no other has."""
    while name in taken:
        name += "_"
    return name


def _weights(sample_weight: Any, count: int) -> Column:
    """Return the weights (n,) as cells of a table.

    Raises:
        ValueError: There are more or fewer, or they are not numbers from 0.
    """
    weights = np.asarray(sample_weight, np.float64)
    if weights.shape != (count,):
        raise ValueError(f"sample_weight has shape {weights.shape}, but X has {count:,} rows")
    if not (np.isfinite(weights) & (weights >= 0.0)).all():
        raise ValueError("sample_weight must be numbers from 0")
    return text_column(list(map(repr, weights.tolist())))


def _describe(error: ConfigError | DataError, table: Path) -> str:
    """Return the message of an error, with the parameters instead of keys and options."""
    message = str(error).replace(display_tables(str(table)), "X")
    for theirs, ours in _WORDINGS.items():
        message = message.replace(theirs, ours)
    message = re.sub(rf"\b(?:{'|'.join(SECTIONS)})\.(?=[a-z])", "", message)
    if isinstance(error, UnclearColumnError) and error.candidates:
        message += f"\n{error.candidate_table()}"
    return message
