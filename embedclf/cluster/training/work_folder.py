"""The files of a training on a cluster: each task's output, whole or not at all, with its CRC-32.

A task whose output is whole is not done again. That makes a killed worker and a killed client the
same thing: what is missing is done by whoever comes next. A power failure can leave files without
their content. The checksums find them when a training resumes.
"""

from __future__ import annotations

import json
import shutil
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import RunError
from embedclf.system.files import map_file
from embedclf.system.publishing.drafts import draft_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from embedclf.system.arrays import Floats


@dataclass(frozen=True)
class WorkFolder:
    """A folder that all machines see under the same path."""

    path: Path

    def folder(self, name: str) -> WorkFolder:
        """Return a folder in this one, which is created if it does not exist."""
        inner = self.path / name
        inner.mkdir(parents=True, exist_ok=True)
        return WorkFolder(inner)

    def remove(self) -> None:
        """Remove all files."""
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        """Open a file that appears once it is complete."""
        # Not flushed to the disk: a process that is killed loses nothing that it has written
        with draft_file(self.path / name, durable=False) as file:
            yield file

    def write_array(self, name: str, values: npt.NDArray[Any]) -> str:
        """Write an array; return the name of its file."""
        with self.writing(f"{name}.npy") as file:
            np.save(file, values)
        return f"{name}.npy"

    def write_tables(
        self, name: str, rows: int, widths: Sequence[int], blocks: Iterable[Sequence[Floats]]
    ) -> list[str]:
        """Write tables of which some rows come at a time; return the names of their files.

        Args:
            name: How the names of the files begin.
            rows: Of each table.
            widths: Numbers in a row of each table.
            blocks: The next rows of all tables.
        """
        dtype = np.lib.format.dtype_to_descr(np.dtype(np.float32))
        names = [f"{name}-table-{number}.npy" for number in range(len(widths))]
        with ExitStack() as stack:
            files = [stack.enter_context(self.writing(each)) for each in names]
            for file, width in zip(files, widths, strict=True):
                header = {"descr": dtype, "fortran_order": False, "shape": (rows, width)}
                np.lib.format.write_array_header_1_0(file, header)
            for block in blocks:
                for file, values in zip(files, block, strict=True):
                    file.write(np.ascontiguousarray(values).data)
        return names

    def count_bytes(self, files: Iterable[str]) -> int:
        """Return the size of some files."""
        return sum((self.path / name).stat().st_size for name in files)

    def map_array(self, name: str) -> npt.NDArray[Any]:
        """Map an array into memory.

        Raises:
            RunError: The file is missing or too short.
        """
        path = self.path / f"{name}.npy"
        try:
            # A plain array, because parts of an `np.memmap` are slow to take
            return np.asarray(np.load(path, mmap_mode="r"))
        except (OSError, ValueError) as error:
            raise damaged(path) from error

    def do(
        self, task: str, work: Callable[[], tuple[Mapping[str, Any], Sequence[str]]]
    ) -> dict[str, Any]:
        """Do a task unless it was done before, and return its values.

        Args:
            task: Its name.
            work: Writes its files; returns its values, which JSON can hold, and the files' names.
        """
        done = self.read(task)
        if done is not None:
            return done
        values, files = work()
        manifest = {"values": values, "crc32": {name: checksum(self.path / name) for name in files}}
        with self.writing(f"{task}.json") as file:
            file.write(json.dumps(manifest).encode())
        written: dict[str, Any] = json.loads(json.dumps(values))
        return written

    def read(self, task: str, *, checks: bool = True) -> dict[str, Any] | None:
        """Return the values of a task, or None if a file is missing or not as it was written.

        Args:
            task: Its name.
            checks: Whether to read the files, too.
        """
        try:
            manifest = json.loads((self.path / f"{task}.json").read_bytes())
            files = manifest["crc32"].items() if checks else ()
            whole = all(checksum(self.path / name) == expected for name, expected in files)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        values: dict[str, Any] = manifest["values"]
        return values if whole else None


def checksum(path: Path) -> int:
    """Return the CRC-32 of a file.

    Raises:
        OSError: It cannot be read.
    """
    return zlib.crc32(map_file(path)[0])


def damaged(path: Path) -> RunError:
    """Return the error of a file that is missing, or not as it was written."""
    return RunError(f"{path}: not as it was written; train again with --resume")
