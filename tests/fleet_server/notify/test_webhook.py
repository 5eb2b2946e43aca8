"""Webhooks over a real HTTP server: signed, bounded in time, and never sent elsewhere."""

import asyncio
import base64
import hashlib
import hmac
import time
from pathlib import Path

import pytest

from fleet_server.notify.webhook import Webhook, WebhookSettings
from tests.fleet_server.notify.receivers import NOTICE, SECRET, Drip, Hook
from wire.errors import InputError, LinkError
from wire.messages import AlertNotice, decode


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    return str(file)


def send(url: str, secret: str, **keys: object) -> None:
    hook = Webhook(WebhookSettings(name="ops", url=url, secret_file=secret, **keys))
    asyncio.run(hook.send([NOTICE]))


def test_a_notice_arrives_signed_and_whole(secret: str) -> None:
    with Hook() as hook:
        send(hook.url, secret)
    ((path, headers, body),) = hook.requests
    assert (path, decode(AlertNotice, body)) == ("/hook", NOTICE)
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == NOTICE.id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"{NOTICE.id}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_any_answer_but_2xx_is_a_failure(secret: str, status: int) -> None:
    with Hook(status) as hook, pytest.raises(LinkError, match=f"answered {status}"):
        send(hook.url, secret)


def test_threat_a_redirect_is_not_followed(secret: str) -> None:
    with Hook() as elsewhere, Hook(307) as hook:
        hook.headers["location"] = elsewhere.url
        with pytest.raises(LinkError, match="not followed"):
            send(hook.url, secret)
        assert elsewhere.requests == []


@pytest.mark.parametrize("text", [b"HTTP/1.1 200 OK\r\nx: " + b"y" * 60, b"\0", b"HTTP/1.1 1"])
def test_threat_a_server_that_trickles_is_left_in_time(secret: str, text: bytes) -> None:
    with Drip(text) as drip:
        begin = time.monotonic()
        with pytest.raises(LinkError):
            send(f"http://127.0.0.1:{drip.port}/", secret, timeout_s=0.3)
        assert time.monotonic() - begin < 5


def test_nobody_there_is_a_failure_that_tells_no_path(secret: str) -> None:
    with Hook() as hook:
        port = hook.port
    with pytest.raises(LinkError) as caught:
        send(f"http://127.0.0.1:{port}/T0/private", secret)
    assert "private" not in str(caught.value)


def test_threat_the_environments_proxy_sees_nothing(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hook() as proxy, Hook() as hook:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        send(hook.url, secret)
        assert (len(hook.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.org/x", "https is needed"),
        ("http://192.168.1.4/x", "https is needed"),
        ("http://127.0.0.1.example.org/x", "https is needed"),
        ("https://user:pass@example.org/", "holds a password"),
        ("ftp://127.0.0.1/", "not a URL"),
        ("https://", "not a URL"),
        ("https://example.org:99999/", "not a URL"),
        ("https://example.org/\nx", "not a URL"),
        ("", "not a URL"),
    ],
)
def test_threat_an_address_that_would_leak_is_refused(secret: str, url: str, why: str) -> None:
    with pytest.raises(InputError, match=f"url: .*{why}") as caught:
        Webhook(WebhookSettings(name="ops", url=url, secret_file=secret))
    assert "pass@" not in str(caught.value)


def test_where_it_leads_is_shown_without_the_path(secret: str) -> None:
    hook = Webhook(WebhookSettings(name="ops", url="https://[::1]:8443/T0/private", secret_file=secret))
    assert hook.shown == "https://[::1]:8443"
