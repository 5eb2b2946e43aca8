"""The dashboard in a real browser, served by a real ``tinyfleet serve``."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fleet_server.alerts import raise_alert
from fleet_server.dashboard import format as fmt
from fleet_server.store import Store
from tests.fleet_server.fake_device import FakeDevice
from tests.fleet_server.notify.receivers import ALERT
from tinyfleet.client import Client
from wire.manifest import MANIFEST_FILE, SIGNATURE_FILE
from wire.states import Reason, UpdateState
from wire.trust import Assignment, load_root

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
HTML = "<img src=x onerror=window.harmed=1>"
#: Colours that the stylesheet gives the page's background, as the browser computes them.
LIGHT, DARK = "rgb(245, 246, 248)", "rgb(15, 19, 23)"


class Served:
    """A server process with its client and its fake devices."""

    def __init__(self, url: str, data: Path, keys: Path) -> None:
        self.url, self.data = url, data
        self.closing = ExitStack()
        token = (data / "admin.token").read_text().strip()
        self.client = self.closing.enter_context(Client(url, token))
        self.broker = httpx.get(f"{url}/healthz").json()["broker"]["url"]
        self._root = load_root((keys / "director-root.json").read_bytes())

    def device(self, name: str, kind: type[FakeDevice] = FakeDevice) -> FakeDevice:
        device = kind(self.broker, name, self._root, lambda: datetime.now(UTC))
        self.closing.callback(device.close)
        return device

    def push(self, bundle, folder: Path) -> None:
        artifact, files = bundle
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        (folder / MANIFEST_FILE).write_text(artifact.manifest)
        (folder / SIGNATURE_FILE).write_text(artifact.signature)
        self.client.push(folder)

    def alert(self, **changes: object) -> int:
        """An alert, as a part of the server would raise it."""
        with closing(Store(self.data / "fleet.db")) as store:
            while True:
                # The server is a writer too: a snapshot that it has overtaken is refused at once.
                with suppress(sqlite3.OperationalError):
                    return store.write(lambda db: raise_alert(db, time.time(), replace(ALERT, **changes)))

    def roll(self, version: int, **policy) -> int:
        body = {"model": "watch", "version": version, "stages": [0.5, 1.0], "soak_s": 0, **policy}
        return int(self.client.post("/rollouts", body)["id"])


class Injector(FakeDevice):
    """Puts markup wherever a device may put text."""

    def send(self, kind: str, message) -> None:
        super().send(kind, msgspec.structs.replace(message, detail=HTML) if kind == "reported" else message)


@pytest.fixture
def served(tmp_path: Path, keys: Path) -> Iterator[Served]:
    data, port = tmp_path / "data", _free_port()
    command = [sys.executable, "-m", "tinyfleet", "serve", "--data", data, "--trust", keys,
               "--port", port, "--broker-port", 0]  # fmt: skip
    environment = {**os.environ, "TINYFLEET_TICK_S": "0.05"}
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(list(map(str, command)), env=environment, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _until_healthy(process, url)
        server = Served(url, data, keys)
        with server.closing:
            yield server
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A tab that in the end has complained of nothing and has asked nobody but our server."""
    opened = browser.new_page(base_url=served.url, viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    asked: set[str] = set()
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: asked.add(request.url))
    opened.on("websocket", lambda opened_socket: asked.add(opened_socket.url))
    yield opened
    opened.close()
    assert complaints == []
    places = {urlsplit(url).netloc for url in asked if not url.startswith("data:")}
    assert places == {urlsplit(served.url).netloc}
    assert any(url.startswith("ws://") for url in asked), "no socket was opened"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_healthy(process: subprocess.Popen, url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server did not start"
        try:
            if httpx.get(f"{url}/healthz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)


def _next(devices: list[FakeDevice]) -> tuple[FakeDevice, Assignment]:
    """Whoever is told next, and what."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for device in devices:
            if not device.assignments.empty():
                return device, device.assignments.get()
        time.sleep(0.01)
    raise AssertionError("no device was told anything")


def _confirm_all(devices: list[FakeDevice]) -> None:
    for _ in devices:
        device, assignment = _next(devices)
        device.report(assignment, UpdateState.CONFIRMED, downloaded=9_005)
        device.observe(assignment)


def _row(page: Page, device: str):
    return page.get_by_role("row").filter(has_text=device)


def test_overview_shows_devices_and_keeps_the_filter_while_it_refreshes(served: Served, page: Page) -> None:
    served.device("mcu-1")
    page.goto("/")
    expect(page).to_have_title("Fleet · tinyfleet")
    expect(page.get_by_role("status", name="Health")).to_contain_text("broker connected")
    expect(_row(page, "mcu-1")).to_contain_text("nano33ble")
    expect(_row(page, "mcu-1")).to_contain_text("online")
    page.get_by_label("Filter devices").fill("MCU-2")
    expect(page.get_by_text("No device matches")).to_be_visible()
    served.device("mcu-2")
    expect(_row(page, "mcu-2")).to_contain_text("online")
    expect(page.locator(".tile").first).to_contain_text("2")
    expect(_row(page, "mcu-1")).to_have_count(0)
    assert page.get_by_label("Filter devices").input_value() == "MCU-2"


def test_a_rollout_progresses_on_the_page_without_a_reload(
    served: Served, page: Page, make_bundle: Callable, tmp_path: Path
) -> None:
    devices = [served.device("mcu-1"), served.device("mcu-2")]
    served.push(make_bundle(1), tmp_path / "v1")
    number = served.roll(1)
    page.goto(f"/rollouts/{number}")
    page.evaluate("window.untouched = true")
    navigations: list[str] = []
    page.on("framenavigated", lambda frame: navigations.append(frame.url))
    stages = page.locator(".stage")
    expect(stages.nth(0)).to_contain_text("running")
    expect(stages.nth(1)).to_contain_text("1 device, none told yet")
    expect(page.get_by_text("No labelled windows yet")).to_be_visible()

    device, assignment = _next(devices)
    device.report(assignment, UpdateState.DOWNLOADING, downloaded=4_096)
    expect(_row(page, device.name)).to_contain_text("downloading")
    expect(_row(page, device.name)).to_contain_text(fmt.size(4_096))
    device.report(assignment, UpdateState.CONFIRMED, downloaded=9_005)
    expect(stages.nth(0)).to_contain_text("waiting for reports")
    device.observe(assignment)
    expect(stages.nth(0)).to_contain_text("passed")
    expect(stages.nth(1)).to_contain_text("running")
    expect(page.get_by_role("img", name="Accuracy in the field, by version")).to_contain_text("watch v1")

    _confirm_all([other for other in devices if other is not device])
    expect(page.locator(".head .chip")).to_have_text("finished")
    assert navigations == []
    assert page.evaluate("window.untouched") is True


def test_why_a_rollout_was_rolled_back_is_said_in_words(
    served: Served, page: Page, make_bundle: Callable, tmp_path: Path
) -> None:
    devices = [served.device("mcu-1"), served.device("mcu-2")]
    served.push(make_bundle(1), tmp_path / "v1")
    page.goto(f"/rollouts/{served.roll(1)}")
    _confirm_all(devices)
    expect(page.locator(".head .chip")).to_have_text("finished")
    served.push(make_bundle(2), tmp_path / "v2")
    page.goto(f"/rollouts/{served.roll(2)}")
    device, assignment = _next(devices)
    device.report(assignment, UpdateState.ROLLED_BACK, Reason.SELF_TEST, downloaded=9_005)
    why = "self-test failed on 1 of 1 devices in stage 1 of 2"
    expect(page.get_by_text(f"Stopped: {why}")).to_be_visible()
    expect(page.get_by_text("Told to take it: 1 of 2 devices. Never told: 1.")).to_be_visible()
    device.report(_next([device])[1], UpdateState.ALREADY_INSTALLED)
    expect(page.locator(".head .chip")).to_have_text("stopped")
    expect(_row(page, device.name)).to_contain_text("rolled back")
    expect(_row(page, device.name)).to_contain_text("already installed")
    page.goto("/")
    expect(page.get_by_role("region", name="Open alerts")).to_contain_text(f"watch v2 stopped: {why}")
    page.get_by_role("region", name="Open alerts").get_by_role("link").click()
    expect(page).to_have_title("Rollout 2 · tinyfleet")


def test_the_gates_of_a_rollout_are_on_its_page(
    served: Served, page: Page, make_bundle, tmp_path: Path
) -> None:
    devices = [served.device(f"mcu-{index}") for index in range(2)]
    served.push(make_bundle(1), tmp_path / "v1")
    number = served.roll(1, stages=[1.0], soak_s=60, max_failed=1.0)
    page.goto(f"{served.url}/rollouts/{number}")
    gates = page.get_by_label("Gates")
    for count, (device, said) in enumerate(zip(devices, ("no harm shown", "harm shown"), strict=True), 1):
        device.report(device.assignments.get(timeout=20), UpdateState.ROLLED_BACK, Reason.SELF_TEST)
        failures = gates.locator(".gate").filter(has_text="failures")
        expect(failures).to_contain_text(f"{count} of 2 exposed devices failed", timeout=20_000)
        expect(failures.locator(".chip")).to_have_text(said)
    expect(gates.locator(".chip.tone-bad")).to_have_count(1)
    expect(gates).to_contain_text("Without data: accuracy")
    expect(page.get_by_text("Stopped: failures: 2 of 2 exposed devices failed").first).to_be_visible()


def test_markup_from_devices_and_addresses_is_shown_as_text(
    served: Served, page: Page, browser: Browser, make_bundle: Callable, tmp_path: Path
) -> None:
    device = served.device("mcu-1", Injector)
    served.push(make_bundle(1), tmp_path / "v1")
    number = served.roll(1)
    device.report(_next([device])[1], UpdateState.FAILED, Reason.STORAGE)
    for address in ("/", f"/rollouts/{number}", "/devices/mcu-1"):
        page.goto(address)
        expect(page.get_by_text(HTML)).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("window.harmed") is None
    stray = browser.new_page(base_url=served.url)
    for address in (
        f"/{quote(HTML, safe='')}",
        f"/devices/{quote(HTML, safe='')}",
        "/rollouts/99",
        "/alerts/99",
    ):
        answer = stray.goto(address)
        assert answer is not None
        assert answer.status == 404
        expect(stray.get_by_role("heading", name="Not found")).to_be_visible()
        assert stray.evaluate("window.harmed") is None
    stray.close()


def test_every_page_fits_a_phone_and_follows_the_system_to_dark(
    served: Served, page: Page, make_bundle: Callable, tmp_path: Path
) -> None:
    device = served.device("mcu-with-a-rather-long-name-1")
    served.push(make_bundle(1), tmp_path / "v1")
    number = served.roll(1)
    _confirm_all([device])
    page.set_viewport_size({"width": 390, "height": 844})
    alert = served.alert(devices=(device.name,), message=f"drift of {'x' * 90}")
    pages = ("/", "/rollouts", f"/rollouts/{number}", "/models", "/alerts", f"/alerts/{alert}")
    for address in (*pages, f"/devices/{device.name}"):
        page.emulate_media(color_scheme="light")
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("body")).to_have_css("background-color", LIGHT)
        page.emulate_media(color_scheme="dark")
        expect(page.locator("body")).to_have_css("background-color", DARK)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address


def test_an_alert_is_told_whole_and_moves_when_somebody_takes_it_up(served: Served, page: Page) -> None:
    page.goto("/")
    number = served.alert(changed="mean of acc_x from 0 to 1", message=f"drift {HTML}")
    callout = page.get_by_role("region", name="Open alerts")
    for words in ("2 devices: a, b", "Changed: mean of acc_x from 0 to 1", "To do: look at one", HTML):
        expect(callout).to_contain_text(words)
    callout.get_by_role("link").click()
    expect(page).to_have_title(f"Alert {number} · tinyfleet")
    expect(page.get_by_role("link", name="a", exact=True)).to_have_attribute("href", "/devices/a")
    expect(page.get_by_text(f"tinyfleet alert ack {number}")).to_be_visible()
    served.client.post(f"/alerts/{number}/acknowledge", {"note": "on it"})
    expect(page.locator(".head")).to_contain_text("acknowledged")
    expect(page.locator(".callout")).to_contain_text("Acknowledged by admin: on it")
    page.goto("/alerts")
    expect(page.get_by_text("Nothing needs a person")).to_be_visible()
    page.get_by_role("link", name="Acknowledged 1").click()
    expect(_row(page, f"Alert {number}")).to_contain_text("drift")
    served.client.post(f"/alerts/{number}/resolve")
    expect(page.get_by_role("link", name="Resolved 1")).to_be_visible()
    expect(_row(page, f"Alert {number}")).to_have_count(0)
    assert page.evaluate("window.harmed") is None


def test_the_models_page_has_the_field_beside_the_promise(
    served: Served, page: Page, make_bundle: Callable, tmp_path: Path
) -> None:
    page.goto("/models")
    expect(page.get_by_text("No versions yet").first).to_be_visible()
    device = served.device("mcu-1")
    served.push(make_bundle(1), tmp_path / "v1")
    expect(page.get_by_role("row").filter(has_text="watch v1").first).to_be_visible()
    served.roll(1)
    _confirm_all([device])
    row = page.get_by_role("row").filter(has_text="tflm")
    expect(row).to_contain_text("not evaluated")
    expect(row).to_contain_text(f"{fmt.percent(0.8)}")
    expect(row).to_contain_text("of 10 labelled")
    expect(page.get_by_role("cell", name="host time, not the device's")).to_be_visible()


def test_the_keyboard_reaches_content_links_and_sorting(served: Served, page: Page) -> None:
    served.device("mcu-1"), served.device("mcu-2")
    page.goto("/")
    expect(_row(page, "mcu-2")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    header = page.get_by_role("columnheader", name="Device")
    header.get_by_role("button").focus()
    for order, first in (("ascending", "mcu-1"), ("descending", "mcu-2")):
        page.keyboard.press("Enter")
        expect(header).to_have_attribute("aria-sort", order)
        expect(page.locator("tbody tr").first).to_contain_text(first)
    link = page.get_by_role("link", name="mcu-1")
    link.focus()
    served.device("mcu-3")
    expect(_row(page, "mcu-3")).to_be_visible()
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_title("mcu-1 · tinyfleet")


def test_threat_a_page_elsewhere_cannot_open_the_socket(served: Served) -> None:
    path = f"{served.url}/_nicegui_ws/socket.io/"
    evil = {"Origin": "http://evil.example"}
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    polling, websocket = ({"EIO": "4", "transport": name} for name in ("polling", "websocket"))
    assert httpx.get(path, params=polling, headers={"Origin": served.url}).status_code == 200
    for foreign in (evil, {**evil, "Host": "evil.example"}):
        answer = httpx.get(path, params=polling, headers=foreign)
        assert answer.status_code == 400
        assert "access-control-allow-origin" not in answer.headers
        assert httpx.get(path, params=websocket, headers={**upgrade, **foreign}).status_code in (400, 403)


def test_browser_pages_leave_the_api_its_own_answers(served: Served) -> None:
    answer = httpx.get(f"{served.url}/api/v1/nowhere")
    assert (answer.status_code, set(answer.json())) == (404, {"code", "message", "hint"})
    assert httpx.post(f"{served.url}/healthz").status_code == 405
    assert "set-cookie" not in httpx.get(served.url).headers
