"""Exports of annotation tools, as `init` reads them: small tables in the tools' own formats."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Invoke

ROWS = [*enumerate(reviews(60))]
DAY = "2024-05-06T07:08:09.000001Z"


def label_studio_task(number: int, text: str, label: str) -> dict[str, Any]:
    """A task with one annotation, as the JSON export of Label Studio has it."""
    choice = {"value": {"choices": [label]}, "id": f"r{number}", "from_name": "mood"}
    choice |= {"to_name": "text", "type": "choices", "origin": "manual"}
    annotation = {"id": number, "completed_by": number % 2, "result": [choice]}
    annotation |= {"was_cancelled": False, "ground_truth": number % 3 == 0, "lead_time": 2.5}
    annotation |= {"created_at": DAY, "updated_at": DAY, "task": number, "project": 1}
    task = {"id": number, "annotations": [annotation], "file_upload": "a.csv", "drafts": []}
    task |= {"predictions": [], "data": {"text": text, "source": "ab"[number % 2]}, "meta": {}}
    return task | {"inner_id": number, "total_annotations": 1, "comment_count": number % 2}


def label_studio_predicted(number: int, text: str, label: str) -> dict[str, Any]:
    """A task that a model has labeled, too, and every third one no person."""
    task = label_studio_task(number, text, label)
    task["predictions"] = [{"model_version": "m", "result": task["annotations"][0]["result"]}]
    return task | ({"annotations": []} if number % 3 == 0 else {})


def label_studio_min(number: int, text: str, label: str) -> dict[str, Any]:
    """A record of JSON-MIN, and a row of the CSV export."""
    record = {"text": text, "id": number, "mood": label, "annotator": number % 2}
    return record | {"annotation_id": number, "created_at": DAY, "lead_time": number / 7}


def label_studio_min_choices(number: int, text: str, label: str) -> dict[str, Any]:
    """A row of JSON-MIN where several choices are allowed; a single one is plain text."""
    mood = {"choices": [label, "loud"]} if number % 3 == 0 else label
    return label_studio_min(number, text, label) | {"mood": mood}


def argilla(number: int, text: str, label: str) -> dict[str, Any]:
    """A record of Argilla 1, most of whose keys are null."""
    record: dict[str, Any] = {"id": str(number), "inputs": {"text": text}, "text": None}
    record |= {"annotation": label}
    record |= {"prediction": [["pos", 0.9], ["neg", 0.1]], "prediction_agent": "m"}
    record |= {"status": ("Validated", "Default")[number % 2], "multi_label": False}
    return record | {"metadata": {"split": "ab"[number % 2]}, "event_timestamp": None}


def argilla_record(number: int, text: str, label: str) -> dict[str, Any]:
    """A record of Argilla 2."""
    record: dict[str, Any] = {
        "id": str(number),
        "fields": {"text": text},
        "_server_id": str(number),
    }
    record |= {"status": ("completed", "pending")[number % 2]}
    record |= {"suggestions": {"label": {"value": label, "score": 0.8, "agent": "m"}}}
    return record | {"responses": {"label": [{"value": label, "user_id": f"u{number % 2}"}]}}


def doccano(number: int, text: str, label: str) -> dict[str, Any]:
    """A record of doccano 1.3 or later."""
    return {"id": number, "text": text, "label": [label], "Comments": []}


def doccano_labels(number: int, text: str, label: str) -> dict[str, Any]:
    """A record of an older doccano."""
    record = {"id": number, "text": text, "meta": {"page": number % 3}, "labels": [label]}
    return record | {"annotation_approver": ("ann", None)[number % 2]}


def prodigy(number: int, text: str) -> dict[str, Any]:
    """What all records of Prodigy have."""
    record = {"text": text, "meta": {"source": "ab"[number % 2]}, "_input_hash": number * 7919}
    record |= {"_task_hash": -number * 7919, "_session_id": f"s{number % 2}"}
    return record | {"_timestamp": 1_650_000_000 + number, "answer": "accept"}


def prodigy_choice(number: int, text: str, label: str) -> dict[str, Any]:
    """A choice among several labels."""
    options = [{"id": "pos", "text": "Looks good"}, {"id": "neg", "text": "Looks bad"}]
    record = prodigy(number, text) | {"options": options, "_view_id": "choice"}
    return record | {"accept": [label], "config": {"choice_style": "single"}}


def prodigy_binary(number: int, text: str, label: str) -> dict[str, Any]:
    """A decision about a single label; every fifth is left open."""
    answer = "ignore" if number % 5 == 0 else "accept" if label == "pos" else "reject"
    return prodigy(number, text) | {"label": "PRAISE", "score": 0.4, "answer": answer}


def spacy(number: int, text: str, label: str) -> dict[str, Any]:
    """An example for spaCy's text classifier."""
    cats = {"pos": float(label == "pos"), "neg": float(label == "neg")}
    return {"text": text, "cats": cats, "meta": {"number": number}}


def ground_truth(number: int, text: str, label: str) -> dict[str, Any]:
    """A line of the manifest that SageMaker Ground Truth writes."""
    facts = {"confidence": 0.5 + number / 200, "class-name": label, "human-annotated": "yes"}
    return {"source": text, "job": int(label == "pos"), "job-metadata": facts}


EXPORTS: dict[Callable[[int, str, str], dict[str, Any]], tuple[str, str | list[str]]] = {
    label_studio_task: ("data.text", "annotations.0.result.0.value.choices"),
    label_studio_predicted: ("data.text", "annotations.0.result.0.value.choices"),
    label_studio_min: ("text", "mood"),
    label_studio_min_choices: ("text", "mood"),
    argilla: ("inputs.text", "annotation"),
    argilla_record: ("fields.text", "responses.label.0.value"),
    doccano: ("text", "label"),
    doccano_labels: ("text", "labels"),
    prodigy_choice: ("text", "accept"),
    prodigy_binary: ("text", "answer"),
    spacy: ("text", ["cats.pos", "cats.neg"]),
    ground_truth: ("source", "job-metadata.class-name"),
}


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def settings_of(invoke: Invoke, table: Path) -> dict[str, Any]:
    output = invoke("init", table, "-o", "-", "-q", "--json").stdout
    settings: dict[str, Any] = json.loads(output)["settings"]
    return settings


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.__name__)
def test_the_columns_of_an_export_are_found(
    tmp_path: Path, invoke: Invoke, export: Callable[[int, str, str], dict[str, Any]]
) -> None:
    table = write_lines(tmp_path / "t.jsonl", [export(n, *row) for n, row in ROWS])
    settings = settings_of(invoke, table)
    text, label = EXPORTS[export]
    assert (settings["data.text"]["value"], settings["data.label"]["value"]) == (text, label)


def test_a_csv_of_label_studio_has_no_columns_of_the_tool(tmp_path: Path, invoke: Invoke) -> None:
    records = [label_studio_min(n, *row) for n, row in ROWS]
    path = write_csv(tmp_path / "t.csv", [*records[0]], [[*map(str, r.values())] for r in records])
    settings = settings_of(invoke, path)
    assert settings["data.label"]["value"] == "mood"
    # Without a label of its own, none of the tool's columns is taken for one.
    left = [key for key in records[0] if key != "mood"]
    rows = [[str(record[key]) for key in left] for record in records]
    error = invoke("init", write_csv(tmp_path / "no.csv", left, rows), status=1).stderr
    assert "no column is left for the label" in error


def test_in_other_tables_the_same_names_can_be_labels(tmp_path: Path, invoke: Invoke) -> None:
    for name in ("status", "type", "project", "priority"):
        rows = [(text, label) for _, (text, label) in ROWS]
        path = write_csv(tmp_path / f"{name}.csv", ["message", name], rows)
        assert settings_of(invoke, path)["data.label"]["value"] == name


def test_undecided_rows_of_prodigy_have_no_label(tmp_path: Path, invoke: Invoke) -> None:
    table = write_lines(tmp_path / "t.jsonl", [prodigy_binary(n, *row) for n, row in ROWS])
    settings = settings_of(invoke, table)
    assert settings["data.missing_labels"]["value"] == ["ignore"]
    assert settings["data.skip_invalid"]["reason"].startswith("12 rows have no valid label")
    config = tmp_path / "c.yaml"
    invoke("init", table, "-o", config, "-q")
    audit = json.loads(invoke("check", config, "--json").stdout)
    assert audit["labels"] == ["accept", "reject"]
    assert audit["data"]["train"]["rows_skipped"] == 12


def test_rejected_rows_of_prodigy_are_mentioned(tmp_path: Path, invoke: Invoke) -> None:
    records = [prodigy_choice(n, *row) for n, row in ROWS]
    accepted = write_lines(tmp_path / "accepted.jsonl", records)
    assert "not accepted" not in unwrapped(invoke("check", accepted).stderr)
    for record in records[::6]:
        record["answer"] = "reject"
    done = invoke("check", write_lines(tmp_path / "t.jsonl", records))
    assert "rows that were not accepted ('answer') are used, too" in unwrapped(done.stderr)


def test_a_second_annotation_is_mentioned(tmp_path: Path, invoke: Invoke) -> None:
    records = [label_studio_task(n, *row) for n, row in ROWS]
    once = invoke("check", write_lines(tmp_path / "once.jsonl", records)).stderr
    assert "only the first" not in once
    records[7]["annotations"] *= 2
    done = invoke("check", write_lines(tmp_path / "t.jsonl", records))
    assert "only the first of several labels is used" in unwrapped(done.stderr)


def test_answers_to_several_questions_are_mentioned(tmp_path: Path, invoke: Invoke) -> None:
    records = [label_studio_task(n, *row) for n, row in ROWS]
    for record in records[::2]:
        record["annotations"][0]["result"][0]["from_name"] = "tone"
    done = invoke("check", write_lines(tmp_path / "t.jsonl", records))
    assert "labels answer different questions ('tone', 'mood')" in unwrapped(done.stderr)


def test_what_predict_adds_is_no_label(tmp_path: Path, invoke: Invoke) -> None:
    header = ["message", "mood", "prediction", "probability", "unknown_share", "no_known_token"]
    rows = [
        (text, label, "pos", "0.9", ("0.1", "0.2")[n % 2], ("true", "false")[n % 2])
        for n, (text, label) in ROWS
    ]
    path = write_csv(tmp_path / "t.csv", header, rows)
    assert settings_of(invoke, path)["data.label"]["value"] == "mood"
