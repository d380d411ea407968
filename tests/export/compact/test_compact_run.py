"""A compact run predicts as its run does, in far fewer bytes, and says what it cannot do."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import embedclf
from embedclf.errors import RunError
from embedclf.runs.run import Run
from tests.runs.hostile import change_json, seal

if TYPE_CHECKING:
    from tests.conftest import Invoke

NGRAMS = """-s model.pooling=sqrt -s text.ngrams=3 -s training.refit=true
-s training.calibration=isotonic -s training.threshold=f1""".split()
TEXTS = ["a lovely film", "the hotel was awful and rude", "about heat and heat 3", "a | b", ""]
NAMES = ["binary", "multiclass", "multilabel", "ngrams"]


@pytest.fixture(scope="module")
def compact_runs(
    runs: dict[str, Run], project: Path, invoke: Invoke, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Run, Run]]:
    """Runs, and their compact runs: flat, with a hidden layer, with maxima, and with n-grams."""
    folder = tmp_path_factory.mktemp("compact")
    before = Path.cwd()
    os.chdir(project)
    try:
        ngrams = folder / "ngrams-run"
        invoke("train", "binary.yaml", *NGRAMS, "-o", ngrams, "-q")
        every = {**runs, "ngrams": Run.open(ngrams)}
        for name, run in every.items():
            invoke("export", run.path, "--format", "compact", "-o", folder / name, "-q")
    finally:
        os.chdir(before)
    return {name: (run, Run.open(folder / name)) for name, run in every.items()}


@pytest.fixture
def changed(compact_runs: dict[str, tuple[Run, Run]], tmp_path: Path) -> Path:
    """A copy of the compact run with n-grams, to be changed."""
    return shutil.copytree(compact_runs["ngrams"][1].path, tmp_path / "copy")


@pytest.mark.parametrize("name", NAMES)
def test_a_compact_run_predicts_as_its_run_in_fewer_bytes(
    name: str, compact_runs: dict[str, tuple[Run, Run]]
) -> None:
    run, compact = compact_runs[name]
    facts = compact.record["compact"]
    assert facts["run"] == run.path.name
    assert facts["bytes"] == run.size > 2 * compact.size
    assert facts["score_before"] - facts["score_after"] <= 0.001
    scores = next(iter(run.metrics()["validation"]["scores"].values()))
    assert facts["score_before"] == pytest.approx(scores)
    [metrics] = compact.metrics().values()
    assert next(iter(metrics["scores"].values())) == pytest.approx(facts["score_after"])
    assert compact.threshold_settings() == run.threshold_settings()
    before, after = (embedclf.load(each.path).predict_proba(TEXTS) for each in (run, compact))
    assert np.abs(before - after).mean() < 0.05


def test_rare_ngrams_are_left_out(compact_runs: dict[str, tuple[Run, Run]]) -> None:
    run, compact = compact_runs["ngrams"]
    before, after = (each.classifier().tokenizer for each in (run, compact))
    assert 0 < len(after.ngrams) < len(before.ngrams)
    left_out = len(before.ngrams) - len(after.ngrams)
    assert compact.record["compact"]["ngrams_left_out"] == left_out
    assert compact.record["phrases"] == len(after.ngrams)
    assert compact.record["vocabulary"] == after.first_ngram_id


@pytest.mark.parametrize("name", NAMES)
def test_commands_that_predict_work(
    name: str, compact_runs: dict[str, tuple[Run, Run]], project: Path, invoke: Invoke
) -> None:
    run, compact = compact_runs[name]
    table = project / f"{run.record['data']['train']['path'].split('/')[-1]}"
    evaluated = json.loads(
        invoke("evaluate", "--run", compact.path, "--data", table, "--json").stdout
    )
    assert evaluated["rows"] > 100
    explained = json.loads(invoke("explain", "lovely b", "--run", compact.path, "--json").stdout)
    assert all(abs(each["error"]) <= 1e-4 for each in explained["explanations"])
    summary = invoke("summary", compact.path).stdout
    assert f"made from run '{run.path.name}'" in summary
    assert "What the layers do" not in summary
    assert json.loads(invoke("summary", compact.path, "--json").stdout)["layers"] == []


@pytest.mark.parametrize("name", ["binary", "multilabel", "ngrams"])
def test_a_classifier_in_python_is_kept_and_saved(
    name: str, compact_runs: dict[str, tuple[Run, Run]], tmp_path: Path
) -> None:
    _, compact = compact_runs[name]
    loaded = embedclf.TextClassifier.from_run(compact.path)
    expected = loaded.predict_proba(TEXTS).tolist()
    assert pickle.loads(pickle.dumps(loaded)).predict_proba(TEXTS).tolist() == expected  # noqa: S301
    loaded.save(tmp_path / "saved")
    assert Run.open(tmp_path / "saved").record == compact.record


def test_the_readme_has_a_program_that_runs(
    compact_runs: dict[str, tuple[Run, Run]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, compact = compact_runs["ngrams"]
    text = (compact.path / "README.md").read_text(encoding="utf-8")
    assert f"| bytes | {run.size:,} | {compact.size:,} |" in text
    [program] = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(compact.path)
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102


def test_the_list_of_runs_says_which_are_compact(
    compact_runs: dict[str, tuple[Run, Run]],
    invoke: Invoke,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(compact_runs["binary"][1].path, tmp_path / "runs" / "small-1")
    monkeypatch.chdir(tmp_path)
    [line] = [line for line in invoke("runs").stdout.splitlines() if "small-1" in line]
    assert line.endswith("compact")


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    "command",
    [
        ["embeddings", "neighbors", "great", "--run"],
        ["export", "--format", "npz", "-o", "vectors.npz"],
        ["train", "binary.csv", "--from"],
        ["export", "--format", "compact", "-o", "again"],
    ],
)
def test_what_a_compact_run_cannot_do_is_one_line(
    command: list[str], compact_runs: dict[str, tuple[Run, Run]], invoke: Invoke
) -> None:
    run, compact = compact_runs["binary"]
    result = invoke(*command, compact.path, "-q", status=2)
    assert result.stderr.count("\n") == 1
    assert f"the run that it was made from, '{run.path.name}'" in result.stderr


def test_scores_from_before_a_refit_are_not_kept(
    compact_runs: dict[str, tuple[Run, Run]], invoke: Invoke
) -> None:
    compact = compact_runs["ngrams"][1].path
    stderr = invoke("threshold", "--run", compact, "--metric", "f1", "-q", status=1).stderr
    assert "--data TABLE" in stderr
    assert stderr.count("\n") == 1


def test_rows_that_have_changed_are_one_line(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-s", "training.epochs=1", "-o", "run", "-q")
    with (workplace / "binary.csv").open("a") as table:
        table.write("one more,good\n")
    stderr = invoke("export", "run", "--format", "compact", "-o", "small", "-q", status=2).stderr
    assert stderr.count("\n") == 1
    assert "restore their table" in stderr
    assert "has changed" in stderr
    assert not Path("small").exists()


def test_no_decision_changes_where_no_loss_is_allowed(
    compact_runs: dict[str, tuple[Run, Run]], tmp_path: Path, invoke: Invoke
) -> None:
    run = compact_runs["multilabel"][0]
    flags = ("--format", "compact", "--max-loss", "0", "-o", tmp_path / "small")
    printed = invoke("export", run.path, *flags).stderr
    assert Run.open(tmp_path / "small").record["compact"]["changed"] == 0
    assert "0 decisions changed" in printed


def test_a_compact_run_predicts_without_tensorflow(
    compact_runs: dict[str, tuple[Run, Run]],
) -> None:
    code = (
        "import sys; from embedclf.cli.main import main; "
        "main(['predict', '-t', 'good', '--run', sys.argv[1]], standalone_mode=False); "
        "heavy = {'tensorflow', 'h5py', 'scipy', 'pandas', 'pydantic', 'ruamel', 'zipfile', "
        "'embedclf.tables', 'numpy.ma', 'concurrent.futures', 'pyarrow.compute'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, compact_runs["ngrams"][1].path], check=True)


@pytest.mark.parametrize("file", ["embedding.arrow", "kernels.arrow", "ngram-keys.arrow"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_changed_bytes_never_end_in_a_traceback(
    file: str, changed: Path, data: st.DataObject
) -> None:
    original = (changed / file).read_bytes()
    content = bytearray(original)
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    (changed / file).write_bytes(content)
    seal(changed)
    with contextlib.suppress(RunError):
        Run.open(changed).classifier().predict_proba(["good bad"])
    (changed / file).write_bytes(original)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("weights.json", {"step": 0}),
        ("weights.json", {"step": 1e38}),
        ("weights.json", {"columns": 10**15}),
        ("weights.json", {"columns": 7}),
        ("weights.json", {"dense": [{"inputs": 2**53, "bias": [1.0]}]}),
        ("weights.json", {"dense": [{"inputs": 1, "bias": [1.0] * 10}]}),
        ("labels.json", {"names": ["a", "a"]}),
        ("text.json", {"vector_words": 10**9}),
    ],
)
def test_values_that_do_not_fit_are_refused(
    file: str, change: dict[str, Any], changed: Path, invoke: Invoke
) -> None:
    change_json(changed, file, lambda values: values.update(change))
    stderr = invoke("predict", "-t", "good", "--run", changed, "-q", status=1).stderr
    assert "damaged" in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["model.keras", "rows.arrow", "validated/logits.npz", "/dev/zero"])
def test_files_of_other_runs_are_not_read(name: str, changed: Path, invoke: Invoke) -> None:
    (changed / "validated").mkdir()
    if name != "/dev/zero":
        (changed / name).write_bytes(b"")
    seal(changed, lambda record: record["files"].update({name: "0" * 64}))
    stderr = invoke("predict", "-t", "good", "--run", changed, "-q", status=1).stderr
    assert "names a file that no run has" in stderr
