"""Notices by MQTT: ``tinyfleet/v1/alerts/{kind}``, QoS 1, not retained."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from fleet_server.loopback import is_loopback
from fleet_server.notify import secret, tls
from fleet_server.notify.channel import failure
from fleet_server.notify.routing import Routing
from wire import topics
from wire.broker import BrokerAddress
from wire.errors import InputError
from wire.messages import AlertNotice, encode


class MqttSettings(Routing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[mqtt]]``."""

    url: str | None = None
    """None: the fleet's own broker."""
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    ca_file: str | None = None


class Mqtt:
    """One connection a message: alerts are rare."""

    batch: Final = 100

    def __init__(self, settings: MqttSettings, fleet_url: str) -> None:
        self.routing: Routing = settings
        self._address = BrokerAddress.parse(fleet_url if settings.url is None else settings.url)
        if settings.url is not None:
            if self._address.username is not None:
                raise _bad("it holds a login", "give username and password_file")
            if not self._address.tls and not is_loopback(self._address.host):
                raise _bad("mqtts is needed beyond this machine", "write mqtts://")
        self._password = secret.read(settings.password_file, settings.password_env, "password")
        self._username = settings.username or self._address.username
        self._password = self._password or self._address.password
        self._tls = tls.context(settings.ca_file) if self._address.tls else None
        self.shown = self._address.shown

    async def send(self, notices: Sequence[AlertNotice]) -> str:
        """Publish them, and wait until the broker has them all."""
        try:
            await asyncio.to_thread(self._publish, notices)
        except (OSError, ValueError) as error:
            raise failure(f"{type(error).__name__}: {error}") from error
        return ""

    def _publish(self, notices: Sequence[AlertNotice]) -> None:
        limit_s = self.routing.timeout_s
        session = _Session(notices)
        client = session.client
        client.connect_timeout = limit_s
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if self._username is not None:
            client.username_pw_set(self._username, self._password)
        deadline = time.monotonic() + limit_s
        client.connect(self._address.host, self._address.port, max(1, round(limit_s)))
        client.loop_start()
        try:
            if not session.over.wait(max(0.0, deadline - time.monotonic())):
                raise failure(f"not acknowledged within {limit_s:g} s")
        finally:
            client.disconnect()
            client.loop_stop()
        if session.refusal:
            raise failure(f"the broker refuses: {session.refusal}")


class _Session:
    """Publishes once it is connected; ``over`` when all is acknowledged, or nothing will be."""

    def __init__(self, notices: Sequence[AlertNotice]) -> None:
        self.over = threading.Event()
        self.refusal = ""
        self._notices = notices
        self._left = len(notices)
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"tinyfleet-alerts-{secrets.token_hex(4)}",
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.on_connect = self._on_connect
        self.client.on_publish = self._on_publish
        self.client.on_disconnect = self._on_disconnect

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._refuse(str(code))
            return
        for notice in self._notices:
            client.publish(topics.alert(notice.kind), encode(notice), qos=1, retain=False)

    def _on_publish(
        self, _client: mqtt.Client, _userdata: Any, _mid: int, code: ReasonCode, _properties: Any
    ) -> None:
        # "No matching subscribers" is below 0x80: the broker has it, and nobody listens.
        if code.is_failure:
            self._refuse(str(code))
            return
        self._left -= 1
        if self._left == 0:
            self.over.set()

    def _on_disconnect(self, *_: Any) -> None:
        if not self.over.is_set():
            self._refuse("it ended the connection")

    def _refuse(self, why: str) -> None:
        self.refusal = why
        self.over.set()


def _bad(message: str, hint: str) -> InputError:
    return InputError("bad_broker_url", f"url: {message}", hint)
