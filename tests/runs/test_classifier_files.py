"""The files of a classifier keep everything, and are checked as often as they change."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.errors import RunError
from embedclf.runs.classifier_files import (
    NGRAMS_FILE,
    WEIGHTS_FILE,
    ClassifierFiles,
    read_tokenizer,
    write_tokenizer,
)
from embedclf.runs.history import RowStatistics
from embedclf.runs.run import Run
from embedclf.runs.writer import RunDraft
from embedclf.system.arrow import text_column
from tests.text.test_ngrams import fit
from tests.text.test_tokenizer import ANY_TEXT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=9), max_n=st.integers(1, 3))
def test_a_tokenizer_survives_its_files(folder: Path, texts: list[str], max_n: int) -> None:
    tokenizer = fit(texts, unit="character", ngrams=max_n)
    for file in folder.iterdir():
        file.unlink()
    write_tokenizer(RunDraft(folder), tokenizer)
    files = ClassifierFiles.of(folder)
    assert (NGRAMS_FILE in files.names) == (len(tokenizer.ngrams) > 0)
    again = read_tokenizer(files)
    assert again == tokenizer
    column = text_column(texts)
    assert again.encode(column).ids.values.tolist() == tokenizer.encode(column).ids.values.tolist()


@given(
    counts=st.lists(st.sampled_from([0, 1, 255, 256, 65_535, 65_536, 2**32, 2**40]), max_size=9),
    has_rates=st.booleans(),
)
def test_row_statistics_survive_their_file(counts: list[int], has_rates: bool) -> None:
    rates = np.linspace(0, 1, len(counts), dtype=np.float32) if has_rates else None
    written = RowStatistics(np.array(counts, np.int64), rates)
    read = RowStatistics.from_arrow(memoryview(written.to_arrow()), "rows.arrow")
    assert read.counts.dtype == np.int64
    assert read.counts.tolist() == counts
    assert (read.row_learning_rates is None) == (rates is None)
    if read.row_learning_rates is not None:
        assert np.array_equal(read.row_learning_rates, np.linspace(0, 1, len(counts), dtype="f4"))


def test_a_file_that_changes_after_it_was_checked_is_checked_again(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    run = Run.open(shutil.copytree(runs["binary"].path, tmp_path / "copy"))
    texts = ["good b"]
    expected = run.classifier().predict_proba(texts)
    file = run.path / "model.keras"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(RunError, match=r"model\.keras: damaged: wrong SHA-256"):
        run.classifier()
    file.write_bytes(content)
    assert np.array_equal(run.classifier().predict_proba(texts), expected)


@pytest.mark.parametrize("shape", [[-1, 4], [10**9, 4], [1, 4], "x"])
@pytest.mark.parametrize("offset", [-4, 0, 10**12])
def test_weights_are_read_from_within_the_network_only(
    runs: dict[str, Run], tmp_path: Path, shape: object, offset: int
) -> None:
    path = shutil.copytree(runs["binary"].path, tmp_path / "copy")
    places = json.loads((path / WEIGHTS_FILE).read_bytes())
    places["embedding"] = {"offset": offset, "shape": shape}
    changed = json.dumps(places).encode()
    (path / WEIGHTS_FILE).write_bytes(changed)
    record = json.loads((path / "run.json").read_bytes())
    record["files"][WEIGHTS_FILE] = hashlib.sha256(changed).hexdigest()
    run = Run(path, record)
    with pytest.raises(RunError, match=r"(weights\.json|model\.keras): damaged"):
        run.classifier()


def test_predicting_a_text_imports_little(runs: dict[str, Run]) -> None:
    code = (
        "import sys; from embedclf.cli.main import main; "
        "main(['predict', '-t', 'good', '--run', sys.argv[1]], standalone_mode=False); "
        "heavy = {'tensorflow', 'h5py', 'scipy', 'pandas', 'pydantic', 'ruamel', 'zipfile', "
        "'embedclf.tables', 'numpy.ma', 'concurrent.futures', 'pyarrow.compute'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(runs["binary"].path)], check=True)
