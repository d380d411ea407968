"""Engines that are started once for all tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.export.javascript.engines import Chromium, Node, serve_files, start_node
from tests.serving.browser import open_browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with start_node() as started:
        yield started


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for exports."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Chromium]:
    profile = tmp_path_factory.mktemp("profile")
    with open_browser(profile) as browser, serve_files(root) as address:
        yield Chromium(browser, root, address)
