"""A real broker, a real agent process and a small director to try it with."""

from __future__ import annotations

import platform
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.device_agent.small_bundle import EXPIRES, Bundle, Keys, write_recording
from wire import topics, trust
from wire.messages import ModelRef, Reported, ServerState, Status, Telemetry, decode, encode
from wire.states import Presence
from wire.trust import Assignment, Policy

DEADLINE_S = 30.0
QUICK = Policy(trial_inferences=3, report_every_ms=100)


def eventually(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """For conditions that nothing announces: look often, give up at the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.01)


class Broker:
    """mosquitto as a child on a free loopback port, its log in a file."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.log = folder / "mosquitto.log"
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_type all\nuser root\n"
            f"log_dest file {self.log}\nmax_inflight_messages 0\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {folder}/\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self._listens, "the broker listens")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def sent(self, device: str, kind: str) -> list[str]:
        """Topics that the broker sent to a device, by its log."""
        start = f"Sending PUBLISH to {device} "
        lines = [line for line in self.log.read_text().splitlines() if start in line]
        return [topic for line in lines if kind in (topic := line.split("'")[1])]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Director:
    """Publishes bundles, signs assignments, and remembers everything that devices say."""

    def __init__(self, broker: Broker, keys: Keys) -> None:
        self.keys = keys
        self.reported: list[Reported] = []
        self.statuses: list[Status] = []
        self.telemetry: list[Telemetry] = []
        self._said = threading.Condition()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "director", protocol=mqtt.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: [client.subscribe(t, qos=1) for t in topics.REPORTS]
        # Like the server's: the session outlives the connection, so that a restart loses nothing.
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", broker.port, clean_start=False, properties=session)
        self._client.loop_start()

    def close(self, forget: bool = False) -> None:
        """Disconnect; ``forget``: and end the session, as a crashed broker would."""
        end = Properties(PacketTypes.DISCONNECT)
        end.SessionExpiryInterval = 0 if forget else 3600
        self._client.disconnect(properties=end)
        self._client.loop_stop()

    def server(self, presence: Presence, session: int = 1) -> None:
        self.put(topics.SERVER_STATE, encode(ServerState(state=presence, session=session)))

    def put(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(DEADLINE_S)

    def publish(self, bundle: Bundle, chunks: int | None = None) -> None:
        """The manifest and the first ``chunks`` chunks (all when None)."""
        self.put(topics.manifest(bundle.digest), encode(bundle.artifact))
        for index in range(bundle.manifest.chunks if chunks is None else chunks):
            start, end = bundle.manifest.chunk_span(index)
            self.put(topics.chunk(bundle.digest, index), bundle.payload[start:end])

    def assign(
        self,
        device: str,
        bundle: Bundle,
        sequence: int,
        policy: Policy = QUICK,
        key: object = None,
        attempt: str = "",
    ) -> None:
        signed = self.sign(device, bundle, sequence, policy, key, attempt)
        self.put(topics.device(device, "desired"), signed)

    def sign(
        self,
        device: str,
        bundle: Bundle,
        sequence: int,
        policy: Policy = QUICK,
        key: object = None,
        attempt: str = "",
    ) -> bytes:
        """``attempt``: of an earlier assignment, to sign that anew."""
        attempt = attempt or f"try-{sequence}"
        assignment = Assignment(
            device=device, sequence=sequence, attempt=attempt, bundle=bundle.ref, policy=policy
        )
        return trust.sign_assignment(assignment, 1000, key or self.keys.director, EXPIRES)  # type: ignore[arg-type]

    def wait(self, what: str, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
        with self._said:
            if not self._said.wait_for(condition, deadline_s):
                last = self.reported[-1] if self.reported else None
                raise AssertionError(f"never happened: {what}; last report: {last}")

    def wait_state(self, attempt: str, *states: str, device: str | None = None) -> Reported:
        found: list[Reported] = []

        def seen() -> bool:
            found[:] = [
                r
                for r in self.reported
                if r.attempt == attempt and r.state in states and device in (None, r.device)
            ]
            return bool(found)

        self.wait(f"{attempt} {states}", seen)
        return found[0]

    def wait_telemetry(self, model: ModelRef, count: int = 1, device: str | None = None) -> list[Telemetry]:
        start = len(self.telemetry)

        def fresh() -> list[Telemetry]:
            return [t for t in self.telemetry[start:] if t.model == model and device in (None, t.device)]

        self.wait(f"telemetry of v{model.version}", lambda: len(fresh()) >= count)
        return fresh()

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        kind = topics.parse_device(message.topic).kind
        lists: dict[str, tuple[type, list]] = {
            "status": (Status, self.statuses),
            "reported": (Reported, self.reported),
            "telemetry": (Telemetry, self.telemetry),
        }
        with self._said:
            lists[kind][1].append(decode(lists[kind][0], message.payload))
            self._said.notify_all()


class Agent:
    """A real agent process with its own config and state."""

    def __init__(
        self, folder: Path, keys: Keys, broker: Broker, device: str = "pi-1", rate_hz: int = 50
    ) -> None:

        self.device = device
        self.state_dir = folder / device
        self.log = folder / f"{device}.log"
        self.config = folder / f"{device}.toml"
        board = "rpi-4" if platform.machine() == "aarch64" else "linux-pc"
        recording = write_recording(folder / "eval.npz")
        self.config.write_text(
            f'device = "{device}"\nbroker = "{broker.url}"\nboard = "{board}"\n'
            f'state_dir = "{device}"\n[trust]\nimage_root = "{keys.folder}/image-root.json"\n'
            f'director_root = "{keys.folder}/director-root.json"\n'
            f'[sensor]\nkind = "replay"\nfile = "{recording}"\nrate_hz = 50\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            str(Path(sys.executable).with_name("tinyfleet")),
            "agent",
            "run",
            "--config",
            str(self.config),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, stdout=log)

    def kill(self) -> None:
        """SIGKILL, as a power cut of the process."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        self._process = None

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        code = self._process.wait(15)
        self._process = None
        return code

    def persisted(self) -> dict:
        return msgspec.json.decode((self.state_dir / "state.json").read_bytes())

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None
