from __future__ import annotations

import logging
import pickle
import tempfile
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import embedclf
from embedclf import TextClassifier
from embedclf.errors import RunError
from embedclf.inference.explanation import Explanation
from tests.conftest import Invoke, write_csv
from tests.estimator.conftest import LABELS, QUICK, TEXTS, quick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_fitted_classifier_predicts_what_the_run_of_the_command_line_does(
    tmp_path: Path, invoke: Invoke
) -> None:
    table = write_csv(tmp_path / "t.csv", ["text", "label"], zip(TEXTS, LABELS, strict=True))
    invoke("train", table, "-o", tmp_path / "run", "--no-baseline")
    expected = embedclf.load(tmp_path / "run").predict_proba(TEXTS)
    fitted = TextClassifier().fit(TEXTS, LABELS)
    assert (fitted.predict_proba(TEXTS)[:, 1] == expected[:, 0]).all()
    assert fitted.get_params() == TextClassifier().get_params()


def test_a_data_frame_is_trained_on_as_the_same_parquet_table_is(
    tmp_path: Path, invoke: Invoke
) -> None:
    rows = FRAME.assign(label=LABELS, weight=[1.0, 0.5] * 40)
    rows.to_parquet(tmp_path / "t.parquet")
    keys = "text: body, label: label, fields: [channel, hours], weight: weight"
    (tmp_path / "c.yaml").write_text(
        f"data: {{train: t.parquet, {keys}}}\ntraining: {{epochs: 3, epochs_by: validation}}\n"
    )
    invoke("train", tmp_path / "c.yaml", "-o", tmp_path / "run", "--no-baseline")
    expected = TextClassifier.from_run(tmp_path / "run").predict_proba(FRAME)
    fitted = TextClassifier(
        text="body", fields=["channel", "hours"], epochs=3, epochs_by="validation"
    )
    fitted.fit(FRAME, rows["label"], sample_weight=rows["weight"])
    assert (fitted.predict_proba(FRAME) == expected).all()


@pytest.mark.parametrize(
    "column",
    [tuple, pd.Series, np.array, pa.array, lambda each: pa.chunked_array([each])],
    ids=["tuple", "Series", "ndarray", "Arrow array", "Arrow column"],
)
def test_any_column_of_texts_and_labels_will_do(
    fitted: TextClassifier, column: Callable[[list[str]], Any]
) -> None:
    again = quick().fit(column(TEXTS), column(LABELS))
    expected = fitted.predict_proba(TEXTS)
    assert (again.predict_proba(column(TEXTS)) == expected).all()
    assert again.classes_.tolist() == ["neg", "pos"]
    assert again.predict(TEXTS[:4]).tolist() == LABELS[:4]


def test_probabilities_have_a_column_per_class(fitted: TextClassifier) -> None:
    probabilities = fitted.predict_proba(TEXTS)
    assert probabilities.shape == (80, 2)
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    assert fitted.classes_[probabilities.argmax(axis=1)].tolist() == LABELS
    assert fitted.score(TEXTS, LABELS) == 1.0
    assert fitted.score(TEXTS[:4], ["pos", "pos", "neg", "pos"], [2.0, 0.0, 1.0, 1.0]) == 0.5


@pytest.mark.parametrize(
    ("negative", "positive"), [(2, 11), ("2", "11"), ("9", "11"), (False, True), (-1.0, 1.0)]
)
def test_classes_keep_their_type_and_are_sorted_as_numpy_sorts(
    negative: Any, positive: Any
) -> None:
    y = [positive if label == "pos" else negative for label in LABELS]
    fitted = quick().fit(TEXTS, y)
    assert fitted.classes_.tolist() == sorted([negative, positive])
    assert fitted.predict(TEXTS).tolist() == y
    assert fitted.classes_[fitted.predict_proba(TEXTS).argmax(axis=1)].tolist() == y
    assert fitted.explain(TEXTS[0], negative).labels[0].label == str(negative)


TAGS: list[list[str]] = [["web", "mail"] if label == "pos" else ["mail"] for label in LABELS]
TAGS = [[*tags, "new"] if n % 4 < 2 else tags for n, tags in enumerate(TAGS)]
TAGS[5] = []
MATRIX = np.array([[int(tag in tags) for tag in ("mail", "new", "web")] for tags in TAGS])


def test_several_labels_per_row_are_lists_or_a_matrix() -> None:
    of_lists = quick(threshold=0.5).fit(TEXTS, TAGS)
    of_matrix = quick(threshold=0.5).fit(TEXTS, MATRIX)
    of_frame = quick(threshold=0.5).fit(TEXTS, pd.DataFrame(MATRIX, columns=["mail", "new", "web"]))
    expected = of_lists.predict_proba(TEXTS)
    assert expected.shape == MATRIX.shape
    assert (of_matrix.predict_proba(TEXTS) == expected).all()
    assert of_lists.classes_.tolist() == of_frame.classes_.tolist() == ["mail", "new", "web"]
    assert of_matrix.classes_.tolist() == [0, 1, 2]
    assert (of_lists.predict(TEXTS) == (expected >= 0.5)).all()
    accuracy = (of_lists.predict(TEXTS) == MATRIX).all(axis=1).mean()
    assert of_lists.score(TEXTS, TAGS) == of_matrix.score(TEXTS, MATRIX) == accuracy


FRAME = pd.DataFrame(
    {"id": range(80), "body": TEXTS, "channel": ["web", "mail"] * 40, "hours": np.arange(80) / 2}
)


def test_a_data_frame_has_named_texts_and_fields() -> None:
    fitted = quick(text="body", fields=("channel", "hours")).fit(FRAME, LABELS)
    assert fitted.feature_names_in_.tolist() == ["channel", "hours", "body"]
    reordered = FRAME[["hours", "body", "channel"]]
    written = [
        f"channel={row.channel} hours={row.hours:g} {row.body}" for row in FRAME.itertuples()
    ]
    expected = fitted.predict_proba(FRAME)
    assert (fitted.predict_proba(reordered) == expected).all()
    assert (fitted.predict_proba(pa.Table.from_pandas(FRAME)) == expected).all()
    assert (fitted.predict_proba(written) == expected).all()
    with pytest.raises(ValueError, match=r"^X has no column 'hours'; its columns: body, channel$"):
        fitted.predict(FRAME[["body", "channel"]])


def test_the_text_column_of_a_data_frame_is_found(fitted: TextClassifier) -> None:
    found = quick().fit(FRAME, LABELS)
    assert found.feature_names_in_.tolist() == ["body"]
    assert (found.predict_proba(FRAME) == fitted.predict_proba(TEXTS)).all()
    assert (fitted.predict_proba(FRAME[["body"]]) == fitted.predict_proba(TEXTS)).all()
    assert not hasattr(found.fit(TEXTS, LABELS), "feature_names_in_")


def test_weights_count_rows_in_training() -> None:
    weights = np.where(np.arange(80) < 40, 2.0, 0.0)
    weighted = quick(validation=0.2).fit(TEXTS, LABELS, sample_weight=weights)
    plain = quick(validation=0.2).fit(TEXTS, LABELS)
    assert (weighted.predict_proba(TEXTS) != plain.predict_proba(TEXTS)).any()


@pytest.mark.parametrize(
    ("texts", "y", "weights", "message"),
    [
        ("a text", LABELS, None, "X: texts must be one column of strings, not a str"),
        ([1, *TEXTS[1:]], LABELS, None, "X: a text must be a str or None, not int"),
        (np.array([TEXTS, TEXTS]).T, LABELS, None, "X: texts must be one column of strings"),
        ([""] * 80, LABELS, None, "X: no text has a token; choose another column with text='COL"),
        (TEXTS[:2], LABELS[:2], None, "X: too few texts to hold out validation rows .*; add rows"),
        (TEXTS, LABELS[1:], None, r"inconsistent numbers of samples: \[80, 79\]"),
        ([], [], None, "y has no label; a classifier needs at least two classes"),
        (["\ud800", *TEXTS[1:]], LABELS, None, "^X: .* surrogates not allowed"),
        (pd.DataFrame({0: TEXTS}), LABELS, None, "^X: names of columns must be texts, not 0; ren"),
        (FRAME[["id"]], LABELS, None, "X has no column of texts; name the column: text='COLUMN'"),
        (pd.DataFrame({"a": TEXTS, "b": TEXTS}), LABELS, None, "both 'a' and 'b' could be the te"),
        (pd.DataFrame({"web": TEXTS}), TAGS, None, "class 'web' has the name of a column of X"),
        (TEXTS, LABELS, np.ones(3), r"sample_weight has shape \(3,\), but X has 80 rows"),
        (TEXTS, LABELS, -np.ones(80), "sample_weight must be numbers from 0"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(
    texts: Any, y: Any, weights: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        quick().fit(texts, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": 0}, "^epochs: must be greater than or equal to 1, not 0$"),
        ({"validation": 0}, "^validation: must be a fraction from 0 to 1, not 0$"),
        ({"unit": "wrd"}, '^unit: must be one of word, character, not "wrd"; did you mean \'word'),
        ({"validation": "dev.csv"}, "^validation: must be a fraction from 0 to 1, not 'dev.csv'$"),
        ({"vectors": "no.txt"}, "^vectors: no.txt: no such file; name a file of word vectors"),
        ({"class_weight": {"poz": 2.0}}, "^class_weight: no training row has label 'poz'; did you"),
        ({"fields": ["a"]}, "^fields are columns of a data frame, but X is a single column$"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(
    parameters: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(TEXTS, LABELS)


def test_a_classifier_that_is_not_fitted_says_so(tmp_path: Path) -> None:
    uses: tuple[Callable[[TextClassifier], object], ...] = (
        lambda each: each.predict(TEXTS),
        lambda each: each.predict_proba(TEXTS),
        lambda each: each.score(TEXTS, LABELS),
        lambda each: each.explain("great"),
        lambda each: each.save(tmp_path / "run"),
    )
    for use in uses:
        with pytest.raises(NotFittedError, match="not fitted yet"):
            use(quick())


def test_cross_validation_takes_lists_frames_and_arrow() -> None:
    expected = cross_val_score(quick(), TEXTS, LABELS, cv=2, scoring="neg_log_loss")
    for texts, y in ((FRAME[["body"]], pd.Series(LABELS)), (pa.array(TEXTS), pa.array(LABELS))):
        scores = cross_val_score(quick(), texts, y, cv=2, scoring="neg_log_loss")
        assert scores.tolist() == expected.tolist()


def test_cross_validation_runs_in_processes_and_in_threads() -> None:
    expected = cross_val_score(quick(), TEXTS, LABELS, cv=2, scoring="neg_log_loss")
    for backend in ("loky", "threading"):
        with joblib.parallel_config(backend):
            scores = cross_val_score(quick(), TEXTS, LABELS, cv=2, n_jobs=2, scoring="neg_log_loss")
        assert scores.tolist() == expected.tolist(), backend


def shouted(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


def test_a_grid_is_searched_in_a_pipeline() -> None:
    pipeline = make_pipeline(FunctionTransformer(shouted), quick())
    grid = {"textclassifier__learning_rate": np.array([1e-9, 0.05])}
    search = GridSearchCV(pipeline, grid, cv=2).fit(TEXTS, LABELS)
    assert search.best_params_["textclassifier__learning_rate"] == 0.05
    assert search.predict(TEXTS[:4]).tolist() == LABELS[:4]


def test_a_clone_is_not_fitted_and_trains_to_the_same_weights(fitted: TextClassifier) -> None:
    copy = clone(fitted)
    with pytest.raises(NotFittedError):
        copy.predict(TEXTS)
    again = copy.fit(TEXTS, LABELS)
    assert (again.predict_proba(TEXTS) == fitted.predict_proba(TEXTS)).all()
    other = clone(fitted).set_params(seed=7).fit(TEXTS, LABELS)
    assert (other.predict_proba(TEXTS) != fitted.predict_proba(TEXTS)).any()


def test_pickle_and_joblib_keep_the_classifier(fitted: TextClassifier, tmp_path: Path) -> None:
    fitted.predict(TEXTS)
    content = pickle.dumps(fitted)
    joblib.dump(fitted, tmp_path / "model.joblib")
    for copy in (pickle.loads(content), joblib.load(tmp_path / "model.joblib")):  # noqa: S301
        assert (copy.predict_proba(TEXTS) == fitted.predict_proba(TEXTS)).all()
        assert copy.get_params() == fitted.get_params()
        assert copy.score(TEXTS, LABELS) == 1.0


def test_a_pickle_holds_the_files_of_the_run_and_no_other_objects(fitted: TextClassifier) -> None:
    fitted.predict(TEXTS)
    state = fitted.__getstate__()
    assert set(state) == {*fitted.get_params(), "classes_", "_columns", "_files"}
    assert {type(content) for content in state["_files"].values()} == {bytes}


def test_a_pickle_with_changed_weights_is_refused(fitted: TextClassifier) -> None:
    damaged = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    weights = damaged._files["model.keras"]
    damaged._files["model.keras"] = weights[:-1] + bytes([weights[-1] ^ 1])
    with pytest.raises(RunError, match="damaged: wrong SHA-256"):
        damaged.predict(TEXTS)


def test_a_saved_run_is_one_of_the_command_line(
    fitted: TextClassifier, tmp_path: Path, invoke: Invoke
) -> None:
    fitted.save(tmp_path / "run")
    predicted = invoke("predict", "--run", tmp_path / "run", "-t", TEXTS[0], "--json").stdout
    assert '"neg"' in predicted
    expected = fitted.predict_proba(TEXTS)
    assert (embedclf.load(tmp_path / "run").predict_proba(TEXTS)[:, 0] == expected[:, 1]).all()
    loaded = TextClassifier.from_run(tmp_path / "run")
    assert (loaded.predict_proba(TEXTS) == expected).all()
    assert loaded.classes_.tolist() == ["neg", "pos"]
    assert (loaded.epochs, loaded.embedding_dim, loaded.refit) == (4, 4, False)
    again = clone(loaded).fit(TEXTS, LABELS)
    assert (again.predict_proba(TEXTS) == expected).all()
    with pytest.raises(RunError, match="already exists; choose another path"):
        fitted.save(tmp_path / "run")


def test_classes_of_a_loaded_run_are_sorted_as_numpy_sorts(tmp_path: Path) -> None:
    y = ["11" if label == "pos" else "9" for label in LABELS]
    fitted = quick().fit(TEXTS, y)
    fitted.save(tmp_path / "run")
    loaded = TextClassifier.from_run(tmp_path / "run")
    assert loaded.classes_.tolist() == fitted.classes_.tolist() == ["11", "9"]
    assert (loaded.predict_proba(TEXTS) == fitted.predict_proba(TEXTS)).all()
    assert loaded.predict(TEXTS).tolist() == y


def test_a_run_with_fields_is_loaded_with_its_columns(tmp_path: Path) -> None:
    fitted = quick(text="body", fields=("channel",)).fit(FRAME, LABELS)
    fitted.save(tmp_path / "run")
    loaded = TextClassifier.from_run(tmp_path / "run")
    assert loaded.feature_names_in_.tolist() == ["channel", "body"]
    assert (loaded.predict_proba(FRAME) == fitted.predict_proba(FRAME)).all()


def test_an_explanation_adds_up_and_is_colored_in_a_notebook(fitted: TextClassifier) -> None:
    explanation = fitted.explain("great <b>hotel</b> zzz")
    [of_label] = explanation.labels
    assert isinstance(of_label, Explanation)
    assert abs(of_label.error) < 1e-5
    assert repr(explanation) == f"TextExplanation(pos {of_label.probability:.4f})"
    assert "great" in str(explanation)
    html = explanation._repr_html_()
    assert '<mark class="for" style="--strength:' in html
    assert "&lt;" in html
    assert "<b>" not in html
    assert fitted.explain("great", "neg").labels[0].label == "neg"
    with pytest.raises(ValueError, match=r"^no class 'good'; classes: \['neg', 'pos'\]$"):
        fitted.explain("great", "good")


def test_fit_prints_nothing_leaves_no_file_and_seeds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import tensorflow as tf

    quick().fit(TEXTS, LABELS)  # TensorFlow writes lines when it starts
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    level = logging.getLogger("tensorflow").level
    draws = []
    for fits in (False, True):
        tf.random.set_seed(3)
        capfd.readouterr()
        if fits:
            quick(dropout=0.2).fit(TEXTS, LABELS).predict(TEXTS)
            assert capfd.readouterr() == ("", "")
        draws.append(tf.random.uniform((3,)).numpy().tolist())
    assert draws[0] == draws[1]
    assert list(folder.iterdir()) == []
    assert list(tmp_path.iterdir()) == [folder]
    assert logging.getLogger("tensorflow").level == level


def test_scikit_learn_knows_a_classifier_of_texts() -> None:
    tags = quick().__sklearn_tags__()
    assert is_classifier(quick())
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.classifier_tags.multi_label
    assert repr(TextClassifier()) == "TextClassifier()"
    assert repr(TextClassifier(epochs=3)) == "TextClassifier(epochs=3)"
    assert set(QUICK) < set(TextClassifier().get_params())
