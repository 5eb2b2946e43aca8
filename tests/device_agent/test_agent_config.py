from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from device_agent.broker_url import parse_broker_url
from device_agent.config import check_machine, hardware_of, load_config, read_root
from device_agent.failure import reason_of
from device_agent.notify import notify
from tests.device_agent.small_bundle import Keys
from wire.errors import FleetError, InputError, LinkError, RefusedError, StoreError, TrustError, WireError
from wire.states import Reason

GOOD = """
device = "pi-1"
broker = "mqtt://127.0.0.1"
board = "rpi-4"
state_dir = "state"
[trust]
image_root = "image-root.json"
director_root = "director-root.json"
[sensor]
kind = "replay"
file = "eval.npz"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "agent.toml"
    file.write_text(text)
    return file


def test_defaults(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert (config.sensor.rate_hz, config.sensor.stride, config.outbox.max_entries) == (1.0, 1, 10_000)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('device = "pi-1"', "", "device"),
        ('device = "pi-1"', 'device = "pi/1"', "device"),
        ('kind = "replay"', 'kind = "camera"', r"\$\.sensor\.kind"),
        ('kind = "replay"', 'kind = "replay"\nrate = 5', "rate"),
        ("[sensor]", "[sensor]\nrate_hz = 0", r"\$\.sensor\.rate_hz"),
        ("[trust]", "[trust", "agent.toml"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as raised:
        load_config(write(tmp_path, GOOD.replace(old, new)))
    assert "agent.toml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_config_that_is_too_long_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is over"):
        load_config(write(tmp_path, GOOD + "#" * 70_000))
    with pytest.raises(InputError, match="No such file"):
        load_config(tmp_path / "none.toml")


def test_roots(keys: Keys, tmp_path: Path) -> None:
    assert read_root(keys.folder / "image-root.json").version == 1
    with pytest.raises(InputError, match="trust init"):
        read_root(tmp_path / "none.json")
    with pytest.raises(WireError, match=r"agent\.toml: not signed metadata"):
        read_root(write(tmp_path, GOOD))


def test_the_board_must_be_this_machine() -> None:
    check_machine(hardware_of("rpi-4"), "aarch64")
    check_machine(hardware_of("linux-pc"), "x86_64")
    for board, machine in (("rpi-4", "x86_64"), ("linux-pc", "riscv64"), ("nano33ble", "x86_64")):
        with pytest.raises(InputError, match="this machine is"):
            check_machine(hardware_of(board), machine)


def test_broker_addresses(tmp_path: Path) -> None:
    plain = parse_broker_url("mqtt://u%40x:p@host")
    assert plain == ("host", 1883, "u@x", "p", None)
    secure = parse_broker_url("mqtts://host")
    assert secure.port == 8883
    assert secure.tls is not None
    (tmp_path / "password").write_text("secret\n")
    assert parse_broker_url("mqtt://u@host:1", tmp_path / "password").password == "secret"


@pytest.mark.parametrize(
    "url", ["host", "http://host", "mqtt://", "mqtt://host:99999", "mqtt://u:secret@h/x"]
)
def test_bad_broker_addresses_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_broker_url(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RefusedError(Reason.OUT_OF_RAM, "x"), Reason.OUT_OF_RAM),
        (StoreError("disk_full", "x"), Reason.STORAGE),
        (LinkError("x", "x"), Reason.LINK_LOST),
        (TrustError("x", "x"), Reason.UNTRUSTED),
        (WireError("oversize", "x"), Reason.MALFORMED),
        (InputError("x", "x"), Reason.RUNTIME_REFUSED),
    ],
)
def test_every_error_has_a_reason(error: FleetError, reason: Reason) -> None:
    assert reason_of(error) is reason


def test_systemd_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    address = os.path.relpath(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "s"))
        notify("READY=1")
        assert systemd.recv(100) == b"READY=1"
