"""Notices over the real brokers."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_server.broker import Broker, Mosquitto, Rumqttd
from fleet_server.notify.mqtt import Mqtt, MqttSettings
from tests.fleet_server.broker.mqtt_peer import Peer
from tests.fleet_server.notify.receivers import NOTICE, Drip
from wire.errors import InputError, LinkError
from wire.messages import AlertNotice, decode


@pytest.fixture(params=["mosquitto", "rumqttd"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    if request.param == "mosquitto" and not shutil.which("mosquitto"):
        pytest.skip("mosquitto is not installed")
    with (Mosquitto if request.param == "mosquitto" else Rumqttd)(tmp_path) as started:
        yield started


def test_a_notice_arrives_by_its_kind_and_is_not_retained(broker: Broker) -> None:
    channel = Mqtt(MqttSettings(name="mqtt"), broker.url)
    with Peer(broker.url, "listener") as peer:
        peer.subscribe("tinyfleet/v1/alerts/+")
        asyncio.run(channel.send([NOTICE, NOTICE]))
        peer.wait(lambda: len(peer.messages) == 2, "both arrived")
        assert {message.topic for message in peer.messages} == {"tinyfleet/v1/alerts/drift"}
        assert [decode(AlertNotice, message.payload) for message in peer.messages] == [NOTICE, NOTICE]
    with Peer(broker.url, "latecomer") as late:
        late.subscribe("tinyfleet/v1/alerts/+")
        asyncio.run(channel.send([NOTICE]))
        late.wait(lambda: bool(late.messages), "only the new one arrives")
        assert [message.retain for message in late.messages] == [False]


def test_nobody_listening_is_no_failure_and_no_broker_is_one(broker: Broker) -> None:
    channel = Mqtt(MqttSettings(name="mqtt"), broker.url)
    assert asyncio.run(channel.send([NOTICE])) == ""
    broker.stop()
    with pytest.raises(LinkError, match="refused"):
        asyncio.run(channel.send([NOTICE]))


def test_threat_a_broker_that_trickles_is_left_in_time() -> None:
    with Drip(b"\x20") as drip:
        channel = Mqtt(MqttSettings(name="mqtt", timeout_s=0.3), f"mqtt://127.0.0.1:{drip.port}")
        with pytest.raises(LinkError):
            asyncio.run(channel.send([NOTICE]))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mqtt://broker.example.org", "mqtts is needed"),
        ("mqtts://user:secret@broker.example.org", "holds a login"),
        ("http://127.0.0.1", "not the URL"),
    ],
)
def test_threat_an_address_that_would_leak_is_refused(url: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        Mqtt(MqttSettings(name="mqtt", url=url), "mqtt://127.0.0.1")
    assert "secret" not in str(caught.value)
