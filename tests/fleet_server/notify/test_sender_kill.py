"""The server killed with SIGKILL between an alert and its delivery: whoever should be told is told."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from fleet_server import alerts, queries
from fleet_server.broker import Mosquitto
from fleet_server.store import Store
from tests.fleet_server.notify.receivers import ALERT, SECRET, Drip, Hook
from tests.fleet_server.served import until
from tinyfleet.demo.settings import free_port
from wire.messages import AlertNotice, decode

#: Opens an alert and says so once that is committed; then it waits to be killed.
RAISE = """
import sys, time
from pathlib import Path
from fleet_server.alerts import raise_alert
from fleet_server.store import Store
from tests.fleet_server.notify.receivers import ALERT
store = Store(Path(sys.argv[1]))
store.write(lambda db: raise_alert(db, time.time(), ALERT))
print("raised", flush=True)
sys.stdin.read()
"""


def _serve(data: Path, keys: Path, broker: str, notify: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "tinyfleet", "serve", "--data", data, "--trust", keys,
               "--port", free_port(0), "--broker", broker, "--notify", notify]  # fmt: skip
    with (data.parent / "serve.log").open("ab") as log:
        return subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)


def _kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def _settings(tmp_path: Path, url: str) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    file = tmp_path / "notify.toml"
    file.write_text(
        f'[[webhook]]\nname = "ops"\nurl = "{url}"\nsecret_file = "{tmp_path / "secret"}"\n'
        "retry_first_s = 0.05\nretry_most_s = 0.2\n"
    )
    return file


def test_power_cut_between_the_alert_and_its_first_delivery(tmp_path: Path, keys: Path) -> None:
    data = tmp_path / "data"
    script, pipe = [sys.executable, "-c", RAISE, str(data / "fleet.db")], subprocess.PIPE
    with subprocess.Popen(script, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"raised\n"
        child.send_signal(signal.SIGKILL)
    with Mosquitto(tmp_path / "broker") as broker, Hook() as hook:
        server = _serve(data, keys, broker.url, _settings(tmp_path, hook.url))
        try:
            until(lambda: hook.requests, "told after the restart", 60)
        finally:
            _kill(server)
    assert decode(AlertNotice, hook.requests[0][2]).message == ALERT.message


def test_power_cut_while_a_notice_is_under_way_tells_it_again_with_its_id(tmp_path: Path, keys: Path) -> None:
    data = tmp_path / "data"
    store = Store(data / "fleet.db")
    number = store.write(lambda db: alerts.raise_alert(db, time.time(), ALERT))
    store.close()
    with Mosquitto(tmp_path / "broker") as broker:
        with Drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 60) as drip:
            server = _serve(data, keys, broker.url, _settings(tmp_path, f"http://127.0.0.1:{drip.port}/"))
            until(lambda: drip.connections or server.poll() is not None, "under way", 60)
            _kill(server)
        left = Store(data / "fleet.db")
        (waiting,) = queries.alert(left, number)["deliveries"]
        left.close()
        assert waiting["state"] == "waiting"
        with Hook(503) as hook:
            server = _serve(data, keys, broker.url, _settings(tmp_path, hook.url))
            try:
                until(lambda: len(hook.requests) == 2, "told after the restart", 60)
            finally:
                _kill(server)
    assert {headers["webhook-id"] for _, headers, _ in hook.requests} == {waiting["notice"]}


def test_a_bad_notify_file_ends_the_server_before_it_begins(tmp_path: Path, keys: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text('[[webhook]]\nname = "ops"\nurl = "http://hooks.example.org"\nsecret_env = "NONE"\n')
    done = subprocess.run(
        [sys.executable, "-m", "tinyfleet", "serve", "--data", tmp_path / "data", "--trust", keys,
         "--port", str(free_port(0)), "--broker-port", "0", "--notify", file],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "notify.toml: webhook[0].url: https is needed beyond this machine" in done.stderr
    assert "Traceback" not in done.stderr
