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
            url = path.format(model="m", version=1, device="d", number=1, command="pause")
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
        "command_rollout", "create_rollout", "get_device", "get_health", "get_metrics", "get_overview",
        "get_rollout", "get_tags", "get_version", "list_alerts", "list_devices", "list_events",
        "list_latencies", "list_models", "list_rollouts", "list_scores", "list_telemetry", "publish_bundle",
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
    response = client.post("/api/v1/rollouts", json={"model": "watch", "version": 1})
    assert (response.status_code, response.json()["code"]) == (400, "no_devices")


def test_the_admin_token_is_readable_by_its_owner_only(fleet: Fleet) -> None:
    assert fleet.token_file.stat().st_mode & 0o777 == 0o600
    token = fleet.token_file.read_text().strip()
    stored = fleet.store.rows("SELECT * FROM tokens")
    assert token not in str(stored)


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
