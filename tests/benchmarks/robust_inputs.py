"""Hostile inputs: valid ones, damaged at random, and given to the commands that read them."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from tests.benchmarks.processes import LAUNCHER, environment
from tests.conftest import reviews
from tests.runs.hostile import change_json, nodes, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST_SECONDS, MOST_MEGABYTES = 30.0, 1000.0


@dataclass(frozen=True)
class Case:
    """What a case broke, its seconds, and the megabytes of its process if they were measured."""

    faults: list[str]
    seconds: float
    megabytes: float = 0.0


_PIECES = (
    *(b"\0", b'"', b'""', b"'", b",", b";", b"\t", b"\r", b"\n", b"\\", b"|", b"%", b"&a ", b"*a"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\xed\xa0\x80", b"\x1b[2J", b"\xc2\x9b", b"\x80"),
    *("\u202e".encode(), "\u0130".encode(), "\U0001f469\u200d\U0001f469".encode(), b"NaN", b"-0"),
    *(
        b"1e999",
        b"0x" + b"f" * 5000,
        b"9" * 400,
        b"[" * 2000,
        b"{" * 2000,
        b'{"a":' * 900,
        b"- " * 900,
    ),
    *(b"<<: *a", b"!!python/object:os.system ", b"? ", b"--- ", b"null", b"true", b"a" * 70_000),
    *(b"\n" * 5000, b"," * 5000, b'"' * 5001, b"__label__x ", b"=cmd()", b"../", b"/dev/zero"),
)
_RUN_FILES = ("run.json", "labels.json", "text.json", "weights.json", "metrics.json")


def _csv(rng: random.Random) -> bytes:
    lines = [
        "text,label",
        *(f'"{text}",{label}' for text, label in reviews(rng.choice((4, 40, 160)))),
    ]
    return "\n".join(lines).encode()


def _json_lines(rng: random.Random) -> bytes:
    rows = reviews(rng.choice((4, 40, 160)))
    return b"\n".join(json.dumps({"text": text, "label": label}).encode() for text, label in rows)


def _parquet(rng: random.Random) -> bytes:
    texts, labels = zip(*reviews(rng.choice((4, 40))), strict=True)
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"text": texts, "label": labels}), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _lines(rng: random.Random) -> bytes:
    return b"\n".join(text.encode() for text, _ in reviews(rng.choice((4, 40))))


def _table_attack(suffix: str, make: Callable[[random.Random], bytes]) -> Any:
    def prepare(rng: random.Random, project: Path, folder: Path) -> list[Any]:
        file = folder / f"t{suffix}"
        file.write_bytes(damage(rng, make(rng)))
        run = project / "runs" / "binary"
        return rng.choice(
            (
                ["check", file],
                ["init", file, "-o", folder / "c.yaml"],
                ["predict", file, "--run", run, "-o", folder / "out.csv"],
                ["evaluate", "--run", run, "--data", file, "--no-baseline"],
            )
        )

    return prepare


def _attack_lines(rng: random.Random, project: Path, folder: Path) -> list[Any]:
    file = folder / "lines.txt"
    file.write_bytes(damage(rng, _lines(rng)))
    options = ("--json",) if rng.random() < 0.5 else ("-o", folder / "out.jsonl")
    return ["predict", file, "--run", project / "runs" / "binary", *options]


def _attack_config(rng: random.Random, project: Path, folder: Path) -> list[Any]:
    for file in project.glob("*.csv"):
        (folder / file.name).symlink_to(file)
    task = rng.choice(("binary", "multiclass", "multilabel"))
    file = folder / "c.yaml"
    file.write_bytes(damage(rng, (project / f"{task}.yaml").read_bytes()))
    return rng.choice(
        (["check", file], ["summary", file], ["schema", file], ["suspects", file, "--help"])
    )


def _attack_vectors(rng: random.Random, project: Path, folder: Path) -> list[Any]:
    file = folder / "vectors.txt"
    file.write_bytes(damage(rng, (project / "vectors.txt").read_bytes()))
    return ["check", project / "binary.yaml", "-s", f"model.initialization={file}"]


def _attack_run(rng: random.Random, project: Path, folder: Path) -> list[Any]:
    run = shutil.copytree(
        project / "runs" / rng.choice(("binary", "multiclass", "multilabel")), folder / "runs" / "r"
    )
    files = [file for file in run.rglob("*") if file.is_file()]
    if rng.random() < 0.5:
        _change_value(rng, run, rng.choice(_RUN_FILES))
    else:
        file = rng.choice(files)
        file.write_bytes(damage(rng, file.read_bytes()))
        if file.name != "run.json":
            seal(run)
    text = ("good hotel", "--run", run)
    return rng.choice(
        (
            ["predict", "-t", *text],
            ["explain", *text],
            ["summary", run],
            ["summary", run, "--json"],
            ["runs"],
            ["embeddings", "neighbors", *text],
            ["embeddings", "export", "--format", "npz", "-o", folder / "v.npz", "--run", run],
            ["report", run, "-o", folder / "r.html"],
            ["threshold", "--run", run],
            ["evaluate", "--run", run, "--no-baseline"],
        )
    )


FUZZED: dict[str, Callable[[random.Random, Path, Path], list[Any]]] = {
    "CSV": _table_attack(".csv", _csv),
    "JSON Lines": _table_attack(".jsonl", _json_lines),
    "Parquet": _table_attack(".parquet", _parquet),
    "lines": _attack_lines,
    "config": _attack_config,
    "vectors": _attack_vectors,
    "run": _attack_run,
}


def damage(rng: random.Random, content: bytes) -> bytes:
    """Change, remove, repeat and insert bytes, a few times."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        place = rng.randrange(len(changed) + 1)
        length = min(rng.choice((1, 2, 8, 100, 2000)), len(changed) - place)
        choice = rng.randrange(5)
        if choice == 0 and length:
            changed[place] ^= 1 << rng.randrange(8)
        elif choice == 1:
            del changed[place : place + length]
        elif choice == 2:
            changed[place:place] = changed[place : place + length] * rng.choice((1, 3, 50))
        elif choice == 3:
            changed[place:place] = rng.choice(_PIECES)
        else:
            changed[place : place + length] = rng.randbytes(length)
    return bytes(changed)


def read_hostile(kind: str, number: int, project: Path, folder: Path) -> Case:
    """Give a hostile input to a command."""
    folder.mkdir()
    rng = random.Random(f"{kind} {number}")  # noqa: S311 - cases, no secrets
    command = FUZZED[kind](rng, project, folder)
    status, seconds, megabytes = _run(command, folder)
    message = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
    faults = _find_faults(status, message)
    if seconds > LONGEST_SECONDS:
        faults.append(f"{seconds:.0f} s")
    if megabytes > MOST_MEGABYTES:
        faults.append(f"{megabytes:.0f} MB")
    if not faults:
        shutil.rmtree(folder)
    shown = " ".join(map(str, command))
    return Case([f"{fault} [{shown}]" for fault in faults], seconds, megabytes)


def _run(command: list[Any], folder: Path) -> tuple[int, float, float]:
    """Run a command; return its status, seconds and megabytes."""
    used, python = folder / "used", sys.executable
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            list(
                map(str, (python, "-I", "-S", LAUNCHER, used, python, "-m", "embedclf", *command))
            ),
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            process_group=0,
        )
        try:
            process.wait(2 * LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return -signal.SIGKILL, 2 * LONGEST_SECONDS, 0.0
    status, seconds, _, kilobytes = used.read_text(encoding="ascii").split()
    return int(status), float(seconds), float(kilobytes) / 1024


def _find_faults(status: int, message: str) -> list[str]:
    if "Traceback (most recent call last)" in message:
        return [f"traceback: {message.strip().splitlines()[-1][:200]}"]
    if status not in {0, 1, 2}:
        return [f"status {status}"]
    if status and not any(
        line.startswith(("embedclf: ", "Error: ")) for line in message.splitlines()
    ):
        return [f"status {status} without a line that says why"]
    return []


def _change_value(rng: random.Random, run: Path, name: str) -> None:
    """Replace a value in a JSON file of a run by another, and renew all checksums."""

    def change(values: dict[str, Any]) -> None:
        places = list(nodes(values))
        container, key = rng.choice(places)
        other, other_key = rng.choice(places)
        container[key] = rng.choice(
            (None, True, -1, 0, 1e308, 2**70, "", "x" * 1000, [], {}, [[]], other[other_key])
        )

    if name == "run.json":
        seal(run, change)
    else:
        change_json(run, name, change)
