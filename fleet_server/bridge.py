"""Between the broker and the database: paho-mqtt 2, MQTT 5.

In: a message is acknowledged only after the transaction that stores it is committed; one that
cannot be read is kept in quarantine and acknowledged, so that it does not come back for ever.
Out: assignments and artifacts are retained; the database knows which are not yet published.
"""

from __future__ import annotations

import logging
import secrets
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from typing import Any, Final, cast

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from sqlite_utils import Database

from fleet_server import counters, reports, sampling
from fleet_server.registry import Registry
from fleet_server.store import Store, only
from wire import topics
from wire.broker import BrokerAddress
from wire.errors import FleetError, LinkError, WireError
from wire.messages import Reported, ServerState, Status, Telemetry, decode, encode
from wire.samples import Sample
from wire.states import Presence

log = logging.getLogger(__name__)
#: The broker keeps our session, and so what devices send, while the server restarts.
SESSION_EXPIRY_S: Final = 7 * 24 * 3600
PUBLISH_TIMEOUT_S: Final = 30.0
Report = Status | Reported | Telemetry | Sample


class Bridge:
    """The server's one MQTT client."""

    def __init__(self, store: Store, registry: Registry, url: str) -> None:
        self._store = store
        self._registry = registry
        self._address = BrokerAddress.parse(url)
        self._session = 0
        self._published: set[str] = set()
        self._up = threading.Event()
        self._connection = 0
        """Counts connections: a message is acknowledged on the one that it came by, or not at all."""
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=store.write(_client_id),
            protocol=mqtt.MQTTv5,
            manual_ack=True,
        )
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(1, 30)
        if self._address.tls:
            self._client.tls_set_context(ssl.create_default_context())
        if self._address.username is not None:
            self._client.username_pw_set(self._address.username, self._address.password)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._up.is_set()

    def start(self, timeout_s: float = 10.0) -> None:
        """Connect and announce the server; LinkError when the broker does not answer."""
        self._session = self._store.write(_next_session)
        self._client.will_set(topics.SERVER_STATE, self._state(Presence.OFFLINE), qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        try:
            self._client.connect(
                self._address.host, self._address.port, 30, clean_start=False, properties=properties
            )
        except OSError as error:
            raise self._unreachable(str(error)) from error
        self._client.loop_start()
        if not self._up.wait(timeout_s):
            self._client.loop_stop()
            raise self._unreachable("it does not accept us")

    def stop(self) -> None:
        """Say goodbye, so that devices keep their reports until we are back."""
        if self.connected:
            info = self._client.publish(
                topics.SERVER_STATE, self._state(Presence.OFFLINE), qos=1, retain=True
            )
            info.wait_for_publish(5)
        self._client.disconnect()
        self._client.loop_stop()

    def publish_pending(self) -> int:
        """Publish the newest assignment of every device that has an unpublished one; returns how many."""
        if not self.connected:
            return 0
        rows = self._store.rows(
            "SELECT device, sequence, digest, payload FROM assignments WHERE published = 0"
        )
        newest = {row["device"]: row for row in sorted(rows, key=lambda row: int(row["sequence"]))}
        for digest in {row["digest"] for row in newest.values()}:
            self._publish_artifact(digest)
        sent = [
            self._client.publish(topics.device(device, "desired"), row["payload"], qos=1, retain=True)
            for device, row in newest.items()
        ]
        if not _all_acknowledged(sent):
            return 0
        counters.PUBLISHED.labels("desired").inc(len(sent))
        done = [(row["device"], row["sequence"]) for row in newest.values()]
        now = time.time()
        self._store.write(lambda db: _mark_published(db, done, now))
        return len(sent)

    def publish_asks(self) -> int:
        """Publish requests for samples, and clear those that were answered; returns how many."""
        rows = self._store.rows(
            """SELECT device, max(request) AS request, payload, state FROM sample_asks
               WHERE state IN ('new', 'answered') GROUP BY device"""
        )
        if not rows or not self.connected:
            return 0
        sent = [
            self._client.publish(
                topics.device(row["device"], "ask"),
                row["payload"] if row["state"] == "new" else b"",
                qos=1,
                retain=True,
            )
            for row in rows
        ]
        if not _all_acknowledged(sent):
            return 0
        self._store.write(lambda db: sampling.mark_published(db, rows))
        return len(sent)

    def _publish_artifact(self, digest: str) -> None:
        """Manifest and chunks, retained: published once, and the broker serves them to every device."""
        if digest in self._published:
            return
        manifest, payload = self._registry.manifest(digest), self._registry.payload(digest)
        sent = [
            self._client.publish(
                topics.manifest(digest), encode(self._registry.artifact(digest)), qos=1, retain=True
            )
        ]
        for index in range(manifest.chunks):
            start, end = manifest.chunk_span(index)
            sent.append(
                self._client.publish(topics.chunk(digest, index), payload[start:end], qos=1, retain=True)
            )
        if _all_acknowledged(sent):
            counters.PUBLISHED.labels("artifact").inc(len(sent))
            self._published.add(digest)

    def _on_connect(
        self,
        client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.ConnectFlags,
        code: ReasonCode,
        _properties: Any,
    ) -> None:
        if code.is_failure:
            log.warning("broker refuses the server: %s", code)
            return
        if not flags.session_present:
            # A broker that does not know us may have lost what it retained as well.
            self._published.clear()
            self._store.submit(_forget_published)
        self._connection += 1
        client.subscribe([(topic, 1) for topic in topics.REPORTS])
        client.publish(topics.SERVER_STATE, self._state(Presence.ONLINE), qos=1, retain=True)
        counters.BROKER_CONNECTED.set(1)
        self._up.set()

    def _on_disconnect(self, _client: mqtt.Client, *_: Any) -> None:
        counters.BROKER_CONNECTED.set(0)
        counters.BROKER_DISCONNECTED.inc()
        self._up.clear()

    def _on_message(self, client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        future = self._take_in(message.topic, bytes(message.payload))
        connection = self._connection
        # The PUBACK goes out only when the future has resolved: after COMMIT.
        future.add_done_callback(lambda done: self._acknowledge(client, message, connection, done))

    def _acknowledge(
        self, client: mqtt.Client, message: mqtt.MQTTMessage, connection: int, done: Future[Any]
    ) -> None:
        if connection != self._connection:
            return  # the broker sends it again by the new connection
        error = done.exception()
        if error is None:
            client.ack(message.mid, message.qos)
            return
        log.error("not stored, will be sent again: %s: %s", message.topic, error)
        # Acknowledging what came after it would be out of order, over which rumqttd loses messages. So
        # this connection ends here; the next one gets everything that was not acknowledged.
        self._connection += 1
        if (sock := client.socket()) is not None:
            cast(socket.socket, sock).shutdown(socket.SHUT_RDWR)

    def _take_in(self, topic: str, payload: bytes) -> Future[Any]:
        now = time.time()
        try:
            device, kind = topics.parse_device(topic)
            message = _decode(kind, payload)
            if message.device != device:
                raise WireError("wrong_device", f"{device} speaks for {message.device}", "use the own topic")
        except FleetError as error:
            counters.REJECTED.labels(error.code).inc()
            log.warning("%s: %s", topic[:200], error.message)
            code, text = error.code, error.message
            return self._store.submit(lambda db: reports.quarantine(db, topic, code, text, payload, now))
        future = self._store.submit(lambda db: _store_message(db, message, payload, now))
        future.add_done_callback(lambda done: _count(kind, done))
        return future

    def _state(self, presence: Presence) -> bytes:
        return encode(ServerState(state=presence, session=self._session))

    def _unreachable(self, why: str) -> LinkError:
        where = self._address.shown
        return LinkError("no_broker", f"cannot reach the broker at {where}: {why}", "is it running?")


def _decode(kind: str, payload: bytes) -> Report:
    match kind:
        case "status":
            return decode(Status, payload)
        case "reported":
            return decode(Reported, payload)
        case "telemetry":
            return decode(Telemetry, payload)
        case "samples":
            sample = decode(Sample, payload)
            _ = sample.window  # refused here, where it is quarantined
            return sample
    raise WireError("bad_topic", f"devices send no {kind[:40]!r}", "see docs/protocol.md")


def _store_message(db: Database, message: Report, payload: bytes, now: float) -> reports.Outcome:
    if isinstance(message, Status):
        return reports.store_status(db, message, now)
    if isinstance(message, Reported):
        return reports.store_reported(db, message, now)
    if isinstance(message, Sample):
        return sampling.store_sample(db, message, now)
    return reports.store_telemetry(db, message, payload, now)


def _count(kind: str, done: Future[reports.Outcome]) -> None:
    if done.exception() is None:
        counters.RECEIVED.labels(kind, done.result()).inc()


def _all_acknowledged(sent: list[mqtt.MQTTMessageInfo]) -> bool:
    deadline = time.monotonic() + PUBLISH_TIMEOUT_S
    for info in sent:
        info.wait_for_publish(max(0.0, deadline - time.monotonic()))
    return all(info.is_published() for info in sent)


def _mark_published(db: Database, done: list[tuple[str, int]], now: float) -> None:
    # Its deadline begins only here for a device that has not begun: the broker may have been away.
    db.conn.executemany(
        """UPDATE assignments SET published = 1,
               reached_at = CASE WHEN state = 'queued' AND reached_at IS NOT NULL THEN ? ELSE reached_at END
           WHERE device = ? AND sequence <= ? AND published = 0""",
        [(now, device, sequence) for device, sequence in done],
    )


def _forget_published(db: Database) -> None:
    db.execute(
        """UPDATE assignments SET published = 0 WHERE (device, sequence) IN
           (SELECT device, max(sequence) FROM assignments GROUP BY device)"""
    )
    db.execute("UPDATE sample_asks SET state = 'new' WHERE state = 'sent'")


def _client_id(db: Database) -> str:
    db.execute(
        "INSERT OR IGNORE INTO identity VALUES ('client_id', ?)",
        (f"tinyfleet-server-{secrets.token_hex(4)}",),
    )
    return _identity(db, "client_id")


def _next_session(db: Database) -> int:
    db.execute(
        """INSERT INTO identity VALUES ('session', '1')
           ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1"""
    )
    return int(_identity(db, "session"))


def _identity(db: Database, name: str) -> str:
    return str(only(db, "SELECT value FROM identity WHERE name = ?", (name,))["value"])
