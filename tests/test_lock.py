"""The pinned packages: one list, with hashes for those who check them."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.conftest import ROOT

LOCK = ROOT / "requirements.lock"

if not LOCK.exists():
    pytest.skip("no requirements.lock beside the tests", allow_module_level=True)


def test_the_constraints_are_the_lock_without_its_hashes() -> None:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    pinned = [line.removesuffix(" \\") for line in lines if re.match("[a-z0-9]", line)]
    assert (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() == pinned
    hashes = [line for line in lines if line not in pinned and "--hash=sha256:" in line]
    assert len(hashes) >= len(pinned)
    assert not [line for line in lines if "://" in line]  # no registry is named


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    wanted = {re.split(r"[\[<>=;]", each)[0] for each in [*project["dependencies"], *extras]}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0] for line in pins}
    assert {re.sub(r"[._]", "-", each) for each in wanted} - {"embedclf"} <= pinned
