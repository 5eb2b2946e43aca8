"""Vendors' tools: really run, their output passed on, their failure in one line."""

import pytest

import boards
from firmware_sim.flashing import running, tools
from wire.errors import LinkError, NotFoundError


def test_a_tools_output_is_passed_on():
    shown = []
    running.run(("imgtool", "version"), shown.append)
    assert b"".join(shown).strip()


def test_pyocd_without_a_probe_says_so_in_one_line(tmp_path):
    file = tmp_path / "flash.hex"
    file.write_text(":00000001FF\n")
    with pytest.raises(
        LinkError, match=r"pyocd failed: .*No (target device|connected debug probes)"
    ) as caught:
        running.run(tools.pyocd(boards.load("rpi-pico"), file, None), lambda _: None)
    assert "\n" not in str(caught.value)


def test_esptool_without_its_port_says_so_in_one_line(tmp_path):
    file = tmp_path / "model.bin"
    file.write_bytes(bytes(16))
    with pytest.raises(LinkError, match=r"esptool failed: .*[Pp]ort"):
        running.run(tools.esptool(boards.load("esp32-s3"), file, "/dev/none"), lambda _: None)


def test_pyocd_knows_the_chips_that_need_no_pack():
    shown = []
    running.run(("pyocd", "list", "--targets"), shown.append)
    names = {line.split()[0] for line in b"".join(shown).decode().splitlines() if line.startswith("  ")}
    assert {boards.load(name).pyocd_target for name in ("rpi-pico", "rpi-pico-2", "nano33ble")} <= names


def test_a_tool_that_is_not_installed_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(running.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(NotFoundError, match=r"smpmgr is not installed \(pip install smpmgr\)"):
        running.find("smpmgr")


def test_last_words_are_the_last_line_that_says_something():
    assert running._last_words(b"one\n\x1b[31mtwo\x1b[0m\r 50%\rthree \n\n") == "three"
    assert running._last_words(b"\n") == "it said nothing"
