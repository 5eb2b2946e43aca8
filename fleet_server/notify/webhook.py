"""Notices to somebody's own HTTP endpoint: one POST a notice, signed, without following anybody elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx

from fleet_server.loopback import is_loopback
from fleet_server.notify import secret, signature, tls
from fleet_server.notify.channel import failure
from fleet_server.notify.routing import Routing
from wire.errors import InputError
from wire.messages import AlertNotice, encode


class WebhookSettings(Routing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[webhook]]``."""

    url: str
    secret_file: str | None = None
    secret_env: str | None = None
    ca_file: str | None = None


class Webhook:
    """The answer's body is not read, and a redirect is a failure: its status line is all that counts."""

    batch: Final = 1

    def __init__(self, settings: WebhookSettings) -> None:
        self.routing: Routing = settings
        self.shown = _checked(settings.url)
        self._url = settings.url
        key = secret.read(settings.secret_file, settings.secret_env, "secret")
        if key is None:
            raise InputError("bad_secret", "secret_file or secret_env is needed", "see docs/alerts.md")
        self._key = signature.key_of(key)
        self._tls = tls.context(settings.ca_file)

    async def send(self, notices: Sequence[AlertNotice]) -> str:
        """POST each of them."""
        for notice in notices:
            await self._post(notice)
        return ""

    async def _post(self, notice: AlertNotice) -> None:
        body = encode(notice)
        headers = {
            "content-type": "application/json",
            "user-agent": "tinyfleet",
            **signature.headers(self._key, notice.id, int(time.time()), body),
        }
        limit_s = self.routing.timeout_s
        try:
            # httpx limits each step; this limits all of them together, however slowly they trickle.
            async with (
                asyncio.timeout(limit_s),
                httpx.AsyncClient(
                    verify=self._tls, follow_redirects=False, trust_env=False, timeout=limit_s
                ) as client,
                client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                status = response.status_code
        except (TimeoutError, httpx.TimeoutException) as error:
            raise failure(f"no answer within {limit_s:g} s") from error
        except (httpx.HTTPError, OSError) as error:
            raise failure(f"{type(error).__name__}: {error}") from error
        if response.is_redirect:
            raise failure(f"answered {status}, a redirect, which is not followed")
        if not response.is_success:
            raise failure(f"answered {status}")


def _checked(url: str) -> str:
    """The URL without its path, which may be a secret; InputError when it is not one to send alerts to."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _bad("not a URL", "write https://host/path") from error
    if parts.scheme not in ("https", "http") or not host or not url.isascii() or not url.isprintable():
        raise _bad("not a URL", "write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise _bad("it holds a password", "the signature says who sends it")
    if parts.scheme == "http" and not is_loopback(host):
        raise _bad("https is needed beyond this machine", "write https://")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port is not None else "")


def _bad(message: str, hint: str) -> InputError:
    return InputError("bad_url", f"url: {message}", hint)
