"""Runs of somebody else, whose checksums fit: whatever they hold, nothing but the run is read."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedclf.cli.main import main
from embedclf.errors import RunError
from embedclf.runs.run import Run
from embedclf.system.arrow import number_column, text_column, write_columns
from tests.runs.hostile import Change, change_json, nodes, seal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Invoke


OLD = Path(__file__).parents[1] / "formats" / "7" / "binary-average"
"""Its weights are read from HDF5."""

REFIT = Path(__file__).parents[1] / "formats" / "8" / "binary-average-refit"
"""Its validation rows are in an archive of NumPy."""


SETTINGS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}
"""Each example restores what it changes."""

JSON_FILES = ["run.json", "labels.json", "text.json", "weights.json", "metrics.json"]


@pytest.fixture
def run(runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a run, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(runs["binary"].path, tmp_path / "runs" / "binary-1")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return shutil.copytree(OLD, tmp_path / "old")


def change_weights(
    run: Path, change: Callable[[h5py.File], object], *, deflate: bool = False
) -> None:
    """Change the HDF5 file in `model.keras`, and renew all checksums."""
    with zipfile.ZipFile(run / "model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        change(file)
    parts["model.weights.h5"] = weights.getvalue()
    method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(run / "model.keras", "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    seal(run)


def refuse(run: Path, *words: str) -> None:
    """Check that predicting with a run fails with one line that has these words."""
    result = CliRunner().invoke(main, ["predict", "-t", "good", "--run", str(run)])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("name", ["/dev/zero", "../../secret", "pipe", "validated/../config.yaml"])
def test_no_file_is_read_that_runs_do_not_have(run: Path, name: str) -> None:
    seal(run, lambda record: record["files"].update({name: "0" * 64}))
    refuse(run, "run.json", "names a file that no run has", name)


@pytest.mark.parametrize("name", ["config.yaml", "labels.json", "model.keras", "text.json"])
def test_a_record_names_the_files_that_all_runs_have(run: Path, name: str) -> None:
    seal(run, lambda record: record["files"].pop(name))
    refuse(run, "run.json", name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("name", ["run.json", "model.keras", "tokens.arrow", "metrics.json"])
def test_a_pipe_in_place_of_a_file_is_refused_at_once(run: Path, name: str) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    refuse(run, name, "not a run" if name == "run.json" else "not a regular file")


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"a":' * 100_000, '{"format": "8"}', '["\\ud800"]']
)
def test_a_record_of_any_content_is_one_line(run: Path, content: str) -> None:
    (run / "run.json").write_text(content)
    refuse(run, "run.json: damaged")


def test_a_bad_run_is_named_and_others_are_used(run: Path, invoke: Invoke) -> None:
    shutil.copytree(run, run.with_name("binary-2"))
    change_json(run.with_name("binary-2"), "metrics.json", lambda values: values.pop("validation"))
    listed = invoke("runs")
    assert "binary-1" in listed.stdout
    assert "binary-2" not in listed.stdout
    assert "binary-2" in listed.stderr
    assert "binary-2" in invoke("predict", "-t", "good").stderr


FAULTS: list[tuple[str, Change]] = [
    ("labels.json", lambda values: values.pop("names")),
    ("labels.json", lambda values: values.update(names=["a", "b", "c"], counts=[1, 1, 1])),
    ("labels.json", lambda values: values.update(names=["a", "a"])),
    ("labels.json", lambda values: values.update(task="multilabel")),
    ("text.json", lambda values: values.update(sequence_length=-1)),
    ("text.json", lambda values: values.update(vector_words=10**9)),
    ("text.json", lambda values: values.update({"token_pattern": "("})),
    ("text.json", lambda values: values.update({"token_pattern": "a*"})),
    ("weights.json", lambda values: values["dense"].append(values["dense"][0])),
    ("weights.json", lambda values: values["dense"].clear()),
    ("metrics.json", lambda values: values["decision"].update(thresholds=[0.5, 0.5])),
    ("metrics.json", lambda values: values["decision"].update(thresholds=[float("inf")])),
]


@pytest.mark.parametrize(("name", "change"), FAULTS)
def test_values_that_do_not_fit_each_other_are_refused(
    run: Path, name: str, change: Change
) -> None:
    change_json(run, name, change)
    refuse(run, "restore", "train again")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_are_finite(run: Path, number: float) -> None:
    places = json.loads((run / "weights.json").read_text())
    content = bytearray((run / "model.keras").read_bytes())
    offset = places["embedding"]["offset"] + 4
    content[offset : offset + 4] = np.float32(number).tobytes()
    (run / "model.keras").write_bytes(content)
    seal(run)
    refuse(run, "model.keras: damaged")


def replace(**options: Any) -> Callable[[h5py.File], object]:
    """Return a change that replaces the embedding by another dataset of the same name."""

    def change(file: h5py.File) -> None:
        shape = file["layers/embedding/vars/0"].shape
        del file["layers/embedding/vars/0"]
        file.create_dataset(
            "layers/embedding/vars/0", **({"shape": shape, "dtype": "f4"} | options)
        )

    return change


def link(target: Any) -> Callable[[h5py.File], object]:
    def change(file: h5py.File) -> None:
        del file["layers/embedding/vars/0"]
        file["layers/embedding/vars/0"] = target

    return change


STORAGES: list[Callable[[h5py.File], object]] = [
    replace(external=[(str(OLD / "config.yaml"), 0, h5py.h5f.UNLIMITED)]),
    replace(shape=(10_000_000, 4), chunks=(1000, 4), fillvalue=0.5),
    replace(shape=(10_000_000, 4), fillvalue=0.5),
    replace(compression="gzip"),
    replace(dtype="f8"),
    link(h5py.ExternalLink("other.h5", "/secret")),
    link(h5py.SoftLink("/layers/dense/vars/0")),
    lambda file: file["layers/embedding/vars/0"].write_direct(
        np.full(file["layers/embedding/vars/0"].shape, np.nan, np.float32)
    ),
    lambda file: file.pop("layers"),
]


@pytest.mark.parametrize("change", STORAGES)
def test_weights_of_an_old_run_lie_in_its_own_file(
    old: Path, change: Callable[[h5py.File], object]
) -> None:
    change_weights(old, change)
    refuse(old, "model.keras")


def test_compressed_weights_are_refused_before_they_are_unpacked(old: Path) -> None:
    change_weights(old, lambda _: None, deflate=True)
    refuse(old, "model.keras: damaged")


def test_columns_that_claim_to_be_huge_are_refused(run: Path) -> None:
    zeros = number_column(np.zeros(300_000_000, np.uint8))
    (run / "rows.arrow").write_bytes(write_columns({"count": zeros}))
    assert (run / "rows.arrow").stat().st_size < 100_000
    seal(run)
    with pytest.raises(RunError, match=r"rows\.arrow: damaged"):
        Run.open(run).row_statistics()


def test_columns_of_another_type_are_refused(run: Path) -> None:
    for columns in ({"token": number_column(np.zeros(3))}, {"word": text_column(["a"])}):
        (run / "tokens.arrow").write_bytes(write_columns(columns))
        seal(run)
        refuse(run, "tokens.arrow: damaged")
    nothing = pa.array(["a", None], pa.string())
    (run / "tokens.arrow").write_bytes(write_columns({"token": nothing}))
    seal(run)
    refuse(run, "tokens.arrow: damaged")


@pytest.mark.parametrize("name", ["tokens.arrow", "model.keras"])
@settings(max_examples=150, **SETTINGS)
@given(data=st.data())
def test_changed_bytes_never_end_in_a_traceback(run: Path, name: str, data: st.DataObject) -> None:
    original = (run / name).read_bytes()
    content = bytearray(original)
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    (run / name).write_bytes(content)
    seal(run)
    with contextlib.suppress(RunError):
        Run.open(run).classifier().predict_proba(["good bad"])
    (run / name).write_bytes(original)


def test_an_archive_is_not_unpacked(tmp_path: Path) -> None:
    run = shutil.copytree(REFIT, tmp_path / "refit")
    file = run / "validated" / "logits.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    np.savez_compressed(file, **arrays)
    seal(run)
    with pytest.raises(RunError, match=r"logits\.npz: damaged"):
        Run.open(run).validated_rows()
    np.savez(file, **(arrays | {"logits": arrays["logits"][:-1]}))
    seal(run)
    with pytest.raises(RunError, match=r"logits\.npz: damaged"):
        Run.open(run).validated_rows()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
COMMANDS = [
    ["predict", "-t", "good"],
    ["explain", "good"],
    ["summary"],
    ["runs"],
    ["embeddings", "nearest", "good"],
    ["threshold"],
]


@pytest.mark.parametrize("name", JSON_FILES)
@settings(max_examples=60, **SETTINGS)
@given(data=st.data())
def test_any_value_in_a_json_file_ends_in_an_answer_or_one_line(
    run: Path, name: str, data: st.DataObject
) -> None:
    file = run / name
    original, record = file.read_bytes(), (run / "run.json").read_bytes()
    values = json.loads(original)
    values.pop("checksum", None)
    number = data.draw(st.integers(0, len(list(nodes(values))) - 1))
    change = copy.deepcopy(data.draw(VALUES))

    def set_value(loaded: dict[str, Any]) -> None:
        container, key = list(nodes(loaded))[number]
        container[key] = change

    try:
        if name == "run.json":
            seal(run, set_value)
        else:
            change_json(run, name, set_value)
        command = data.draw(st.sampled_from(COMMANDS))
        options = [] if command == ["runs"] else ["--run", str(run)]
        result = CliRunner().invoke(main, [*command, *options])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert result.exit_code in {0, 1, 2}
    finally:
        file.write_bytes(original)
        (run / "run.json").write_bytes(record)
