"""Tags are the operators' word about devices: set, shown, filtered by; and who changed them is recorded."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from fleet_server import queries, reports, tags
from fleet_server.device_filter import parse
from fleet_server.store import Store
from tests.fleet_server.fake_device import HARDWARE
from tinyfleet import cli
from wire.errors import FleetError, InputError, WireError
from wire.messages import Reported

TAGS = "/api/v1/devices/pi-1/tags"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "fleet.db")
    yield opened
    opened.close()


def see(store: Store, *devices: str, board: str = "rpi-4", version: int | None = 1) -> None:
    """As if the devices had reported."""
    rows = [(device, board, version) for device in devices]
    sql = """INSERT INTO devices (device, first_seen_at, seen_at, board, model, version)
             VALUES (?, 0, 0, ?, 'watch', ?)"""
    store.write(lambda db: db.conn.executemany(sql, rows))


def give(store: Store, device: str, **given: str | list[str] | None) -> tags.Shown:
    return store.write(lambda db: tags.change(db, device, given, "ada", 5.0))


def log(store: Store) -> list[str]:
    return [row["message"] for row in store.rows("SELECT message FROM events WHERE kind = 'tag' ORDER BY id")]


def test_named_tags_are_replaced_and_the_others_left(store: Store) -> None:
    assert give(store, "pi-1", region="us", group=["lab", "kitchen", "lab"], site="7") == {
        "group": ["kitchen", "lab"],
        "region": "us",
        "site": "7",
    }
    assert give(store, "pi-1", region="eu", site=None) == {"group": ["kitchen", "lab"], "region": "eu"}
    assert give(store, "pi-1", group="office") == {"group": ["office"], "region": "eu"}
    assert give(store, "pi-1", group=[]) == {"region": "eu"}
    assert tags.read(store.rows, "pi-1") == {"region": ("eu",)}
    assert tags.read(store.rows, "pi-10") == {}


def test_who_changed_what_is_recorded_and_no_change_is_no_event(store: Store) -> None:
    give(store, "pi-1", region="us", group=["lab"])
    give(store, "pi-1", region="eu", group=None)
    give(store, "pi-1", region="eu", site=None)
    assert log(store) == [
        "ada: group none -> 'lab'; region none -> 'us'",
        "ada: group 'lab' -> none; region 'us' -> 'eu'",
    ]
    (event, _) = store.rows("SELECT * FROM events")
    assert (event["at"], event["subject"]) == (5.0, "pi-1")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"": "x"}, "a tag cannot be called ''"),
        ({"1st": "x"}, "a tag cannot be called '1st'"),
        ({"a.b": "x"}, "a tag cannot be called 'a.b'"),
        ({"n" * 65: "x"}, "a tag cannot be called"),
        ({"site": ""}, "tag site cannot be ''"),
        ({"site": " x"}, "tag site cannot be ' x'"),
        ({"site": "a\nb"}, "tag site cannot be"),
        ({"site": "\ud800"}, "tag site cannot be"),
        ({"site": "v" * 129}, "tag site cannot be"),
        ({"site": ["a", "b"]}, "tag site has one value"),
        ({"group": [str(n) for n in range(21)]}, "21 groups"),
        ({f"t{n}": "x" for n in range(19)}, "pi-1 would have 21 tags"),
    ],
)
def test_names_values_and_counts_have_limits_and_a_refusal_changes_nothing(
    store: Store, given: dict, message: str
) -> None:
    give(store, "pi-1", region="eu")
    with pytest.raises(InputError) as refused:
        give(store, "pi-1", **given, wing="east")
    assert message in refused.value.message
    assert tags.read(store.rows, "pi-1") == {"region": ("eu",)}
    assert len(log(store)) == 1


def test_twenty_tags_and_twenty_groups_are_allowed(store: Store) -> None:
    most = {f"t{n}": "v" * 128 for n in range(19)}
    assert len(give(store, "pi-1", **most, group=[f"g{n}" for n in range(20)])) == 20


def test_a_device_id_that_cannot_be_is_refused(store: Store) -> None:
    with pytest.raises(WireError, match="device id"):
        give(store, "pi/1", region="eu")


def test_a_device_tagged_before_it_was_seen_has_its_tags_at_once(store: Store) -> None:
    give(store, "pi-1", region="eu")
    assert queries.devices(store) == []
    assert queries.device_tags(store, "pi-1") == {"device": "pi-1", "seen": False, "tags": {"region": "eu"}}
    with pytest.raises(FleetError, match="pi-1 has tags but was never seen"):
        queries.device(store, "pi-1")
    report = Reported(
        device="pi-1", boot="00000001-aaaaaaaa", seq=0, sequence=0, attempt=None, state=None, running=None,
        slots={"a": None, "b": None}, downloaded_bytes=0, hardware=HARDWARE,
    )  # fmt: skip
    store.write(lambda db: reports.store_reported(db, report, 1.0))
    assert queries.device_tags(store, "pi-1")["seen"]
    assert queries.device(store, "pi-1")["tags"] == {"region": "eu"}
    (found,) = store.write(tags.load_devices)
    assert (found.device, found.board, found.version, found.tags) == (
        "pi-1",
        HARDWARE.board,
        None,
        {"region": ("eu",)},
    )


def test_a_fleet_is_loaded_in_two_queries(store: Store) -> None:
    see(store, *(f"pi-{n}" for n in range(50)))
    for n in range(50):
        give(store, f"pi-{n}", region="eu", group=["a", "b"])
    asked: list[str] = []

    def load(db):
        db.conn.set_trace_callback(asked.append)
        try:
            return tags.load_devices(db)
        finally:
            db.conn.set_trace_callback(None)

    assert len(store.write(load)) == 50
    assert len([sql for sql in asked if sql.lstrip().startswith("SELECT")]) == 2


@pytest.mark.parametrize("wanted", [None, "board == 'rpi-4'"])
def test_a_page_of_devices_takes_two_queries_however_long(store: Store, monkeypatch, wanted) -> None:
    see(store, *(f"pi-{n}" for n in range(50)))
    asked: list[str] = []
    rows = store.rows

    def counted(sql, parameters=()):
        asked.append(sql)
        return rows(sql, parameters)

    monkeypatch.setattr(store, "rows", counted)
    assert len(queries.devices(store, limit=40, wanted=parse(wanted) if wanted else None)) == 40
    assert len(asked) == 2


def test_pages_of_a_filter_together_are_what_it_chooses(store: Store, monkeypatch) -> None:
    """Chosen devices lie on both sides of every border between the chunks that are read."""
    monkeypatch.setattr(queries, "MAX_PAGE", 7)
    names = [f"pi-{n:03}" for n in range(100)]
    see(store, *names)
    chosen = [name for n, name in enumerate(names) if n % 3 == 0 or 40 < n < 60]
    for name in chosen:
        give(store, name, group=["lab"])
    wanted = parse("group == 'lab' and board like 'rpi-*'")
    found: list[dict] = []
    while page := queries.devices(store, found[-1]["device"] if found else "", 5, wanted):
        found += page
    assert [row["device"] for row in found] == chosen
    assert {row["tags"]["group"][0] for row in found} == {"lab"}


def run(client: httpx.Client, *words: str) -> Result:
    environment = {
        "TINYFLEET_URL": str(client.base_url),
        "TINYFLEET_TOKEN": client.headers["authorization"].removeprefix("Bearer "),
    }
    return CliRunner(env=environment).invoke(cli.build("device"), ["device", *words])


def test_the_api_sets_shows_and_filters_by_tags(client: httpx.Client, fleet) -> None:
    see(fleet.store, "pi-1", "pi-2")
    answer = client.put(TAGS, json={"region": "eu", "group": ["lab"], "site": None})
    body = {"device": "pi-1", "seen": True, "tags": {"group": ["lab"], "region": "eu"}}
    assert (answer.status_code, answer.json()) == (200, body)
    assert client.get(TAGS).json() == body
    assert client.get("/api/v1/devices/pi-1").json()["tags"] == body["tags"]
    assert [row["tags"] for row in client.get("/api/v1/devices").json()] == [body["tags"], {}]
    found = client.get("/api/v1/devices", params={"filter": "group == 'lab'"}).json()
    assert [row["device"] for row in found] == ["pi-1"]
    assert client.get("/api/v1/devices", params={"filter": "group == 'lab'", "after": "pi-1"}).json() == []
    assert log(fleet.store) == ["admin: group none -> 'lab'; region none -> 'eu'"]


def test_the_api_refuses_a_bad_filter_and_a_bad_tag_with_the_one_error_body(client: httpx.Client) -> None:
    answer = client.get("/api/v1/devices", params={"filter": "board =="})
    assert answer.status_code == 400
    assert answer.json()["message"] == "filter: column 9: expected a value after '=='"
    assert client.get("/api/v1/devices", params={"filter": ""}).status_code == 400, "'' never means everyone"
    answer = client.put(TAGS, json={"site": ["a", "b"]})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_tag")


def test_the_command_line_tags_lists_and_shows(client: httpx.Client, fleet) -> None:
    see(fleet.store, "pi-1", "pi-2")
    done = run(client, "tag", "pi-1", "region=eu", "group=lab", "group=kitchen", "site=room 7", "--json")
    assert json.loads(done.stdout)["tags"] == {"group": ["kitchen", "lab"], "region": "eu", "site": "room 7"}
    done = run(client, "tag", "pi-1", "--remove", "region")
    head, *shown = shlex.split(done.stdout)
    assert (head, shown) == ("pi-1", ["group=kitchen", "group=lab", "site=room 7"])
    assert run(client, "tag", "pi-1").stdout == done.stdout, "what is shown can be given again"
    done = run(client, "list", "--filter", "has group")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["device", "pi-1"]
    assert "group=kitchen group=lab 'site=room 7'" in done.stdout
    assert "tags group=kitchen group=lab 'site=room 7'" in run(client, "show", "pi-1").stdout
    assert "tags" not in run(client, "show", "pi-2").stdout


def test_the_command_line_says_when_a_device_was_never_seen(client: httpx.Client) -> None:
    done = run(client, "tag", "pi-9", "region=eu")
    assert done.stdout == "pi-9  region=eu\n"
    assert done.stderr == "pi-9 was never seen; its tags count from its first report\n"


def test_the_command_line_refuses_what_it_cannot_do(client: httpx.Client) -> None:
    refusals = {
        ("list", "--filter", "board =="): "filter: column 9: expected a value after '=='",
        ("tag", "pi-1", "region"): "'region' is not NAME=VALUE",
        ("tag", "pi-1", "region=eu", "--remove", "region"): "region is set and removed",
        ("tag", "pi-1", "region=eu", "region=us"): "tag region has one value",
        ("tag", "pi-1", "region="): "tag region cannot be ''",
    }
    for words, message in refusals.items():
        failed = run(client, *words)
        assert isinstance(failed.exception, InputError), words
        assert failed.exception.message == message
