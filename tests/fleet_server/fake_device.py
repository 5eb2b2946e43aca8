"""A device as the server sees one: real MQTT, scripted answers. It holds no model."""

import itertools
import queue
import threading
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from wire import topics
from wire.messages import Hardware, ModelRef, Reported, Status, Telemetry, encode
from wire.states import NumericsFamily, Presence, Reason, UpdateState
from wire.trust import Assignment, Root, verify_assignment

BOOT = "00000001-0000aaaa"
HARDWARE = Hardware(
    target="cortex-m4",
    board="nano33ble",
    numerics=NumericsFamily.TFLM,
    runtime="none",
    ram_bytes=100_000,
    flash_bytes=100_000,
)


class FakeDevice:
    """Connects, says what it is, and hands every assignment to the test."""

    def __init__(self, url: str, name: str, root: Root, now, hardware: Hardware = HARDWARE) -> None:
        self.name, self._root, self._now, self.hardware = name, root, now, hardware
        self.assignments: queue.Queue[Assignment] = queue.Queue()
        self.running: ModelRef | None = None
        self._seq = itertools.count()
        self._session = 0
        self._where = urlsplit(url)
        self.connect()
        self.report(None, None)

    def connect(self) -> None:
        """A new session, which says so."""
        name = self.name
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        self.client.on_message = self._on_message
        up = threading.Event()
        self.client.on_subscribe = lambda *_: up.set()
        self.client.on_connect = lambda *_: self.client.subscribe(topics.device(name, "desired"), 1)
        self.client.connect(self._where.hostname, self._where.port)
        self.client.loop_start()
        assert up.wait(10)
        self._session += 1
        self._say(Presence.ONLINE)

    def leave(self) -> None:
        """Offline, as its last will would say."""
        self._say(Presence.OFFLINE)
        self.close()

    def _say(self, presence: Presence) -> None:
        status = Status(device=self.name, state=presence, session=self._session, boot=BOOT)
        self.send("status", status)

    def _on_message(self, _client, _userdata, message: mqtt.MQTTMessage) -> None:
        self.assignments.put(verify_assignment(self._root, message.payload, self.name, self._now()))

    def send(self, kind: str, message) -> None:
        self.client.publish(topics.device(self.name, kind), encode(message), qos=1).wait_for_publish(10)

    def report(
        self,
        assignment: Assignment | None,
        state: UpdateState | None,
        reason: Reason = Reason.NONE,
        downloaded: int = 0,
        runs: ModelRef | None = None,
    ) -> None:
        """Say where it is with an assignment; see :meth:`reported`."""
        self.send("reported", self.reported(assignment, state, reason, downloaded, runs))

    def reported(
        self,
        assignment: Assignment | None,
        state: UpdateState | None,
        reason: Reason = Reason.NONE,
        downloaded: int = 0,
        runs: ModelRef | None = None,
    ) -> Reported:
        """The next report; ``runs``: what it really runs, when that is not what follows from ``state``."""
        if assignment is not None and state in (UpdateState.CONFIRMED, UpdateState.ALREADY_INSTALLED):
            self.running = assignment.bundle
        self.running = runs or self.running
        return Reported(
            device=self.name,
            boot=BOOT,
            seq=next(self._seq),
            sequence=assignment.sequence if assignment else 0,
            attempt=assignment.attempt if assignment else None,
            state=state,
            reason=reason,
            running=self.running,
            slots={"a": self.running, "b": None},
            downloaded_bytes=downloaded,
            hardware=self.hardware,
        )

    def observe(self, assignment: Assignment, correct: int = 8) -> None:
        self.send("telemetry", self.window(assignment.bundle, assignment.attempt, correct))

    def window(self, model: ModelRef, attempt: str | None, correct: int = 8) -> Telemetry:
        """The next telemetry window: ten labelled inferences in a second."""
        return Telemetry(
            device=self.name,
            boot=BOOT,
            seq=next(self._seq),
            attempt=attempt,
            model=model,
            numerics=NumericsFamily.TFLM,
            at_unix_s=None,
            duration_s=1.0,
            n=10,
            latency_clock="host",
            latency={50: 10},
            latency_sum_us=1500,
            labelled=10,
            correct=correct,
            classes=[10, 0],
            confidence=[0] * 9 + [10],
        )

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
