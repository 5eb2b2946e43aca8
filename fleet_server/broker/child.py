"""A broker process of our own: started, waited for, ended, and never left behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from fleet_server.broker import keeper
from fleet_server.broker.address import LOOPBACK, check_loopback, choose_port
from fleet_server.broker.probe import probe
from wire.broker import BrokerAddress
from wire.errors import LinkError, StoreError
from wire.limits import MAX_PAYLOAD_BYTES

#: Largest MQTT packet after its fixed header: a full payload, and 1 KB for topic and properties (our
#: longest topic has 93 bytes). A broker ends the connection of a larger one before it is in memory.
MAX_PACKET_BYTES: Final = MAX_PAYLOAD_BYTES + 1024
START_TIMEOUT_S: Final = 15.0
#: Time to write queues and retained messages to disk after SIGTERM.
STOP_GRACE_S: Final = 10.0
_PROBE_S: Final = 1.0
_RETRY_S: Final = 0.02
_PORT_TRIES: Final = 5
_LOG_TAIL_BYTES: Final = 4096


class ChildBroker:
    """What the embedded brokers have in common; each adds its configuration and its program.

    ``data_dir`` is created; the broker's files are in its ``broker`` folder. ``start`` raises
    LinkError (port taken, broken broker: with its last log line) or StoreError (no place for its files).
    """

    kind: ClassVar[str]
    configuration_suffix: ClassVar[str] = ".conf"

    def __init__(self, data_dir: Path, port: int = 0, host: str = LOOPBACK) -> None:
        self.folder: Final = data_dir.absolute() / "broker"
        self._host: Final = check_loopback(host)
        self._wanted_port: Final = port
        self._process: subprocess.Popen[bytes] | None = None
        self._address: BrokerAddress | None = None

    @property
    def log_path(self) -> Path:
        """What the broker wrote to its standard output and error since its last start."""
        return self.folder / f"{self.kind}.log"

    @property
    def url(self) -> str:
        """``mqtt://host:port``; LinkError while it does not run."""
        if self._address is None:
            raise LinkError("not_started", f"the embedded {self.kind} does not run", "start it first")
        return self._address.shown

    @property
    def pid(self) -> int | None:
        """Process id of the broker's keeper, whose end is the broker's end; None while it does not run."""
        return None if self._process is None else self._process.pid

    def start(self) -> str:
        """Run it until :meth:`stop` and return its URL."""
        tries = _PORT_TRIES if self._wanted_port == 0 else 1
        for left in reversed(range(tries)):
            address = BrokerAddress(self._host, choose_port(self._host, self._wanted_port))
            try:
                self._start_at(address)
            except LinkError:
                self.stop()
                if left == 0 or self._is_free(address):
                    raise  # not a lost race for the port
            else:
                break
        return self.url

    def stop(self) -> None:
        """End it in order: SIGTERM, and SIGKILL after STOP_GRACE_S. May be called twice."""
        process, self._process, self._address = self._process, None, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(STOP_GRACE_S + 2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _configuration(self, host: str, port: int) -> str:
        """Text of the configuration file for a listener at ``host`` and ``port``."""
        raise NotImplementedError

    def _program(self, configuration: Path) -> list[str]:
        """Command that runs the broker in the foreground."""
        raise NotImplementedError

    def _start_at(self, address: BrokerAddress) -> None:
        configuration = self.folder / f"{self.kind}{self.configuration_suffix}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            configuration.write_text(self._configuration(address.host, address.port), "utf-8")
            log = self.log_path.open("wb")
        except OSError as error:
            raise StoreError(
                "broker_files", f"cannot write the broker's files: {error}", "choose another data directory"
            ) from error
        # Isolated and without site: the keeper needs the standard library only, and starts in 20 ms.
        command = [sys.executable, "-I", "-S", keeper.__file__, str(STOP_GRACE_S)]
        with log:
            self._process = subprocess.Popen(
                [*command, *self._program(configuration)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_ready(self._process, address)
        self._address = address

    def _wait_ready(self, process: subprocess.Popen[bytes], address: BrokerAddress) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                probe(address, _PROBE_S)
            except LinkError as error:
                said = error.message
            else:
                if process.poll() is None:
                    return  # else somebody else's broker answered on a port that ours did not get
                said = "the port belongs to another broker"
            try:
                code = process.wait(_RETRY_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                raise self._broken(f"is not ready after {START_TIMEOUT_S:.0f} s: {said}") from None
            raise self._broken(f"ended with code {code}")

    def _broken(self, how: str) -> LinkError:
        line = self._last_log_line()
        return LinkError(
            "broker_failed", f"the embedded {self.kind} {how}: {line}", f"its log is {self.log_path}"
        )

    def _last_log_line(self) -> str:
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(0, self.log_path.stat().st_size - _LOG_TAIL_BYTES))
                lines = deque((line for line in log.read().splitlines() if line.strip()), maxlen=1)
        except OSError:
            return "no log"
        return lines[0].decode("utf-8", "replace").strip()[:200] if lines else "it said nothing"

    @staticmethod
    def _is_free(address: BrokerAddress) -> bool:
        try:
            choose_port(address.host, address.port)
        except LinkError:
            return False
        return True
