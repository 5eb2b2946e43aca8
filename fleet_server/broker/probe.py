"""Is a broker really there: one MQTT 5 connection, as every client of ours will make it."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from wire.broker import BrokerAddress
from wire.errors import LinkError

_KEEPALIVE_S: Final = 30
_POLL_S: Final = 0.05


def probe(address: BrokerAddress, timeout_s: float) -> None:
    """Return when the broker answered CONNECT with success.

    Raises LinkError: ``unreachable`` (nobody there, no answer within ``timeout_s``, not MQTT 5) or
    ``broker_refused`` (it answered, and said no).
    """
    answers: list[Any] = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect_timeout = timeout_s
    client.on_connect = lambda _client, _userdata, _flags, reason, _properties: answers.append(reason)
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    if address.tls:
        client.tls_set_context(ssl.create_default_context())
    deadline = time.monotonic() + timeout_s
    try:
        client.connect(address.host, address.port, _KEEPALIVE_S)
        while not answers and time.monotonic() < deadline:
            if client.loop(_POLL_S) is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
    except (OSError, ValueError) as error:
        raise _unreachable(address, _said(error)) from error
    finally:
        client.disconnect()
    if not answers:
        raise _unreachable(address, "no answer to an MQTT 5 CONNECT")
    if answers[0].is_failure:
        raise LinkError(
            "broker_refused",
            f"the broker at {address.shown} refuses us: {answers[0]}",
            "check user and password in the broker's URL",
        )


def _unreachable(address: BrokerAddress, why: str) -> LinkError:
    return LinkError(
        "unreachable",
        f"no MQTT 5 broker at {address.shown}: {why}",
        "check that it runs, its host and port, and TLS (mqtts://)",
    )


def _said(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host"
    return (str(error) or type(error).__name__)[:160]
