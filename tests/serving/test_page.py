"""The page of a server, driven in a browser: texts, CSV files, tokens, downloads, small screens."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import json
import re
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from embedclf.inference.explain import explain
from embedclf.runs.run import Run
from embedclf.serving.app import create_app
from embedclf.serving.pages.page import PageRun, render_page
from embedclf.serving.settings import Limits, Settings
from tests.conftest import write_csv
from tests.reports.html.pages import Outline, in_chromium
from tests.serving.browser import Browser, open_browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

    from tests.conftest import Invoke

ACCEPTED = "a secret"

CLASSIFIED = "document.querySelector('#status').textContent.includes('classified with')"
FAILED = "document.querySelector('#status.caution')"
READY = "!document.querySelector('fieldset').disabled"

ARTICLES = """
[...document.querySelectorAll("article")].map(article => ({
  predicted: [...article.querySelectorAll("h2 .pair")].map(pair =>
    [pair.querySelector(".label").textContent, pair.querySelector(".probability").textContent]),
  texts: [...article.querySelectorAll(".text")].map(text => text.textContent),
  explained: [...article.querySelectorAll(".explained:not([hidden])")].map(p => p.textContent),
  marks: [...article.querySelectorAll("mark")].map(mark =>
    [mark.textContent, mark.classList.contains("unknown"), Number(mark.title),
     getComputedStyle(mark).backgroundColor]),
  ranking: [...article.querySelectorAll("li")].map(rank =>
    [rank.querySelector("bdi").textContent, rank.querySelector(".probability").textContent,
     rank.classList.contains("predicted"),
     getComputedStyle(rank.querySelector("i")).backgroundSize]),
  elements: article.querySelectorAll("script, b").length,
  hasNote: !article.querySelector(".default").hidden,
}))
"""


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve an app on a free port, and yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def served(runs: dict[str, Run]) -> Iterator[str]:
    folders = tuple(runs[task].path for task in ("binary", "multiclass", "multilabel"))
    with serve(create_app(Settings(folders, Limits(max_rows=10)))) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def classify(browser: Browser, text: str, run: str = "binary-1") -> list[dict[str, Any]]:
    """Type texts, click the button and return what the page shows."""
    select_run(browser, run)
    browser.type("#texts", text)
    browser.click("#request button")
    browser.wait_until(CLASSIFIED)
    articles: list[dict[str, Any]] = browser.run(ARTICLES)
    return articles


def select_run(browser: Browser, run: str) -> None:
    select = f"document.querySelector('#run').value = {run!r}"
    browser.run(f"{select}; document.querySelector('#run').dispatchEvent(new Event('change'))")


def status(browser: Browser) -> str:
    return str(browser.run("document.querySelector('#status').textContent"))


@in_chromium
def test_typed_texts_get_the_predictions_of_the_command(
    served: str, browser: Browser, runs: dict[str, Run], invoke: Invoke
) -> None:
    texts = ["lovely hotel, it was lovely", "a rude film", "zzz"]
    browser.open(served)
    articles = classify(browser, f"{texts[0]}\n\n  \n{texts[1]}\n{texts[2]}")
    run = runs["binary"].path
    args = [arg for text in texts for arg in ("-t", text)]
    predictions = json.loads(invoke("predict", "--run", run, *args, "-k", 2, "--json").stdout)
    assert status(browser) == "3 texts classified with run binary-1."
    for article, row in zip(articles, predictions["predictions"], strict=True):
        assert article["texts"] == [row["text"]]
        assert article["predicted"] == [[row["prediction"], f"{row['probability']:.4f}"]]
        ranking = [
            (row[f"best_{rank}"], f"{row[f'best_{rank}_probability']:.4f}") for rank in (1, 2)
        ]
        assert [tuple(rank[:2]) for rank in article["ranking"]] == ranking
        assert [rank[2] for rank in article["ranking"]] == [True, False]
    assert [article["hasNote"] for article in articles] == [False, False, True]


@in_chromium
def test_control_enter_classifies_too(served: str, browser: Browser) -> None:
    browser.open(served)
    browser.run("document.querySelector('#texts').focus()")
    browser.press_control_enter()
    browser.wait_until(FAILED)
    assert status(browser) == "Error: type a text, or choose a CSV file"
    browser.wait_until(READY)
    browser.type("#texts", "a rude film")
    browser.press_control_enter()
    browser.wait_until(CLASSIFIED)


@in_chromium
def test_tokens_have_the_colors_of_their_contributions(
    served: str, browser: Browser, runs: dict[str, Run], invoke: Invoke
) -> None:
    text = "\U0001f600 lovely zzz"
    browser.open(served)
    (article,) = classify(browser, text)
    explained = invoke("explain", "--run", runs["binary"].path, text, "--json").stdout
    (explanation,) = json.loads(explained)["explanations"]
    assert article["texts"] == [text]  # also beside a character of two UTF-16 units
    for mark, token in zip(article["marks"], explanation["tokens"], strict=True):
        name, is_unknown, contribution, color = mark
        assert name == token["token"]
        assert is_unknown != token["known"]
        assert contribution == pytest.approx(token["contribution"], abs=6e-5)
        expected = "0, 0, 0, 0" if contribution == 0 else "37, 99, 235"
        assert expected in color or abs(contribution) < 0.1, mark
    width = float(article["ranking"][0][3].split("%")[0].removeprefix("calc("))
    assert width == pytest.approx(100 * explanation["probability"], abs=0.01)


@in_chromium
def test_ngrams_color_their_tokens(browser: Browser, workplace: Path, invoke: Invoke) -> None:
    text = "lovely hotel, it was lovely on day 3"
    invoke("train", "binary.yaml", "-q", "-s", "text.ngrams=2", "-s", "model.pooling=average")
    run = Run.open(workplace / "runs" / "binary-1")
    with serve(create_app(Settings((run.path,)))) as address:
        browser.open(address)
        (article,) = classify(browser, text)
    (explanation,) = explain(run.classifier(), [text])
    assert explanation.ngrams
    tokens = [segment for segment in explanation.segments() if segment.contribution is not None]
    for mark, segment in zip(article["marks"], tokens, strict=True):
        assert mark[0] == segment.text
        assert mark[2] == pytest.approx(segment.contribution, abs=6e-5)


@in_chromium
def test_each_label_of_a_text_is_explained(served: str, browser: Browser) -> None:
    browser.open(served)
    (article,) = classify(browser, "a b 7", "multilabel-1")
    labels = [label for label, _ in article["predicted"]]
    assert len(labels) == 2
    assert article["explained"] == [f"contributions to {label}" for label in labels]
    assert article["texts"] == ["a b 7"] * 2
    predicted = {rank[0] for rank in article["ranking"] if rank[2]}
    assert predicted == set(labels)


@in_chromium
def test_texts_are_never_markup(served: str, browser: Browser) -> None:
    text = "<b>lovely</b> <script>document.title = 'no'</script> \u202efilm"
    browser.open(served)
    (article,) = classify(browser, text)
    assert article["texts"] == [text.replace("\u202e", "\ufffd")]
    assert article["elements"] == 0
    assert browser.run("document.title") == "Classify texts"


@in_chromium
def test_a_csv_gets_the_columns_that_predict_adds(
    served: str, browser: Browser, runs: dict[str, Run], invoke: Invoke, tmp_path: Path
) -> None:
    rows = [(f"0{n}", f'lovely "film", {n}\nor rude', "NA") for n in range(33)]
    table = write_csv(tmp_path / "new.csv", ["id", "text", "note"], rows)
    browser.open(served)
    browser.choose_file("#file", table)
    browser.wait_until(CLASSIFIED)
    assert status(browser) == "33 texts classified with run binary-1."
    for shown in (10, 20, 30, 33):  # as many as a request may have
        browser.wait_until(f"document.querySelectorAll('article').length === {shown}")
        if shown < 33:
            browser.wait_until("!document.querySelector('#more').disabled")
            browser.click("#more")
    (folder := tmp_path / "downloads").mkdir()
    downloaded = browser.download("#download", folder)
    output = tmp_path / "predicted.csv"
    invoke("predict", table, "--run", runs["binary"].path, "-k", 2, "-o", output)
    assert downloaded.name == "new-predictions.csv"
    assert comparable(downloaded) == comparable(output)


@in_chromium
def test_long_texts_are_sent_in_several_requests(
    runs: dict[str, Run], browser: Browser, tmp_path: Path
) -> None:
    table = write_csv(tmp_path / "long.csv", ["text"], [["lovely " * 20_000]] * 4)
    settings = Settings((runs["binary"].path,), Limits(max_body=200_000))
    with serve(create_app(settings)) as address:
        browser.open(address)
        browser.choose_file("#file", table)
        browser.wait_until(CLASSIFIED)
        assert status(browser) == "4 texts classified with run binary-1."


@in_chromium
def test_a_server_that_does_not_answer_is_reported(runs: dict[str, Run], browser: Browser) -> None:
    with serve(create_app(Settings((runs["binary"].path,)))) as address:
        browser.open(address)
    browser.type("#texts", "a lovely film")
    browser.click("#request button")
    browser.wait_until(FAILED)
    assert status(browser) == "Error: the server does not answer; try again later"


def comparable(path: Path) -> list[list[str | float]]:
    """Cells of a table, from the fourth on as numbers where they are."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            [*row[:3], *(float(cell) if re.match(r"\d", cell) else cell for cell in row[3:])]
            for row in csv.reader(file)
        ]


@in_chromium
def test_a_dropped_csv_of_several_text_columns_is_classified(
    served: str, browser: Browser, tmp_path: Path
) -> None:
    table = tmp_path / "new.csv"
    table.write_text("body;id;title\nrude weather 3;1;about wind\n", encoding="utf-8")
    browser.open(served)
    select_run(browser, "multiclass-1")
    assert browser.run("document.querySelector('#columns').textContent") == "title, body"
    browser.drop_file(table)
    browser.wait_until(CLASSIFIED)
    (article,) = browser.run(ARTICLES)
    assert article["texts"] == ["about wind rude weather 3"]
    assert article["predicted"][0][0] == "wind"


@in_chromium
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,body\n1,2\n", "no column 'text'"),
        (b'text,id\n"a,1\n', "line 2: a quote is not closed or is out of place"),
        (b"text,id\na\n", "line 2: 1 cell, but the header has 2"),
        (b"text,text\na,b\n", "two columns are named 'text'"),
        (b"text\n", "no rows below the header"),
        (b"", "the file is empty"),
        (b"text\n\xe4\n", "not UTF-8; save it as CSV UTF-8"),
        (b"text,prediction\na,b\n", "column 'prediction' already exists; rename it"),
    ],
)
def test_a_fault_of_a_file_is_shown(
    content: bytes, message: str, served: str, browser: Browser, tmp_path: Path
) -> None:
    table = tmp_path / "new.csv"
    table.write_bytes(content)
    browser.open(served)
    browser.choose_file("#file", table)
    browser.wait_until(FAILED)
    assert status(browser) == f"Error: new.csv: {message}"
    browser.wait_until(READY)


@in_chromium
def test_a_server_with_a_token_asks_until_it_is_right(
    runs: dict[str, Run], browser: Browser
) -> None:
    with serve(create_app(Settings((runs["binary"].path,), token=ACCEPTED))) as address:
        browser.open(address)
        browser.type("#texts", "a lovely film")
        browser.click("#request button")
        browser.wait_until("document.querySelector('dialog[open] #token-fault[hidden]')")
        browser.type("#token", "a guess")
        browser.click("#token-form button")
        browser.wait_until("document.querySelector('dialog[open] #token-fault:not([hidden])')")
        browser.type("#token", ACCEPTED)
        browser.click("#token-form button")
        browser.wait_until(CLASSIFIED)
        assert browser.run("document.querySelector('#token').value") == ""


@in_chromium
def test_no_token_leaves_the_page_usable(runs: dict[str, Run], browser: Browser) -> None:
    with serve(create_app(Settings((runs["binary"].path,), token=ACCEPTED))) as address:
        browser.open(address)
        browser.type("#texts", "a lovely film")
        browser.click("#request button")
        browser.wait_until("document.querySelector('dialog[open]')")
        browser.click("#token-cancel")
        browser.wait_until(FAILED)
        assert status(browser) == "Error: the server needs a token"
        browser.wait_until(READY)


@in_chromium
def test_the_page_works_below_a_path(runs: dict[str, Run], browser: Browser) -> None:
    app = create_app(Settings((runs["binary"].path,)))
    with serve(Starlette(routes=[Mount("/below", app)])) as address:
        browser.open(f"{address}below/")
        (article,) = classify(browser, "a rude film")
    assert article["predicted"][0][0] == "neg"


@in_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_answers_fit_phones_and_desktops(width: int, served: str, browser: Browser) -> None:
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=1,
        mobile=False,
    )
    browser.open(served)
    classify(browser, "lovely " * 50 + "x" * 200)
    assert browser.run("document.documentElement.scrollWidth") == width
    browser.call("Emulation.clearDeviceMetricsOverride")


@in_chromium
def test_dark_mode_has_a_dark_background(served: str, browser: Browser) -> None:
    grounds = []
    for scheme in ("dark", "light"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.call("Emulation.setEmulatedMedia", features=features)
        browser.open(served)
        grounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(20, 23, 28)", "rgb(255, 255, 255)"]


@in_chromium
def test_the_page_runs_no_other_script(served: str, browser: Browser) -> None:
    browser.open(served)
    ran = browser.run(
        """(() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          return Boolean(window.ran);
        })()"""
    )
    assert ran is False


def page(*names: str) -> str:
    runs = [PageRun(name, "binary", 2, ("text",)) for name in names]
    return render_page(runs, max_rows=10)


def test_the_page_is_one_file_that_allows_its_own_style_and_script() -> None:
    text = page("a")
    outline = Outline(text)
    assert not re.search(r"https?://|src=|@import|url\(", text)
    assert outline.all("link") == [{"rel": "icon", "href": "data:,"}]
    (policy,) = (tag for tag in outline.all("meta") if "http-equiv" in tag)
    for name in ("style", "script"):
        (content,) = re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in (policy["content"] or "")


def test_names_of_runs_add_no_markup() -> None:
    name = "</script><b>"
    text = page(name)
    assert name not in text
    (settings,) = re.findall(r'id="settings">(.*?)</script>', text)
    assert [run["name"] for run in json.loads(settings)["runs"]] == [name]
    assert f"<option>{html.escape(name)}</option>" in text
