"""Attacks by input: what is damaged, and the commands that read it.

An attack is a function in `FUZZED`. It writes its files into a folder, and returns the commands.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa
from pyarrow import parquet

from embedclf.cli.main import main
from tests.benchmarks.robust_damage import HOSTILE_NAMES, change_value, damage
from tests.conftest import reviews
from tests.runs.hostile import seal

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

_TASKS = ("binary", "multiclass", "multilabel")

COMPACT = "compact"
"""Name of a compact run."""

_RUN_FILES = ("run.json", "labels.json", "text.json", "weights.json", "metrics.json")


@dataclass(frozen=True)
class Attack:
    """Commands that read something hostile, one after another as long as they succeed."""

    commands: list[list[Any]]
    stdin: Path | None = None
    """What comes to them through a pipe."""


def _csv(rng: random.Random) -> bytes:
    lines = [f'"{text}",{label}' for text, label in _reviews(rng)]
    return "\n".join(["text,label", *lines]).encode()


def _json_lines(rng: random.Random) -> bytes:
    rows = [json.dumps({"text": text, "label": label}) for text, label in _reviews(rng)]
    return "\n".join(rows).encode()


def _parquet(rng: random.Random) -> bytes:
    texts, labels = zip(*_reviews(rng), strict=True)
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"text": texts, "label": labels}), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _lines(rng: random.Random) -> bytes:
    return "\n".join(text for text, _ in _reviews(rng)).encode()


def _reviews(rng: random.Random) -> list[tuple[str, str]]:
    return reviews(rng.choice((4, 40, 160)))


def _damaged(make: Callable[[random.Random], bytes]) -> Callable[[random.Random], bytes]:
    return lambda rng: damage(rng, make(rng))


def _workbook(rng: random.Random) -> bytes:
    """Return a workbook that is damaged, or in which a file of the archive is."""
    from xlsxwriter import Workbook

    sink = io.BytesIO()
    with Workbook(sink, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([("text", "label"), *_reviews(rng)]):
            sheet.write_row(number, 0, row)
    if rng.random() < 0.3:
        return damage(rng, sink.getvalue())
    changed = io.BytesIO()
    with zipfile.ZipFile(sink) as before, zipfile.ZipFile(changed, "w") as after:
        damaged = rng.choice(before.namelist())
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, damage(rng, content) if name == damaged else content)
    return changed.getvalue()


def _attack_table(suffix: str, make: Callable[[random.Random], bytes]) -> Any:
    def attack(rng: random.Random, project: Path, folder: Path) -> Attack:
        file = folder / f"t{suffix}"
        file.write_bytes(make(rng))
        run = project / "runs" / "binary"
        commands = (
            ["check", file],
            ["init", file, "-o", folder / "c.yaml"],
            ["predict", file, "--run", run, "-o", folder / "out.csv"],
            ["evaluate", "--run", run, "--data", file, "--no-baseline"],
        )
        return Attack([rng.choice(commands)])

    return attack


def _attack_lines(rng: random.Random, project: Path, folder: Path) -> Attack:
    file = folder / "lines.txt"
    file.write_bytes(damage(rng, _lines(rng)))
    options = ("--json",) if rng.random() < 0.5 else ("-o", folder / "out.jsonl")
    return Attack([["predict", file, "--run", project / "runs" / "binary", *options]])


def _attack_pipe(rng: random.Random, project: Path, folder: Path) -> Attack:
    """Pipe a table into a prediction."""
    make, formats = rng.choice(
        ((_csv, ("csv",)), (_json_lines, ("jsonl", "json")), (_lines, ("lines",)))
    )
    file = folder / "stdin"
    file.write_bytes(damage(rng, make(rng)))
    named = ("--input-format", rng.choice(formats)) if rng.random() < 0.5 else ()
    suffix = rng.choice(("csv", "jsonl", "parquet", "xlsx"))
    options = rng.choice(((), ("--json",), ("-o", folder / f"out.{suffix}"), ("--safe-csv",)))
    run = project / "runs" / rng.choice(_TASKS)
    return Attack([["predict", "-", "--run", run, *named, *options]], file)


def _attack_names(rng: random.Random, project: Path, folder: Path) -> Attack:
    """Give columns and labels hostile names; the config that init writes is checked."""
    del project
    text, label, *labels = rng.choices(HOSTILE_NAMES, k=4)
    rows = [(row, labels[index % 2]) for index, (row, _) in enumerate(reviews(40))]
    file = folder / rng.choice(("t.jsonl", "t.csv"))
    if file.suffix == ".jsonl":
        lines = [json.dumps({text: row, label: name}) for row, name in rows]
    else:
        cells = [[_quoted(cell) for cell in row] for row in [(text, label), *rows]]
        lines = [",".join(row) for row in cells]
    file.write_text("\n".join(lines), encoding="utf-8")
    named = ("--text", text, "--label", label) if rng.random() < 0.5 else ()
    config = folder / "c.yaml"
    return Attack([["init", file, "-o", config, *named], ["check", config], ["schema"]])


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _attack_arguments(rng: random.Random, project: Path, folder: Path) -> Attack:
    """Give a command hostile values of its options, and files with hostile names."""
    name, command = rng.choice([*_commands()])
    file = folder / rng.choice(("t.csv", " ", "-x.csv", "$HOME.csv", "a\nb.csv", "caf\u00e9.csv"))
    file.write_bytes(_csv(rng))
    (folder / "folder").mkdir()
    words = [*name.split()]
    for option in rng.sample([p for p in command.params if isinstance(p, click.Option)], k=2):
        words.append(rng.choice(option.opts))
        if not option.is_flag:
            words.append(_hostile_value(rng, option, file.name))
    # Training is another attack: these two get a table that does not exist.
    reads = "no.csv" if name in {"train", "tune", "suspects"} else f"./{file.name}"
    words += [reads] * any(isinstance(p, click.Argument) for p in command.params)
    has_run = any("--run" in option.opts for option in command.params)
    words += ["--run", str(project / "runs" / rng.choice(_TASKS))] * has_run
    return Attack([words])


def _commands() -> Iterator[tuple[str, click.Command]]:
    for command in [command for command in main.commands.values() if not command.hidden]:
        if isinstance(command, click.Group):
            yield from ((f"{command.name} {name}", each) for name, each in command.commands.items())
        else:
            yield str(command.name), command


def _hostile_value(rng: random.Random, option: click.Option, file: str) -> str:
    if isinstance(option.type, click.Choice) and rng.random() < 0.5:
        return str(rng.choice([*option.type.choices]))
    if "path" in option.type.name:  # inside its own folder, since some options write
        return rng.choice((file, "folder", "no/such/file", "out.csv", "out.xlsx", "a" * 300, ""))
    numbers = ("0", "-1", "1", "3", "1e999", "nan", "9" * 30, "0x10", "\u0663", "1_0")
    return rng.choice((*numbers, *HOSTILE_NAMES, "text", "label", "x=1", "data.train=1"))


def _attack_config(rng: random.Random, project: Path, folder: Path) -> Attack:
    for file in project.glob("*.csv"):
        (folder / file.name).symlink_to(file)
    file = folder / "c.yaml"
    file.write_bytes(damage(rng, (project / f"{rng.choice(_TASKS)}.yaml").read_bytes()))
    return Attack([[rng.choice(("check", "check", "check", "summary")), file]])


def _attack_vectors(rng: random.Random, project: Path, folder: Path) -> Attack:
    """Damage word vectors, as GloVe or with the header of word2vec."""
    content = (project / "vectors.txt").read_bytes()
    if rng.random() < 0.5:
        content = b"%d 8\n" % content.count(b"\n") + content
    file = folder / rng.choice(("vectors.txt", "vectors.vec", "wiki.vec", "glove.6B.8d.txt"))
    file.write_bytes(damage(rng, content))
    return Attack([["check", project / "binary.yaml", "-s", f"model.initialization={file}"]])


def _attack_run(rng: random.Random, project: Path, folder: Path) -> Attack:
    run = shutil.copytree(project / "runs" / rng.choice((*_TASKS, COMPACT)), folder / "runs" / "r")
    files = [file for file in run.rglob("*") if file.is_file()]
    if rng.random() < 0.5:
        change_value(rng, run, rng.choice(_RUN_FILES))
    else:
        file = rng.choice(files)
        file.write_bytes(damage(rng, file.read_bytes()))
        if file.name != "run.json":
            seal(run)
    text = ("good hotel", "--run", run)
    commands = (
        ["predict", "-t", *text],
        ["explain", *text],
        ["summary", run],
        ["summary", run, "--json"],
        ["runs"],
        ["embeddings", "neighbors", *text],
        ["export", "--format", "npz", "-o", folder / "v.npz", "--run", run],
        ["embeddings", "map", "-o", folder / "m.html", "--run", run],
        ["report", run, "-o", folder / "r.html"],
        ["threshold", "--run", run],
        ["evaluate", "--run", run, "--no-baseline"],
        ["compare", run, project / "runs" / "binary"],
        ["export", run, "--format", "onnx", "-o", folder / "onnx"],
        ["export", run, "--format", "compact", "-o", folder / "compact"],
    )
    return Attack([rng.choice(commands)])


FUZZED: dict[str, Callable[[random.Random, Path, Path], Attack]] = {
    "CSV": _attack_table(".csv", _damaged(_csv)),
    "JSON Lines": _attack_table(".jsonl", _damaged(_json_lines)),
    "Parquet": _attack_table(".parquet", _damaged(_parquet)),
    "Excel": _attack_table(".xlsx", _workbook),
    "lines": _attack_lines,
    "pipe": _attack_pipe,
    "names": _attack_names,
    "arguments": _attack_arguments,
    "config": _attack_config,
    "vectors": _attack_vectors,
    "run": _attack_run,
}
