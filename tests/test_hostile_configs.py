"""Configs of any content end a command with a status and lines, never with a traceback."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedclf.cli.main import main
from embedclf.cli.process import IMPORT_THREAD
from tests.conftest import write_csv
from tests.system.test_control_characters import UNSAFE

if TYPE_CHECKING:
    from pathlib import Path

WORDS = st.sampled_from(
    "data train text label encoding model training tune seed auto null yes 1e5 .inf *a &a <<"
    " !!int !!binary 0xfff 2001-02-30 utf-9 t.csv glove [ ] { } - ? : , | > ' \" # % @ %YAML"
    " --- ...".split()
)
SCALARS = WORDS | st.text(max_size=6) | st.integers().map(str) | st.sampled_from(['"\\0"', "\0"])
LINES = st.lists(
    st.builds(
        lambda indent, words: "  " * indent + " ".join(words),
        st.integers(0, 3),
        st.lists(SCALARS, max_size=5),
    ),
    max_size=8,
).map("\n".join)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(SCALARS, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    "data.text data.label data.encoding data.fields data.skip_lines data.validation data.test"
    " model.vectors model.hidden_units training.class_weight training.threshold text.ngrams"
    " tune.training seed".split()
)
"""Where a value can stand whose type allows for much."""


def config_with(key: str, value: str) -> str:
    section, _, name = key.partition(".")
    if section == "data":
        return f"data: {{train: t.csv, {name}: {value}}}\n"
    return f"data: {{train: t.csv}}\n{section}: " + (f"{{{name}: {value}}}" if name else value)


TEXTS = (
    LINES
    | st.builds(config_with, KEYS, VALUES)
    | st.builds(
        lambda text, times: text * times,
        st.sampled_from(["[", "- ", "{a: ", "? ", "&a ", "!"]),
        st.integers(1, 400),
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of two rows, of which a command soon says what is wrong."""
    folder = tmp_path_factory.mktemp("hostile")
    write_csv(folder / "t.csv", ["text", "label"], [("good", "a"), ("bad", "a")])
    return folder


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, st.sampled_from(["check", "train", "summary"]))
def test_any_config_ends_with_a_status_and_short_lines(
    folder: Path, text: str, command: str
) -> None:
    config = folder / "c.yaml"
    config.write_bytes(text.encode("utf-8", "surrogatepass"))
    done = CliRunner().invoke(main, [command, str(config), "-q"])
    for thread in threading.enumerate():
        if thread.name == IMPORT_THREAD:
            thread.join()
    assert isinstance(done.exception, SystemExit | None), (text, done.exception)
    assert done.exit_code in {0, 1, 2}, (text, done.output)
    assert all(len(line) < 1000 for line in done.stderr.splitlines()), (text, done.stderr)
    assert not UNSAFE.search(done.output), (text, done.output)
