"""README and docs: complete, no longer than they should be, and run as printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from html.parser import HTMLParser
from typing import TYPE_CHECKING, get_args

import click
import pytest
from ruamel.yaml import YAML

from embedclf.audit.findings import Kind
from embedclf.cli.main import main
from embedclf.config.loading import load_config
from tests.conftest import ROOT, Invoke
from tests.reference import PAGES as PAGES_OF_COMMANDS
from tests.reference import command_overview, command_reference, common_options, key_reference
from tests.sessions import BLOCK, Shell, differences, printed_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]
GENERATED = re.compile(r"(<!-- generated: (.*?) -->\n\n).*?(<!-- end -->)", re.DOTALL)
GENERATORS: dict[str, Callable[..., str]] = {
    "command-overview": command_overview,
    "common-options": common_options,
    "commands": command_reference,
    "keys": lambda section="": key_reference(section),
}


FAILING = re.compile(r"^\$ embedclf [^\n]*\n(?:[^$][^\n]*\n)*\$ echo \$\?$", re.MULTILINE)
VISIBLE = sorted(name for name, command in main.commands.items() if not command.hidden)


def generated_again(text: str) -> str:
    """Fill in the generated parts of a page: `<!-- generated: GENERATOR ARGUMENT... -->`."""

    def fill(part: re.Match[str]) -> str:
        name, *arguments = part[2].split()
        return f"{part[1]}{GENERATORS[name](*arguments).rstrip()}\n\n{part[3]}"

    return GENERATED.sub(fill, text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_generated_parts_are_up_to_date(page: Path, request: pytest.FixtureRequest) -> None:
    text = page.read_text(encoding="utf-8")
    if request.config.getoption("--golden"):
        page.write_text(generated_again(text), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == generated_again(text)


@pytest.mark.no_cover  # other tests reach these lines, and coverage makes pages a third slower
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_sessions_and_programs_run_as_printed(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    invoke: Invoke,
    request: pytest.FixtureRequest,
) -> None:
    for folder in ("configs", "data"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True)
    text = page.read_text(encoding="utf-8")
    if "\n$ node " in text and not shutil.which("node"):
        pytest.skip("node is not installed")
    for package in re.findall(
        r"^(?:import|from) (ai_edge_litert|onnxruntime)\b", text, re.MULTILINE
    ):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMBEDCLF_RUN", raising=False)
    with closing(Shell(invoke, monkeypatch.setenv, tmp_path)) as shell:
        printed = printed_again(text, shell)
    if request.config.getoption("--golden"):
        page.write_text(printed, encoding="utf-8")
    else:
        assert differences(printed, text) == []


@pytest.mark.parametrize(
    ("printed", "documented", "same"),
    [
        ("rows 1,168 train", "rows 1,168 train", True),
        ("rows 1,168 train", "rows 1,169 train", False),
        ("accuracy 0.7945", "accuracy 0.7946", True),
        ("accuracy 0.7945", "accuracy 0.8045", False),
        ("train 55.1% of texts", "train 55.2% of texts", True),
        ("train 55.1% of texts", "train 56.1% of texts", False),
        ("12 epochs in 1.7s: done", "12 epochs in 22.5s: done", True),
        ("12 epochs in 1.7s: done", "12 epochs in 1m 2s: done", True),
        ("12 epochs in 1.7s: done", "13 epochs in 1.7s: done", False),
        ("positive 0.9", "negative 0.9", False),
        ("a line\n", "a line\nand another\n", False),
    ],
)
def test_sessions_agree_if_only_the_machine_differs(
    printed: str, documented: str, same: bool
) -> None:
    assert (differences(printed, documented) == []) is same


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short(page: Path) -> None:
    limit = 200 if page == README else 300
    assert len(page.read_text(encoding="utf-8").splitlines()) <= limit


def mentioned_commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `embedclf` wherever a page shows a command that does not fail."""
    text = FAILING.sub("", text)
    spans = re.findall(r"(?<!`)`embedclf ([^`\n]+)`", text)
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    for line in [*spans, *re.findall(r"(?:^|[|] |\$ )embedclf (.*)", "\n".join(lines), re.M)]:
        yield shlex.split(line.partition(" > ")[0].partition(" | ")[0], comments=True)


def unknown_words(words: list[str]) -> list[str]:
    """The command or the options of a mentioned command that do not exist."""
    command: click.Command = main
    options = {"-h", "--help", "--version", "-V"}
    for word in words:
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
            options |= {
                opt for param in command.params for opt in (*param.opts, *param.secondary_opts)
            }
    if command is main and not words[0].startswith("-"):
        return words[:1]
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return [option for option in given if option not in options]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_options_that_a_page_mentions_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wrong = {
        " ".join(words): unknown
        for words in mentioned_commands(text)
        if (unknown := unknown_words(words))
    }
    assert wrong == {}


def test_an_option_that_does_not_exist_is_noticed() -> None:
    assert unknown_words(["train", "data.csv", "--epochs", "5"]) == ["--epochs"]
    assert unknown_words(["trian", "data.csv"]) == ["trian"]
    assert unknown_words(["embeddings", "map", "-o", "map.html"]) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_and_make_targets_that_a_page_mentions_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = re.findall(r"`((?:embedclf|tests|configs|data|docs)/[\w/.-]+\.\w+)`", text)
    assert [file for file in files if not (ROOT / file).exists()] == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {*re.findall(r"(?:`|^|datasets )make ([a-z-]+)", text, re.MULTILINE)} <= targets


def test_functions_that_contributing_names_exist() -> None:
    text = (DOCS / "contributing.md").read_text(encoding="utf-8")
    names = re.findall(r"`(?:\w+\.)?(_?[a-z]+(?:_[a-z]+)+|_[a-z]+)`", text)
    code = "".join(file.read_text("utf-8") for file in (ROOT / "embedclf").rglob("*.py"))
    assert len(names) >= 5
    assert [name for name in names if not re.search(rf"def {name}\(", code)] == []


def test_make_help_fits_a_terminal_of_80_columns() -> None:
    command = ["make", "-s", "-C", str(ROOT), "help"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert max(map(len, printed.splitlines())) <= 80
    for group in ("Use", "Develop", "Benchmarks"):
        assert f"\n{group}" in printed


@pytest.mark.parametrize("command", VISIBLE)
def test_the_readme_lists_every_command(command: str) -> None:
    assert f"`embedclf {command}" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", VISIBLE)
def test_the_docs_describe_every_command(command: str) -> None:
    pages = [DOCS / name for name in PAGES_OF_COMMANDS]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert re.search(rf"^## {command}( \w+)?$", text, re.MULTILINE)


def test_the_docs_list_every_finding_of_check() -> None:
    text = (DOCS / "checking.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w]+-[\w-]+|duplicate)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(get_args(Kind))


@pytest.mark.parametrize("status", ["0", "1", "2", "130"])
def test_the_docs_list_every_exit_status(status: str) -> None:
    assert f"| {status} |" in (DOCS / "errors.md").read_text(encoding="utf-8")


def test_the_errors_that_the_docs_explain_exist() -> None:
    text = (DOCS / "errors.md").read_text(encoding="utf-8").partition("## Common errors")[2]
    fragments = re.findall(r"^\| `([^`]+)` \|", text.partition("\n## ")[0], re.MULTILINE)
    code = "".join(file.read_text("utf-8") for file in (ROOT / "embedclf").rglob("*.py"))
    assert len(fragments) >= 5
    assert [fragment for fragment in fragments if fragment not in code] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_calls_a_folder_a_folder(page: Path) -> None:
    assert not re.search(r"(?<!working )\bdirector(?:y|ies)\b", page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_configs_that_a_page_shows_can_be_loaded(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        config = YAML(typ="safe").load(block) or {}
        config.setdefault("data", {}).setdefault("train", "table.csv")
        path = tmp_path / "config.yaml"
        YAML().dump(config, path)
        load_config(path)


def test_links_of_the_readme_lead_somewhere() -> None:
    text = README.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        page = ROOT / (target or "README.md")
        assert page.exists(), target
        headings = (
            re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M) if anchor else []
        )
        anchors = {
            re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
        }
        assert not anchor or anchor in anchors, anchor


class Loaded(HTMLParser):
    """Collects what a browser would load for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img", "iframe", "source"}:
            self.addresses.append(values.get("src") or "")
        if tag == "link":
            self.addresses.append(values.get("href") or "")


def test_the_site_builds_without_a_warning_and_loads_nothing_from_the_network(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    pages = [file for file in tmp_path.rglob("*.html") if file.name != "404.html"]
    assert len(pages) == len(PAGES) - 1
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert not [address for address in loaded.addresses if "//" in address], page
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", style.read_text("utf-8"))


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_every_config_loads_and_has_a_comment_with_its_command_and_scores(path: Path) -> None:
    load_config(path)
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(comment) >= 3
    assert f"#   embedclf train configs/{path.name}" in comment
    assert re.search(r"\d\.\d\d", "\n".join(comment)), "no figure measured"


def test_the_bundled_tables_are_as_documented(invoke: Invoke) -> None:
    documented = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for name in ("reviews", "tickets"):
        lines = (ROOT / "data" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len({line.lower() for line in lines})
        assert f"| `{name}.csv` | {len(lines) - 1:,} |" in documented
        for label in {line.rpartition(",")[2] for line in lines[1:]}:
            rows = sum(line.endswith(f",{label}") for line in lines)
            assert f"`{label}` {rows}" in documented
        assert invoke("check", ROOT / "data" / f"{name}.csv").stdout


def test_figures_of_the_readme_stand_among_the_benchmarks() -> None:
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    benchmarks = page.partition("## Accuracy")[2].partition("\n## ")[0]
    table = README.read_text(encoding="utf-8").partition("## How good is it")[2]
    rows = re.findall(
        r"^\| ([^|]+?) \|[^|]*\|([^|]*)\|([^|]*)\|$", table.partition("\n## ")[0], re.M
    )
    measured = [row for row in rows if "0." in row[1]]
    assert measured
    for name, *scores in measured:
        [line] = [
            line
            for line in benchmarks.splitlines()
            if line.startswith(f"| {name.partition(' (')[0]}")
        ]
        for score in scores:
            assert re.sub(r"[ *]", "", score) in {
                f"{float(number):.3f}" for number in re.findall(r"0\.\d{3,4}", line)
            }, (name, score)
