"""The HTTP API: tokens on every route, one error body, a specification that holds."""

from collections.abc import Callable

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from fleet_server.fleet import Fleet

OPEN = {"/healthz", "/metrics"}


def push(client: httpx.Client, bundle) -> dict:
    artifact, files = bundle
    response = client.post(
        "/api/v1/bundles",
        data={"manifest": artifact.manifest, "signature": artifact.signature},
        files=[("files", (path, data)) for path, data in files.items()],
    )
    assert response.status_code == 201, response.text
    return response.json()


def test_every_route_but_health_asks_for_a_token(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    tried = 0
    for path, methods in paths.items():
        for method in methods:
            url = path.format(
                model="m",
                version=1,
                device="d",
                number=1,
                decision=1,
                command="pause",
                digest="0" * 64,
                path="x",
            )
            response = client.request(method, url, headers={"Authorization": "Bearer wrong"})
            if path in OPEN:
                assert response.status_code in (200, 503)
            else:
                assert response.status_code == 401, path
                assert set(response.json()) == {"code", "message", "hint"}
                tried += 1
    assert tried >= 15


def test_operation_ids_are_stable_names(client: httpx.Client) -> None:
    spec = client.get("/openapi.json").json()
    ids = sorted(op["operationId"] for methods in spec["paths"].values() for op in methods.values())
    assert ids == [
        "ask_for_samples", "command_alert", "command_rollout", "create_rollout", "explain_rollout",
        "get_alert", "get_bundle_file", "get_decision", "get_device", "get_device_lineage", "get_health",
        "get_manifest", "get_metrics", "get_overview", "get_rollout", "get_sample_lineage",
        "get_sample_request", "get_tags", "get_version", "label_sample", "list_alerts", "list_channels",
        "list_decisions", "list_devices", "list_drift", "list_events", "list_latencies", "list_models",
        "list_rollouts", "list_sample_requests", "list_samples", "list_scores", "list_telemetry",
        "publish_bundle",
        "set_tags",
    ]  # fmt: skip


def test_a_pushed_bundle_is_listed(client: httpx.Client, make_bundle: Callable) -> None:
    ref = push(client, make_bundle(1))
    (version,) = client.get("/api/v1/models").json()
    assert version["digest"] == ref["digest"]
    assert client.get("/api/v1/models/watch/versions/1").json() == version


def test_an_unsigned_bundle_is_refused_in_one_line(client: httpx.Client, make_bundle: Callable) -> None:
    artifact, files = make_bundle(1)
    response = client.post(
        "/api/v1/bundles",
        data={"manifest": artifact.manifest, "signature": "{}"},
        files=[("files", (path, data)) for path, data in files.items()],
    )
    assert response.status_code == 422
    assert response.json()["message"] == "not signed metadata"


@pytest.mark.parametrize("path", ["/models/none/versions/1", "/devices/none", "/rollouts/99", "/nowhere"])
def test_what_does_not_exist_is_404_with_the_one_error_body(client: httpx.Client, path: str) -> None:
    response = client.get(f"/api/v1{path}")
    assert response.status_code == 404
    assert set(response.json()) == {"code", "message", "hint"}


def test_a_foreign_host_header_is_refused(client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400


def test_health_and_metrics_tell_the_state(client: httpx.Client) -> None:
    health = client.get("/healthz").json()
    assert health["status"] == "ok"
    assert health["broker"]["kind"] in ("mosquitto", "rumqttd")
    assert "tinyfleet_broker_connected 1.0" in client.get("/metrics").text


def test_a_rollout_without_devices_says_so(client: httpx.Client, make_bundle: Callable) -> None:
    push(client, make_bundle(1))
    response = client.post(
        "/api/v1/rollouts", json={"model": "watch", "version": 1, "policy": {"dynamic": False}}
    )
    assert (response.status_code, response.json()["code"]) == (400, "no_devices")
    waiting = client.post("/api/v1/rollouts", json={"model": "watch", "version": 1}).json()
    assert (waiting["state"], waiting["total"]) == ("running", 0)


@pytest.mark.parametrize(
    ("policy", "where"),
    [
        ({"stages": [0.5, 0.1, 1.0]}, "rise"),
        ({"stages": [{"share": 2}]}, "$.stages[0].share"),
        ({"paces": {}}, "paces"),
        ({"gates": {"alpha": 3}}, "$.gates.alpha"),
        ({"device": {"cancel": True}}, "$.device"),
        ({"where": "board = 'x'"}, "column 7: expected '==', not '=' - at `$.where`"),
        ({"stages": [{"where": "x"}, 1.0]}, "$.stages[0].where"),
        ({"gates": {"energy": True}}, "$.gates.energy"),
    ],
)
def test_a_bad_policy_is_refused_with_the_path_of_the_key(
    client: httpx.Client, make_bundle: Callable, policy: dict, where: str
) -> None:
    push(client, make_bundle(1))
    response = client.post("/api/v1/rollouts", json={"model": "watch", "version": 1, "policy": policy})
    assert response.status_code == 400
    assert where in response.json()["message"]


def test_a_rollout_is_tried_dry_and_then_commanded_twice_each(
    client: httpx.Client, make_bundle: Callable
) -> None:
    push(client, make_bundle(1))
    body = {"model": "watch", "version": 1, "policy": {"stages": [1.0], "priority": 3}, "soak_s": 5}
    dry = client.post("/api/v1/rollouts?dry_run=true", json=body)
    assert (dry.status_code, dry.json()) == (
        200,
        {"fits": 0, "stages": [{"devices": 0, "control": 0}], "rejected": [], "by_reason": {}},
    )
    assert client.get("/api/v1/rollouts").json() == []
    made = client.post("/api/v1/rollouts", json={**body, "start": False}).json()
    assert (made["state"], made["policy"]["priority"], made["policy"]["soak_s"]) == ("ready", 3, 5)
    states = []
    for command in ("start", "approve", "pause", "resume", "skip", "abort"):
        for _ in range(2):
            answer = client.post(f"/api/v1/rollouts/{made['id']}/{command}")
            assert answer.status_code == 200, answer.text
            states.append(answer.json()["state"])
    assert states == ["running"] * 4 + ["paused"] * 2 + ["running"] * 4 + ["stopped"] * 2
    wrong = client.post(f"/api/v1/rollouts/{made['id']}/resume")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "wrong_state")
    said = [e["message"] for e in client.get("/api/v1/events").json()]
    assert "running -> stopped, by admin" in said


def test_the_admin_token_is_readable_by_its_owner_only(fleet: Fleet) -> None:
    assert fleet.token_file.stat().st_mode & 0o777 == 0o600
    token = fleet.token_file.read_text().strip()
    stored = fleet.store.rows("SELECT * FROM tokens")
    assert token not in str(stored)


def test_a_gate_is_switched_off_by_null_and_by_false(client: httpx.Client, make_bundle: Callable) -> None:
    push(client, make_bundle(1))
    policy = {"gates": {"energy": False, "memory": None}}
    made = client.post("/api/v1/rollouts", json={"model": "watch", "version": 1, "policy": policy}).json()
    assert (made["policy"]["gates"]["energy"], made["policy"]["gates"]["memory"]) == (None, None)


def test_no_request_makes_the_server_fail(client: httpx.Client, make_bundle: Callable) -> None:
    """Schemathesis walks the OpenAPI document: whatever is sent, the answer is never a 5xx."""
    push(client, make_bundle(1))
    spec = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    sent = 0
    for operation in (result.ok() for result in spec.get_all_operations()):

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy())
        def never_5xx(case: schemathesis.Case) -> None:
            nonlocal sent
            response = case.call(base_url=str(client.base_url), headers=dict(client.headers))
            assert response.status_code < 500, (case.path, response.text)
            sent += 1

        never_5xx()
    assert sent > 100
