"""What surrounds the predictions: health, metrics, documents, tokens, ids, the log."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from embedclf.serving.app import create_app
from tests.serving.conftest import TOKEN

if TYPE_CHECKING:
    from embedclf.serving.settings import Settings


def infer(text: Any, **others: Any) -> dict[str, Any]:
    """A request of the Open Inference Protocol."""
    tensor = {"name": "text", "shape": [len(text)], "datatype": "BYTES", "data": text}
    return {"inputs": [{**tensor, **others}]}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/v2/health/live", "/v2"])
def test_probes_are_answered(path: str, client: TestClient) -> None:
    assert client.get(path).status_code == 200


def test_metrics_count_requests_and_rows(client: TestClient) -> None:
    def rows() -> float:
        text = client.get("/metrics").text
        lines = [line for line in text.splitlines() if line.startswith("embedclf_rows_total")]
        return sum(float(line.split()[-1]) for line in lines if 'run="multilabel-1"' in line)

    before = rows()
    client.post("/predict", json={"texts": ["a", "b"], "run": "multilabel-1"})
    assert rows() == before + 2
    assert 'embedclf_requests_total{path="/predict",status="200"}' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/other", 404),
        ("GET", "/predict", 405),
        ("POST", "/", 405),
        ("GET", "/predict/", 404),
    ],
)
def test_other_paths_and_methods_are_refused_as_json(
    method: str, path: str, status: int, client: TestClient
) -> None:
    answered = client.request(method, path, follow_redirects=False)
    assert answered.status_code == status
    assert answered.json().keys() == {"error", "request_id"}


def test_the_document_describes_every_path(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods.keys() & {"get", "post"}:
            answered = client.request(method, path.replace("{name}", "binary-1"), content=b"")
            described = methods[method]["responses"][str(answered.status_code)]["content"]
            assert answered.headers["content-type"].partition(";")[0] in described
    paths = set(re.findall(r'path="(/.*?)"', client.get("/metrics").text))
    assert {path for path in paths if path != "other"} <= document["paths"].keys()
    properties = document["components"]["schemas"]["PredictRequest"]["properties"]
    assert properties.keys() == {"text", "texts", "records", "run", "top_k", "explain"}


def test_every_reference_of_the_document_leads_somewhere(client: TestClient) -> None:
    content = client.get("/openapi.json").text
    schemas = json.loads(content)["components"]["schemas"]
    found = [part.partition('"')[0] for part in content.split("#/components/schemas/")[1:]]
    assert found
    assert set(found) <= schemas.keys()


def test_the_docs_page_loads_nothing_from_the_network(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "/v2/models/{name}/infer" in page
    assert "://" not in page
    assert "<script" not in page


@pytest.mark.parametrize("shape", [[2], [2, 1]])
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_the_open_inference_protocol_answers_as_predict(
    task: str, shape: list[int], client: TestClient
) -> None:
    texts = ["a lovely hotel", "rude and slow"]
    nested = texts if len(shape) == 1 else [[text] for text in texts]
    answer = client.post(
        f"/v2/models/{task}-1/infer", json=infer(nested, shape=shape) | {"id": "7"}
    )
    label, probabilities = answer.json()["outputs"]
    names = client.get(f"/v2/models/{task}-1").json()["parameters"]["labels"]
    assert answer.json()["id"] == "7"
    assert probabilities["shape"] == [2, len(names)]
    asked = {"texts": texts, "run": f"{task}-1", "top_k": len(names)}
    if task != "multiclass":  # its records have two columns, which one text cannot fill
        rows = client.post("/predict", json=asked).json()["predictions"]
        joined = ["|".join(row["prediction"]) for row in rows]
        assert label["data"] == (
            joined if task == "multilabel" else [r["prediction"] for r in rows]
        )
        best = {rows[0][f"best_{rank}"]: rows[0][f"best_{rank}_probability"] for rank in (1, 2)}
        first = dict(zip(names, probabilities["data"], strict=False))
        assert {name: first[name] for name in best} == best


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        (infer(["a"], name="other"), 422, "inputs"),
        (infer(["a"], datatype="FP32"), 422, "inputs[0].datatype"),
        (infer([1]), 422, "inputs[0].data"),
        (infer(["a"], shape=[2]), 422, "inputs[0].shape"),
        (infer(["a", "b"], shape=[1, 2]), 422, "inputs[0].shape"),
        (infer(["a"], shape=[-1]), 422, "inputs[0].shape[0]"),
        (infer(["a"]) | {"outputs": [{"name": "x"}]}, 422, "outputs[0].name"),
        (infer(["a"] * 51), 413, "inputs[0].data"),
        ({}, 422, "inputs"),
    ],
)
def test_a_wrong_tensor_is_refused(asked: Any, status: int, field: str, client: TestClient) -> None:
    answered = client.post("/v2/models/binary-1/infer", json=asked)
    assert (answered.status_code, answered.json()["field"]) == (status, field)


def test_only_the_outputs_that_are_asked_for_are_answered(client: TestClient) -> None:
    asked = infer(["a"]) | {"outputs": [{"name": "label"}]}
    answer = client.post("/v2/models/binary-1/infer", json=asked).json()
    assert [output["name"] for output in answer["outputs"]] == ["label"]


def test_a_run_that_is_not_served_is_not_found(client: TestClient) -> None:
    answered = client.get("/v2/models/other")
    assert answered.status_code == 404
    assert "'binary-1'" in answered.json()["error"]


def test_a_token_is_needed_where_one_is_set(settings: Settings) -> None:
    client = TestClient(create_app(replace(settings, token=TOKEN)))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
        answered = client.post("/predict", json={"text": "a"}, headers=headers)
        assert answered.status_code == 401
        assert answered.headers["www-authenticate"] == "Bearer"
        assert client.get("/metrics", headers=headers).status_code == 401
    sent = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/predict", json={"text": "a"}, headers=sent).status_code == 200
    for path in ("/", "/docs", "/health/ready", "/v2/health/live"):
        assert client.get(path).status_code == 200


def test_the_id_of_a_request_is_kept_or_made(client: TestClient) -> None:
    kept = client.get("/health/live", headers={"X-Request-ID": "abc-1"})
    assert kept.headers["x-request-id"] == "abc-1"
    made = client.get("/other", headers={"X-Request-ID": 'a"b'})
    assert made.headers["x-request-id"] == made.json()["request_id"] != 'a"b'


def test_the_log_has_a_line_for_each_request_and_no_text(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    client.post("/predict?text=secret1", json={"texts": ["secret2", "b"]})
    client.post("/predict", json={"texts": ["secret3", 4]})
    client.get("/secret4")
    lines: list[Any] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["path"], line["status"]) for line in lines] == [
        ("/predict", 200),
        ("/predict", 422),
        ("other", 404),
    ]
    assert (lines[0]["run"], lines[0]["rows"]) == ("binary-1", 2)
    assert "secret" not in str(lines)


def test_no_other_site_may_read_the_answers(client: TestClient) -> None:
    answered = client.post("/predict", json={"text": "a"}, headers={"Origin": "https://a.example"})
    assert not [name for name in answered.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("LOCALHOST", 200),
        ("texts.example:8000", 200),
        ("", 200),
        ("attacker.example:8000", 421),
        ("127.0.0.1.attacker.example", 421),
        ("[::1", 421),
        ("\u00e9", 421),
    ],
)
def test_a_foreign_host_name_is_refused(host: str, status: int, settings: Settings) -> None:
    hosts = frozenset({"localhost", "texts.example"})
    client = TestClient(create_app(replace(settings, hosts=hosts)))
    answered = client.get("/", headers={b"Host": host.encode("latin-1")})
    assert answered.status_code == status
    assert status == 200 or answered.json()["field"] == "Host"


def test_too_many_requests_at_once_are_refused_but_probes_are_answered(
    settings: Settings,
) -> None:
    limits = replace(settings.limits, max_requests=0)
    client = TestClient(create_app(replace(settings, limits=limits)))
    answered = client.post("/predict", json={"text": "a"})
    assert (answered.status_code, answered.headers["retry-after"]) == (503, "1")
    assert client.get("/health/live").status_code == 200


def test_the_document_asks_for_a_token_only_where_one_is_needed(settings: Settings) -> None:
    def document(token: str | None) -> Any:
        client = TestClient(create_app(replace(settings, token=token)))
        return client.get("/openapi.json").json()

    assert "401" not in json.dumps(document(None))
    paths = document(TOKEN)["paths"]
    assert "401" in paths["/predict"]["post"]["responses"]
    assert "401" not in paths["/docs"]["get"]["responses"]
    assert paths["/docs"]["get"]["security"] == []
