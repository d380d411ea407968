from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import embedclf

PACKAGE = Path(embedclf.__file__).parent

LAYERS = [
    {"errors", "columns", "batches", "pools", "interrupts"},
    {
        "words",
        "kinds",
        "vocabularies",
        "findings",
        "layout",
        "rankings",
        "ranges",
        "locks",
        "fields",
    },
    {"tokens", "ngrams"},
    {"fingerprints"},
    {"similarity", "signs"},
    {"yamlfile", "faults"},
    {"schema"},
    {"config", "space"},
    {"trials"},
    {"running"},
    {"studies"},
    {"textfiles"},
    {"records", "parquet", "spelling"},
    {"wordvectors"},
    {"vectorsources"},
    {"delimited"},
    {"jsonlines"},
    {"tables"},
    {"atomic", "data", "profiles", "separators"},
    {"labels", "discovery", "rewriting"},
    {"survey", "companions"},
    {"tokenizer"},
    {"scratch"},
    {"parts", "weights", "calibration", "thresholds"},
    {"preparation", "suspicion"},
    {"chance", "beginnings"},
    {"vectorrows", "naive_bayes", "losses"},
    {"initialization", "vector_findings"},
    {"folding", "encodings", "traits", "unreadable"},
    {"examined"},
    {"repetitions", "label_findings", "text_findings", "giveaways"},
    {"auditing"},
    {"history", "classifier", "backend", "measures"},
    {"network", "updates", "kernels", "checkpoints"},
    {"run", "steps"},
    {"runs", "rendering"},
    {"sources", "outputs"},
    {"resampling", "scoring"},
    {"evaluation", "explanation", "prediction", "description", "fitting"},
    {"embeddings"},
    {"movement", "vectorfiles"},
    {"judging", "refitting"},
    {"settling"},
    {"training", "tryout", "baselines", "crossfit", "slices", "mistakes"},
    {"searching"},
    {"appraisal", "comparison", "decisions", "suspects", "best_runs"},
    {"tuning"},
    {"choices", "drawing", "vector_report"},
    {
        "projection",
        "report",
        "proposal",
        "suspect_report",
        "training_report",
        "markup",
        "plots",
        "tune_plots",
        "reporting",
        "verdicts",
    },
    {
        "answers",
        "audit_report",
        "embedding_report",
        "evaluation_report",
        "pages",
        "progress",
        "threshold_report",
        "tune_report",
    },
    {
        "talk",
        "tally",
        "comparison_report",
        "score_sections",
        "plot_sections",
        "run_sections",
        "tune_talk",
        "map_page",
    },
    {"report_page"},
    {"tune_page"},
    {"tune_files"},
    {"boundary", "console", "options"},
    {"data_commands", "embedding_commands", "run_commands", "text_commands", "tune_commands"},
    {"cli"},
    {"__main__"},
]
"""A room imports only from lines above its own."""

HEAVY = {"tensorflow", "keras"}
LIGHT_ROOMS = {
    "boundary",
    "cli",
    "audit_report",
    "data_commands",
    "embedding_commands",
    "findings",
    "run_commands",
    "text_commands",
    "tune_commands",
    "layout",
    "schema",
    "config",
    "errors",
    "report",
    "suspect_report",
    "training_report",
    "vector_report",
    "yamlfile",
    "faults",
    "run",
    "__init__",
}


def rooms() -> list[str]:
    return sorted(file.stem for file in PACKAGE.glob("*.py"))


def level(room: str) -> int:
    return next(i for i, line in enumerate(LAYERS) if room in line)


def imports(room: str, *, top_only: bool = False) -> set[str]:
    """Modules that a room imports at run time, dotted."""
    tree = ast.parse((PACKAGE / f"{room}.py").read_text(encoding="utf-8"))
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
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "embedclf" else {node.module or ""}
        todo.extend(ast.iter_child_nodes(node))
    return found


def test_every_room_has_its_place() -> None:
    assert set().union(*LAYERS) | {"__init__"} == set(rooms())


@pytest.mark.parametrize("room", [room for room in rooms() if room != "__init__"])
def test_a_room_imports_only_from_rooms_above_it(room: str) -> None:
    for module in imports(room):
        match = re.fullmatch(r"embedclf\.(\w+)", module)
        if match and match[1] != "__version__":
            assert level(match[1]) < level(room), f"{room} imports {match[1]}"


def test_keras_and_tensorflow_are_imported_in_one_room() -> None:
    users = {room for room in rooms() if {m.split(".")[0] for m in imports(room)} & HEAVY}
    assert users == {"backend"}


def test_only_rooms_of_the_network_and_its_training_start_tensorflow() -> None:
    inner = {"network", "updates", "kernels", "steps", "fitting"}
    starters = {f"embedclf.{room}" for room in {"backend", *inner}}
    users = {room for room in rooms() if imports(room) & starters}
    assert users == {
        *inner,
        "training",
        "refitting",
        "judging",
        "tryout",
        "tuning",
        "crossfit",
        "description",
    }
    for user in users - inner:
        assert not imports(user, top_only=True) & starters


@pytest.mark.parametrize("room", sorted(LIGHT_ROOMS))
def test_light_rooms_import_nothing_heavy_at_the_top(room: str) -> None:
    top = {module.split(".")[0] for module in imports(room, top_only=True)}
    assert not top & {"tensorflow", "keras", "pandas", "sklearn", "pyarrow", "numpy"}


def imported_by(*args: str) -> str:
    command = [sys.executable, "-X", "importtime", "-m", "embedclf", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr


def test_optuna_is_imported_only_where_studies_are() -> None:
    for room in rooms():
        if {"optuna", "sqlalchemy"} & {module.split(".")[0] for module in imports(room)}:
            assert room in {"running", "studies"}
        if {"embedclf.running", "embedclf.studies"} & imports(room, top_only=True):
            assert room == "studies"


def test_help_starts_without_anything_heavy() -> None:
    told = imported_by("--help")
    for module in ("tensorflow", "keras", "pandas", "sklearn", "pyarrow", "numpy", "pydantic"):
        assert not re.search(rf"\| +{module}\b", told), module


def test_schema_starts_without_anything_heavy() -> None:
    told = imported_by("schema")
    for module in ("tensorflow", "keras", "pandas", "sklearn", "pyarrow", "numpy"):
        assert not re.search(rf"\| +{module}\b", told), module


def test_modules_open_with_their_subject_and_stay_small() -> None:
    for room in rooms():
        source = (PACKAGE / f"{room}.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(source)), room
        assert len(source.splitlines()) <= 320, room
