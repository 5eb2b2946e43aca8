"""One MQTT connection, driven by an asyncio loop that a thousand others may share.

paho-mqtt does the protocol; the loop tells it when its socket is readable or writable, and only the
blocking connect runs in a thread (the scheme of aiomqtt 2, ``_client.py``).
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from device_agent.broker_url import BrokerUrl
from wire.errors import LinkError
from wire.limits import MAX_PAYLOAD_BYTES

SESSION_EXPIRY_S: Final = 3600
KEEPALIVE_S: Final = 30
CONNACK_TIMEOUT_S: Final = 10.0
#: MQTT 5.0, 3.4.2.1: accepted, and thrown away. A broker that lost its sessions in a crash may still
#: say that the server is online.
NO_MATCHING_SUBSCRIBERS: Final = 0x10
#: A payload at the limit, with its topic and properties.
MAX_PACKET_BYTES: Final = MAX_PAYLOAD_BYTES + 1024
#: A connection that lasted this long was a good one: the back-off starts anew. Two devices with one
#: identity throw each other out sooner than that.
STABLE_S: Final = 10.0
_BACKOFF_S: Final = (0.5, 60.0)

Handler = Callable[[bytes], None]
Will = Callable[[], tuple[str, bytes]]


class Link:
    """Publish, subscribe, and stay connected; every callback comes on the loop that runs ``run``."""

    def __init__(self, broker: BrokerUrl, client_id: str, will: Will, rng: random.Random) -> None:
        self.up = asyncio.Event()
        self.on_up: Callable[[], None] = lambda: None
        self.on_down: Callable[[str], None] = lambda _why: None
        self._broker = broker
        self._will = will
        self._rng = rng
        self._handlers: dict[str, Handler] = {}
        self._acks: dict[int, asyncio.Future[None]] = {}
        self._closing = False
        self._was_up = False
        self._down = asyncio.Event()
        self._thread = threading.get_ident()
        self._misc: asyncio.TimerHandle | None = None
        self._client = self._new_client(client_id)

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Have ``handler`` called with each payload of ``topic``, from now on and after reconnects."""
        self._handlers[topic] = handler
        if self.up.is_set():
            self._client.subscribe(topic, qos=1)

    def unsubscribe(self, topic: str) -> None:
        """Forget ``topic``."""
        self._handlers.pop(topic, None)
        if self.up.is_set():
            self._client.unsubscribe(topic)

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> asyncio.Future[None]:
        """Send at QoS 1; the result is there with the PUBACK, LinkError when nobody will get it."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        acked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        acked.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._acks[info.mid] = acked
        return acked

    async def run(self) -> None:
        """Connect and reconnect until ``close``, with exponential back-off and jitter."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        delay_s = _BACKOFF_S[0]
        while not self._closing:
            if await self._connect():
                since_s = self._loop.time()
                await self._down.wait()
                if self._loop.time() - since_s > STABLE_S:
                    delay_s = _BACKOFF_S[0]
            if not self._closing:
                await asyncio.sleep(delay_s * self._rng.uniform(0.5, 1.0))
                delay_s = min(2 * delay_s, _BACKOFF_S[1])

    async def close(self, topic: str, farewell: bytes, timeout_s: float = 2.0) -> None:
        """Publish a last retained message in place of the will, and disconnect."""
        self._closing = True
        if self.up.is_set():
            await asyncio.wait([self.publish(topic, farewell, retain=True)], timeout=timeout_s)
            self._client.disconnect()
            await asyncio.wait([asyncio.ensure_future(self._down.wait())], timeout=timeout_s)
        self._down.set()

    def drop(self) -> None:
        """Be gone for good without a goodbye, as in a power cut: the broker will publish the will."""
        self._closing = True
        self.up.clear()
        sock: Any = self._client.socket()
        if sock is not None:
            with suppress(OSError):  # it may not be connected yet
                sock.shutdown(socket.SHUT_RDWR)

    async def _connect(self) -> bool:
        self._down.clear()
        topic, payload = self._will()
        self._client.will_set(topic, payload, qos=1, retain=True)
        try:
            await self._loop.run_in_executor(None, self._open)
            async with asyncio.timeout(CONNACK_TIMEOUT_S):
                await next_of(self.up, self._down)
        except (OSError, ValueError, TimeoutError) as error:
            if (sock := self._client.socket()) is not None:
                self._unwatch(sock)  # paho closes it in the thread of the next connect
            self.on_down(str(error) or "the broker does not answer")
            return False
        return self.up.is_set()

    def _open(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        # The session lives as long as this process, which alone knows what is on its way. What must
        # outlive it is retained by the broker, or in the outbox: an old session would only send the
        # chunks of a killed process's download a second time.
        self._client.connect(
            self._broker.host,
            self._broker.port,
            KEEPALIVE_S,
            clean_start=not self._was_up,
            properties=properties,
        )

    def _new_client(self, client_id: str) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5, manual_ack=True)
        client.connect_timeout = CONNACK_TIMEOUT_S
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_socket_open = lambda _c, _u, sock: self._soon(self._watch, sock)
        client.on_socket_close = lambda _c, _u, sock: self._unwatch(sock)
        client.on_socket_register_write = lambda _c, _u, sock: self._soon(self._watch_write, sock)
        client.on_socket_unregister_write = lambda _c, _u, sock: self._soon(self._unwatch_write, sock)
        return client

    def _soon(self, call: Callable[[Any], None], sock: Any) -> None:
        if threading.get_ident() == self._thread:
            call(sock)
        else:
            self._loop.call_soon_threadsafe(call, sock)

    def _watch(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.add_reader(sock.fileno(), self._readable, sock)
            self._tick()

    def _unwatch(self, sock: Any) -> None:
        if threading.get_ident() == self._thread and sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
        if self._misc is not None:
            self._misc.cancel()

    def _watch_write(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.add_writer(sock.fileno(), self._client.loop_write)

    def _unwatch_write(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock.fileno())

    def _readable(self, sock: Any) -> None:
        try:
            self._client.loop_read()
            # What TLS has already decrypted never makes the socket readable again.
            while sock.fileno() >= 0 and getattr(sock, "pending", int)():
                self._client.loop_read()
        except Exception as error:  # noqa: BLE001 - paho raises many kinds over a packet that is none
            self._unwatch(sock)  # paho closes it in the thread of the next connect
            self._lost(f"unusable packet: {error!r}")

    def _tick(self) -> None:
        if self._misc is not None:
            self._misc.cancel()
        self._misc = self._loop.call_later(KEEPALIVE_S / 4, self._tick)
        self._client.loop_misc()

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.on_down(f"the broker refuses: {reason}")
            return
        if self._closing:  # it was on its way when the device stopped
            self._client.disconnect()
            return
        self._was_up = True
        self.up.set()
        for topic in self._handlers:
            self._client.subscribe(topic, qos=1)
        self.on_up()

    def _on_disconnect(self, _c: Any, _u: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._lost(str(reason))

    def _lost(self, why: str) -> None:
        was_up = self.up.is_set()
        self.up.clear()
        self._down.set()
        if was_up and not self._closing:
            self.on_down(why)

    def _on_message(self, client: mqtt.Client, _u: Any, message: mqtt.MQTTMessage) -> None:
        handler = self._handlers.get(message.topic)
        try:
            if handler is not None:  # else it was on its way when it was unsubscribed
                handler(bytes(message.payload))
        finally:
            client.ack(message.mid, message.qos)

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: Any, _properties: Any) -> None:
        acked = self._acks.pop(mid, None)
        if acked is None or acked.done():
            return
        if reason.is_failure:
            acked.set_exception(
                LinkError("refused", f"the broker refuses a report: {reason}", "check its ACL")
            )
        elif reason.value == NO_MATCHING_SUBSCRIBERS:
            acked.set_exception(
                LinkError("nobody", "nobody has subscribed to the report", "is the server up?")
            )
        else:
            acked.set_result(None)


async def next_of(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
