"""The embedded brokers as processes: where they listen, how they fail, and that none is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_server.broker import BrokerAddress, ExternalBroker, Mosquitto, Rumqttd, child, open_broker
from tests.fleet_server.broker.mqtt_peer import DEADLINE_S, Peer
from wire.errors import InputError, LinkError, StoreError

needs_mosquitto = pytest.mark.skipif(shutil.which("mosquitto") is None, reason="mosquitto is not installed")
EVERYWHERE = "0.0.0.0"  # noqa: S104
embedded = pytest.mark.parametrize("kind", [pytest.param(Mosquitto, marks=needs_mosquitto), Rumqttd])


def port_of(url):
    return BrokerAddress.parse(url).port


@needs_mosquitto
def test_mosquitto_is_taken_when_it_is_there(tmp_path):
    assert open_broker(None, tmp_path).kind == "mosquitto"


def test_rumqttd_is_taken_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert open_broker(None, tmp_path).kind == "rumqttd"


def test_a_url_is_taken_before_all(tmp_path):
    broker = open_broker("mqtt://broker.example", tmp_path)
    assert (broker.kind, broker.url) == ("external", "mqtt://broker.example")


@embedded
@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.7", "localhost", "", "127.0.0.1.evil"])
def test_threat_listening_to_other_machines_is_refused(tmp_path, kind, host):
    with pytest.raises(InputError, match="does not listen") as caught:
        kind(tmp_path, host=host)
    assert caught.value.code == "not_loopback"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/net")
@embedded
def test_it_is_reachable_on_loopback_only(tmp_path, kind):
    with kind(tmp_path) as broker:
        port = f":{port_of(broker.url):04X}"
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = [local for _, local, _, state, *_ in sockets if state == "0A" and local.endswith(port)]
        assert listening == [f"0100007F{port}"]


@embedded
def test_a_taken_port_is_a_one_line_error(tmp_path, kind):
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(LinkError, match="cannot listen") as e,
    ):
        kind(tmp_path, port=other.getsockname()[1]).start()
    assert e.value.code == "port_taken"


@embedded
def test_a_port_lost_at_the_last_moment_is_chosen_again(tmp_path, kind, monkeypatch):
    choose, chosen = child.choose_port, []
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]

        def lose_once(host, port):
            if port:
                return choose(host, port)
            chosen.append(taken if not chosen else choose(host, port))
            return chosen[-1]

        monkeypatch.setattr(child, "choose_port", lose_once)
        with kind(tmp_path) as broker:
            assert port_of(broker.url) == chosen[-1] != taken
        assert len(chosen) == 2


@embedded
def test_a_broken_configuration_says_the_last_log_line(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(kind, "_configuration", lambda *_: "gibberish = = =\n")
    broker = kind(tmp_path)
    with pytest.raises(LinkError, match="ended with code") as caught:
        broker.start()
    assert caught.value.code == "broker_failed"
    assert "\n" not in str(caught.value)
    assert broker.log_path.read_text().splitlines()[-1].strip()[:60] in caught.value.message
    assert broker.pid is None


@embedded
def test_no_place_for_its_files_is_a_store_error(tmp_path, kind):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        kind(tmp_path / "file").start()


@embedded
def test_stop_ends_the_process_and_may_be_repeated(tmp_path, kind):
    broker = kind(tmp_path)
    url, pids = broker.start(), family(broker.pid)
    broker.stop()
    broker.stop()
    assert not any(map(alive, pids))
    with pytest.raises(LinkError, match="does not run"):
        _ = broker.url
    with pytest.raises(LinkError, match="no MQTT 5 broker"):
        ExternalBroker(url).start()


@embedded
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_server(tmp_path, kind, how):
    code = (
        "import sys, pathlib, fleet_server.broker as b\n"
        f"broker = b.{kind.__name__}(pathlib.Path(sys.argv[1]))\n"
        "print(broker.start(), broker.pid, flush=True)\n"
        "sys.stdin.read()"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with server:
        url, pid = server.stdout.readline().decode().split()
        with Peer(url) as device:
            server.send_signal(how)
            server.wait(DEADLINE_S)
            device.wait(lambda: device.disconnects == 1, "end of the broker")
        assert pid


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs PR_SET_PDEATHSIG")
@embedded
def test_it_ends_with_its_killed_keeper(tmp_path, kind):
    with kind(tmp_path) as broker, Peer(broker.url) as device:
        os.kill(broker.pid, signal.SIGKILL)
        device.wait(lambda: device.disconnects == 1, "end of the broker")


@needs_mosquitto
@pytest.mark.parametrize("orderly", [True, False])
def test_a_restart_of_mosquitto_keeps_queue_and_retained(tmp_path, orderly):
    broker = Mosquitto(tmp_path)
    with Peer(broker.start(), "server", session_s=3600) as subscriber:
        subscriber.subscribe("queue")
    with Peer(broker.url) as publisher:
        publisher.publish("wish", b"kept", retain=True)
        publisher.publish_many("queue", [b"1", b"2"])
    if not orderly:
        crash_after_save(broker)
    broker.stop()
    with broker, Peer(broker.url, "server", session_s=3600) as resumed:
        assert resumed.payloads(2) == [b"1", b"2"]
        resumed.subscribe("wish")
        assert resumed.payloads(3)[2] == b"kept"


@pytest.mark.parametrize(
    "url",
    ["", "broker", "http://host", "mqtt://", "mqtt://host:99999", "mqtt://h:x", "mqtt://h/path", "mqtt://["],
)
def test_a_bad_url_is_refused(tmp_path, url):
    with pytest.raises(InputError, match="not the URL"):
        open_broker(url, tmp_path)


def test_passwords_are_never_shown():
    address = BrokerAddress.parse("mqtts://fleet:se%40cret@host")
    assert (address.username, address.password, address.port, address.tls) == ("fleet", "se@cret", 8883, True)
    assert "se" not in address.shown
    assert "se@cret" not in repr(address)
    broker = ExternalBroker("mqtt://fleet:secret@127.0.0.1:1")
    with pytest.raises(LinkError) as caught:
        broker.start()
    assert "secret" not in str(caught.value)


def test_nobody_there():
    with pytest.raises(LinkError, match="no MQTT 5 broker") as caught:
        ExternalBroker("mqtt://127.0.0.1:1").start()
    assert caught.value.code == "unreachable"
    assert caught.value.hint


def test_unknown_host():
    with pytest.raises(LinkError, match="no such host"):
        ExternalBroker("mqtt://no-such-host.invalid").start()


def test_something_that_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(LinkError, match="no answer"):
        ExternalBroker(f"mqtt://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3).start()


@needs_mosquitto
def test_a_broker_that_says_no(tmp_path, monkeypatch):
    configuration = Mosquitto._configuration
    monkeypatch.setattr(
        Mosquitto,
        "_configuration",
        lambda *a: configuration(*a).replace("allow_anonymous true", "allow_anonymous false"),
    )
    monkeypatch.setattr(child, "probe", listens)
    with Mosquitto(tmp_path) as broker, pytest.raises(LinkError, match="refuses us") as caught:
        ExternalBroker(broker.url).start()
    assert caught.value.code == "broker_refused"


def listens(address, timeout_s):
    """As probe, but content with an open port."""
    try:
        socket.create_connection((address.host, address.port), timeout_s).close()
    except OSError as error:
        raise LinkError("unreachable", "not yet") from error


def family(pid):
    """``pid`` and its children."""
    command = ["ps", "-o", "pid=", "--ppid", str(pid)]
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    return [pid, *map(int, out.stdout.split())]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def crash_after_save(broker):
    """SIGKILL mosquitto after it wrote its database (SIGUSR1), as AUTOSAVE_S does by itself."""
    _, pid = family(broker.pid)
    os.kill(pid, signal.SIGUSR1)
    with Peer(broker.url) as barrier:  # answered after the signal was handled
        barrier.publish("barrier", b"1")
        barrier.publish("barrier", b"2")
    os.kill(pid, signal.SIGKILL)
