"""The benchmarks of time, score, memory and size: how they sum up and compare what is measured."""

import json
import lzma
import os
import re
import select
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.benchmarks import debian_sets, memory, pareto
from tests.benchmarks.cores import schedule
from tests.benchmarks.pareto_summary import (
    FASTTEXT,
    FLOOR,
    OURS,
    PAIRS,
    Measured,
    find_better,
    summarize,
    verdict,
)
from tests.benchmarks.phases import compare
from tests.benchmarks.processes import run
from tests.conftest import reviews, write_csv


def measured(way: str, *, seconds: float, score: float | None, **more: int) -> Measured:
    costs = {
        "cpu_seconds": seconds,
        "scoring_seconds": None,
        "megabytes": 100.0,
        "bytes": 5_000_000,
    }
    place = {"folder": "trec", "rows": 5452, "tested_rows": 500}
    return Measured(seconds=seconds, score=score, way=way, **{**costs, **place, **more})  # type: ignore[arg-type]


def test_seconds_are_medians_and_scores_are_means_of_the_rounds() -> None:
    rounds = [
        measured(OURS, seconds=seconds, score=score, round=number)
        for number, (seconds, score) in enumerate([(9.0, 0.8), (4.0, 0.9), (5.0, 0.7)])
    ]
    ours = summarize(rounds)["trec"][OURS]
    assert (ours.seconds, ours.rounds) == (5.0, 3)
    assert ours.score == pytest.approx(0.8)


def test_a_peer_is_better_only_if_it_is_both_faster_and_more_accurate() -> None:
    ways = summarize(
        [
            measured(OURS, seconds=5.0, score=0.9),
            measured("embedclf, classic", seconds=1.0, score=0.95),  # no peer
            measured(FLOOR, seconds=1.7, score=None),
            measured("fast", seconds=1.0, score=0.9),
            measured("accurate", seconds=5.0, score=0.95),
            measured("both", seconds=4.9, score=0.901),
        ]
    )["trec"]
    assert find_better(ways) == ["both"]


@pytest.mark.parametrize(
    ("rows", "cell"), [(9_999, "1.20"), (10_000, "**1.20**")], ids=["few rows", "many rows"]
)
def test_a_time_over_the_limit_is_marked(rows: int, cell: str) -> None:
    ways = summarize(
        [
            measured(OURS, seconds=6.0, score=0.9),
            measured(FLOOR, seconds=2.0, score=None),
            measured(PAIRS, seconds=5.0, score=0.8),
        ]
    )["trec"]
    cells = verdict(ways, rows=rows, tested_rows=900)
    assert cells[2:4] == ("3.00", cell)
    assert cells[5:] == ("–", "0.0100", "none")  # no fastText; sqrt(.9 * .1 / 900)


def test_results_in_the_kept_file_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kept.jsonl"
    rows = [
        measured(FASTTEXT, seconds=0.5, score=0.91),
        measured(OURS, seconds=2.0, score=0.9),
    ]
    file.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["pareto", "--summary", "--kept", str(file)])
    pareto.main()
    printed = capsys.readouterr().out
    assert "| TREC | embedclf | 2.0 s | 2.0 s | 1.00 | – | 0.9000 | 100 MB | 5.0 MB |" in printed
    assert f"| 4.00 | 0.0134 | {FASTTEXT} (0.5 s, 0.9100) |" in printed


def test_a_failure_loses_only_its_set_and_a_restart_measures_what_is_missing_round_by_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, rows in (("trec", reviews(40)), ("sms_spam", [])):  # without rows, `init` fails
        (tmp_path / folder).mkdir()
        for table in ("train.csv", "test.csv"):
            write_csv(tmp_path / folder / table, ["text", "label"], rows)
    way, file = "TF-IDF + LR", tmp_path / "kept.jsonl"
    before = json.dumps(asdict(measured(way, seconds=1.0, score=0.5))) + "\n"
    file.write_text(before, encoding="utf-8")
    monkeypatch.setenv("EMBEDCLF_DATASETS", str(tmp_path))
    sets = ("--sets", "sms_spam", "trec")
    more = ("--ways", way, "--rounds", "2", "--kept", str(file))
    monkeypatch.setattr("sys.argv", ["pareto", *sets, *more])
    with pytest.raises(SystemExit, match="2 failed"):
        pareto.main()
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if way in line]
    assert [line.partition(":")[0] for line in lines] == [
        "failed",
        f"TREC, {way}, round 2",
        "failed",
    ]
    assert [re.findall(r"round (\d)", line) for line in lines] == [["1"], ["2"], ["2"]]
    assert file.read_text(encoding="utf-8").startswith(before)
    assert [(one.folder, one.round) for one in pareto.read_measured(file)] == [
        ("trec", 0),
        ("trec", 1),
    ]
    assert f"| TREC | {way} |" in shown.out


def test_the_memory_of_a_process_is_not_that_of_the_benchmark() -> None:
    ballast = b"1" * 150_000_000
    small, large = run("true"), run(sys.executable, "-c", "len(b'1' * 60_000_000)")
    assert small.megabytes < 20
    assert 60 < large.megabytes < len(ballast) / 1e6


def test_an_interrupted_benchmark_ends_the_process_it_waits_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = f"import time; pipe = open({str(pipe)!r}, 'wb', 0); pipe.write(b'1'); time.sleep(600)"
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb", 0) as reader:

        def interrupt(_pid: int) -> None:
            if reader.read(1):  # the process has started
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(sys.executable, "-c", code, look=interrupt)
        assert select.select([reader], [], [], 60) == ([reader], [], [])
        assert reader.read(1) == b""  # it ended, which closed its pipe


def test_a_phase_of_one_checkout_alone_has_no_ratio() -> None:
    lines = compare({"fit": 2.0, "refit": 1.0}, {"fit": 1.0, "compile": 3.0})
    assert lines[2:] == [
        "| fit | 2.00 | 1.00 | 0.50 |",
        "| compile | – | 3.00 | – |",
        "| refit | 1.00 | – | – |",
    ]


def test_operations_run_side_by_side_up_to_the_cores_and_their_longest_chain() -> None:
    cost = {"gather": 2.0, "pool": 3.0, "count": 4.0, "update": 1.0, "report": 3.0}
    inputs = {
        "gather": [],
        "pool": ["gather"],
        "count": [],
        "update": ["pool", "count"],
        "report": [],
    }
    assert schedule(cost, inputs, 1) == (13.0, 6.0)
    assert schedule(cost, inputs, 2) == (7.0, 6.0)
    assert schedule(cost, inputs, 3) == schedule(cost, inputs, 16) == (6.0, 6.0)


def test_generated_rows_are_short_and_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imdb").mkdir()
    reviews = [f'"One two three, four {n}. Five six seven {n} eight. No.",pos' for n in range(99)]
    table = tmp_path / "imdb" / "train.csv"
    table.write_text("\n".join(["text,label", *reviews]) + "\n", encoding="utf-8")
    monkeypatch.setenv("EMBEDCLF_DATASETS", str(tmp_path))
    lines = memory.write_rows(tmp_path / "rows.csv", 500).read_text(encoding="utf-8").splitlines()
    assert (lines[0], len(lines)) == ("text,label", 501)
    assert all(re.fullmatch(r"(\w+ ){7}\w+,pos", line) for line in lines[1:])
    assert len(set(lines)) > 198  # there are 198 sentences


def test_descriptions_compressed_by_xz_are_read(tmp_path: Path) -> None:
    path = tmp_path / "Translation-en.xz"
    path.write_bytes(lzma.compress(b"Package: one\nSection: text\n\nPackage: two\nSection: net\n"))
    assert [one["Section"] for one in debian_sets.stanzas(path)] == ["text", "net"]


def test_the_largest_labels_are_kept() -> None:
    rows = [("a", "x", "s"), ("b", "y", "s"), ("c", "z", "s"), ("d", "z", "s"), ("e", "x", "s")]
    assert [row[0] for row in debian_sets.largest(rows, 2)] == ["a", "c", "d", "e"]
