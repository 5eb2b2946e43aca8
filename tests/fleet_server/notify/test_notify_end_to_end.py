"""From a device that falls silent to the notice on the bus: one server, one broker, no shortcut."""

from collections.abc import Callable
from pathlib import Path

from fleet_server.fleet import Fleet
from fleet_server.settings import Settings
from tests.fleet_server.broker.mqtt_peer import Peer
from tests.fleet_server.served import Served
from wire.messages import AlertNotice, decode


def test_end_to_end_a_device_that_leaves_and_returns_is_told_on_the_fleets_own_broker(
    settings: Settings, make_bundle: Callable, tmp_path: Path
) -> None:
    file = tmp_path / "notify.toml"
    file.write_text('dashboard_url = "https://x.org/"\n[[mqtt]]\nname = "bus"\nkinds = ["silent"]\n')
    told = settings.model_copy(update={"notify_file": file, "silent_after_s": 0.6})
    fleet = Fleet(told).start()
    served = Served(fleet, make_bundle)
    try:
        with Peer(fleet.broker.url, "listener") as peer:
            peer.subscribe("tinyfleet/v1/alerts/silent")
            served.device("mcu-0").leave()
            peer.payloads(1)
            served.device("mcu-0")
            notices = [decode(AlertNotice, payload) for payload in peer.payloads(2)]
    finally:
        served.close()
        fleet.stop()
    assert [notice.event for notice in notices] == ["opened", "resolved"]
    assert {notice.devices for notice in notices} == {("mcu-0",)}
    assert notices[0].url == f"https://x.org/alerts/{notices[0].alert}"
