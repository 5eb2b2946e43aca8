"""A paho MQTT 5 client for tests: what it received, and waiting for it with a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fleet_server.broker import BrokerAddress

DEADLINE_S = 30.0


class Peer:
    """One client; use it as a context manager, it connects on entry."""

    def __init__(self, url, client_id="", *, session_s=0, manual_ack=False, will=None):
        self.address = BrokerAddress.parse(url)
        self.session_s = session_s
        self.changed = threading.Condition()
        self.reading = threading.Event()
        self.reading.set()
        self.messages: list[MQTTMessage] = []
        self.published: dict[int, object] = {}
        self.subscribed: set[int] = set()
        self.connacks: list[tuple[object, object]] = []
        self.disconnects = 0
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=manual_ack,
            reconnect_on_failure=False,
        )
        self.client.max_inflight_messages_set(1000)
        if will is not None:
            topic, payload = will
            self.client.will_set(topic, payload, qos=1, retain=True)
        self.client.on_connect = lambda _c, _u, flags, reason, _p: self._note(
            lambda: self.connacks.append((flags, reason))
        )
        self.client.on_message = self._on_message
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self._note(
            lambda: self.published.__setitem__(mid, reason)
        )
        self.client.on_subscribe = lambda _c, _u, mid, _r, _p: self._note(lambda: self.subscribed.add(mid))
        self.client.on_disconnect = lambda *_: self._note(self._count_disconnect)

    def __enter__(self):
        return self.connect()

    def __exit__(self, *_):
        self.disconnect()

    def connect(self):
        """Connect and wait for CONNACK."""
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self.session_s
        before = len(self.connacks)
        self.client.connect(
            self.address.host,
            self.address.port,
            keepalive=30,
            clean_start=self.session_s == 0,
            properties=properties,
        )
        self.client.loop_start()
        self.wait(lambda: len(self.connacks) > before, "CONNACK")
        assert not self.connacks[-1][1].is_failure, self.connacks[-1][1]
        return self

    def disconnect(self):
        """Say goodbye, so that no will is sent."""
        self.client.disconnect()
        self.client.loop_stop()

    def abort(self):
        """Drop the connection without a DISCONNECT, as a power cut does."""
        self.client.loop_stop()
        self.client.socket().close()

    def pause(self):
        """Stop reading with the next message, with the connection open."""
        self.reading.clear()

    def resume(self):
        """Read again after :meth:`pause`."""
        self.reading.set()

    def subscribe(self, topic):
        """Subscribe with QoS 1 and wait for SUBACK."""
        _, mid = self.client.subscribe(topic, qos=1)
        self.wait(lambda: mid in self.subscribed, "SUBACK")

    def publish(self, topic, payload, retain=False):
        """Publish with QoS 1, wait for PUBACK and return its reason code."""
        mid = self.client.publish(topic, payload, qos=1, retain=retain).mid
        self.wait(lambda: mid in self.published, "PUBACK")
        return self.published[mid]

    def publish_many(self, topic, payloads):
        """Publish with QoS 1 and wait for all PUBACKs."""
        mids = [self.client.publish(topic, payload, qos=1).mid for payload in payloads]
        self.wait(lambda: all(mid in self.published for mid in mids), f"{len(mids)} PUBACKs")
        assert not any(self.published[mid].is_failure for mid in mids)

    def wait(self, condition: Callable[[], bool], what: str):
        """Wait until ``condition`` holds; it is looked at after every event."""
        with self.changed:
            held = self.changed.wait_for(condition, DEADLINE_S)
        assert held, f"no {what} within {DEADLINE_S} s; {len(self.messages)} messages so far"

    def payloads(self, count):
        """The payloads of the first ``count`` messages, waited for."""
        self.wait(lambda: len(self.messages) >= count, f"{count} messages")
        return [message.payload for message in self.messages[:count]]

    def ack(self, message):
        """PUBACK for a message received with manual_ack."""
        self.client.ack(message.mid, message.qos)

    def _on_message(self, _client, _userdata, message):
        self.reading.wait(DEADLINE_S)
        self._note(lambda: self.messages.append(message))

    def _note(self, change):
        with self.changed:
            change()
            self.changed.notify_all()

    def _count_disconnect(self):
        self.disconnects += 1
