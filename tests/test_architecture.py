"""Packages, their layers, and what commands import at start-up."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import embedclf
from tests.conftest import ROOT

PACKAGE = Path(embedclf.__file__).parent
MODULES = sorted(file.relative_to(PACKAGE).with_suffix("") for file in PACKAGE.rglob("*.py"))
PACKAGES = sorted({file.parent for file in MODULES} - {Path()})

TENSORFLOW = {"model/backend", "model/tensorflow_import"}
"""The modules that import TensorFlow or Keras; the second one quietly, ahead or in a worker."""
STARTS_TENSORFLOW = (
    {
        f"model/{module}"
        for module in (
            "backend",
            "forward_pass",
            "network",
            "optimizers",
            "step_function",
            "variable_values",
        )
    }
    | {f"export/tensorflow/{module}" for module in ("litert", "operations", "savedmodel")}
    | {
        f"training/{module}"
        for module in (
            "folds/shared_network",
            "loop",
            "steps/step_trainer",
            "steps/train_step",
            "tensorboard",
        )
    }
)
"""The modules whose import starts TensorFlow; all others import them inside a function."""
OPTUNA = {"tuning/optuna_trials", "tuning/study"}
"""The modules that import Optuna; `study` is imported inside a function alone."""


def imports(module: Path, *, top_only: bool = False) -> set[str]:
    """The dotted names of what a module imports at run time."""
    tree = ast.parse((PACKAGE / module).with_suffix(".py").read_text(encoding="utf-8"))
    found: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        todo.extend(ast.iter_child_nodes(node))
    return found


def users(dotted: set[str], *, top_only: bool = False) -> set[str]:
    """The modules that import one of some modules, or something out of it."""
    pattern = re.compile("|".join(rf"{re.escape(name)}(\..*)?" for name in dotted))
    return {
        module.as_posix()
        for module in MODULES
        if any(pattern.fullmatch(name) for name in imports(module, top_only=top_only))
    }


def dotted(modules: set[str]) -> set[str]:
    return {f"embedclf.{module.replace('/', '.')}" for module in modules}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package and of the contract that stands in pyproject.toml."""
    shutil.copytree(PACKAGE, tmp_path / "embedclf", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_packages_import_only_from_packages_below(copied: Path) -> None:
    done = lint_imports(copied)
    assert done.returncode == 0, done.stdout


def test_an_import_from_above_is_refused(copied: Path) -> None:
    tokens = copied / "embedclf" / "text" / "tokens.py"
    source = tokens.read_text(encoding="utf-8")
    tokens.write_text(f"{source}\nimport embedclf.cli.main\n", encoding="utf-8")
    done = lint_imports(copied)
    assert done.returncode == 1
    assert "embedclf.text is not allowed to import embedclf.cli" in done.stdout


def test_every_package_has_its_layer() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    layers = set(re.findall(r"embedclf\.(\w+)", pyproject.partition("[tool.importlinter]")[2]))
    assert layers >= {package.parts[0] for package in PACKAGES}


def test_the_root_holds_packages_and_little_else() -> None:
    here = {module.name for module in MODULES if len(module.parts) == 1}
    assert here == {"__init__", "__main__", "arrow", "errors"}


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_package_has_few_modules_and_says_what_lives_there(package: Path) -> None:
    assert len([module for module in MODULES if module.parent == package]) <= 16
    [docstring] = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_opens_with_its_subject_and_stays_small(module: Path) -> None:
    source = (PACKAGE / module).with_suffix(".py").read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert len(source.splitlines()) <= 320


def test_few_modules_import_tensorflow() -> None:
    assert users({"tensorflow", "keras"}) == TENSORFLOW


def test_few_modules_start_tensorflow_when_they_are_imported() -> None:
    starters = dotted(STARTS_TENSORFLOW)
    assert users(starters, top_only=True) <= STARTS_TENSORFLOW


def test_optuna_is_imported_only_where_studies_are() -> None:
    assert users({"optuna", "sqlalchemy"}) <= OPTUNA
    assert users(dotted(OPTUNA), top_only=True) <= OPTUNA


def test_pages_and_exports_alone_import_matplotlib_and_jinja() -> None:
    importing = {user.rpartition("/")[0] for user in users({"matplotlib", "jinja2"})}
    assert importing <= {"export", "reports/html"}


def test_click_is_imported_by_the_command_line_alone() -> None:
    assert {user.partition("/")[0] for user in users({"click"})} == {"cli"}


def imported_by(*args: str) -> str:
    command = [sys.executable, "-X", "importtime", "-m", "embedclf", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr


@pytest.mark.parametrize(
    ("args", "heavy"),
    [
        (("--help",), "tensorflow keras pandas sklearn pyarrow numpy pydantic matplotlib jinja2"),
        (("train", "--help"), "tensorflow keras pandas sklearn pyarrow numpy pydantic jinja2"),
        (("schema",), "tensorflow keras pandas sklearn pyarrow numpy matplotlib jinja2"),
        (("runs",), "tensorflow keras pandas sklearn pyarrow numpy pydantic matplotlib jinja2"),
        (
            ("predict", "-t", "a", "--run", str(ROOT / "tests/formats/5/binary-average")),
            "tensorflow keras",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_starts_without_what_it_does_not_use(args: tuple[str, ...], heavy: str) -> None:
    imported = imported_by(*args)
    for module in heavy.split():
        assert not re.search(rf"\| +{module}\b", imported), module
