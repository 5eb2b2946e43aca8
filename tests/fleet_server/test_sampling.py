"""Samples are asked for within a budget, stored once, labelled by people, and traced to devices."""

import json

import msgspec
import numpy as np
import pytest

from fleet_server import lineage, sampling
from fleet_server.reports import Outcome
from tests.fleet_server.site import Site
from tests.fleet_server.test_gatekeeper import NAMES
from wire.errors import InputError, NotFoundError
from wire.samples import Sample, encode_values


@pytest.fixture
def fleet(site: Site) -> Site:
    site.hello(*NAMES[:4], runs=1)
    return site


def ask(site: Site, *devices: str, per_device: int = 2) -> dict:
    return site.store.write(
        lambda db: sampling.ask(db, site.director, devices, per_device, site.now, by="ann", alert=7)
    )


def sample(site: Site, device: str, request: int, index: int = 0, of: int = 2, **changes: object) -> Sample:
    window = np.full((2, 3), index + 0.5, np.float32)
    made = Sample(
        device=device, boot="00000001-0000aaaa", request=request, index=index, of=of,
        digest=site.refs[1].digest, answer=0, confidence=0.5, age_s=3.0, shape=(2, 3),
        values=encode_values(window),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def store(site: Site, made: Sample) -> Outcome:
    return site.store.write(lambda db: sampling.store_sample(db, made, site.now))


def test_samples_are_stored_once_and_a_request_says_how_far_it_is(fleet: Site) -> None:
    number = ask(fleet, "d00", "d01")["id"]
    assert store(fleet, sample(fleet, "d00", number)) is Outcome.STORED
    assert store(fleet, sample(fleet, "d00", number)) is Outcome.DUPLICATE
    shown = fleet.store.read(lambda db: sampling.show(db, number))
    assert [(d["device"], d["state"], d["samples"]) for d in shown["devices"]] == [
        ("d00", "new", 1), ("d01", "new", 0),
    ]  # fmt: skip
    assert store(fleet, sample(fleet, "d00", number, index=1, label=1)) is Outcome.STORED
    shown = fleet.store.read(lambda db: sampling.show(db, number))
    assert shown["devices"][0] == {"device": "d00", "state": "answered", "samples": 2, "labelled": 1, "of": 2}
    first, second = fleet.store.read(lambda db: sampling.samples(db, number, 0, 10))
    assert (first["window"], second["window"]) == ([[0.5] * 3] * 2, [[1.5] * 3] * 2)
    assert (second["label"], second["labelled_by"]) == (1, "the device")
    assert first["taken_at"] == fleet.now - 3.0


def test_what_nobody_asked_for_is_not_stored(fleet: Site) -> None:
    number = ask(fleet, "d00")["id"]
    assert store(fleet, sample(fleet, "d01", number)) is Outcome.STALE
    assert store(fleet, sample(fleet, "d00", number + 1)) is Outcome.STALE
    assert fleet.store.rows("SELECT * FROM samples") == []


@pytest.mark.parametrize("per_device", [0, 257])
def test_a_request_keeps_to_its_budget(fleet: Site, per_device: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="samples of each"):
        ask(fleet, "d00", per_device=per_device)
    with pytest.raises(NotFoundError, match="no device 'ghost'"):
        ask(fleet, "d00", "ghost")
    monkeypatch.setattr(sampling, "MAX_STORED", 3)
    with pytest.raises(InputError, match="are stored"):
        ask(fleet, "d00", "d01")
    assert fleet.store.rows("SELECT * FROM sample_asks") == []


def test_a_label_is_a_class_of_the_version_that_answered(fleet: Site) -> None:
    number = ask(fleet, "d00")["id"]
    store(fleet, sample(fleet, "d00", number))

    def label(sample_id: int, truth: int | None) -> dict:
        return fleet.store.write(lambda db: sampling.label(db, sample_id, truth, "ann"))

    assert label(1, 1)["labelled_by"] == "ann"
    assert label(1, None)["label"] is None
    with pytest.raises(InputError, match="9999 is no class"):
        label(1, 9999)
    with pytest.raises(NotFoundError):
        label(99, 0)


def test_lineage_leads_from_a_sample_to_devices_and_back(fleet: Site) -> None:
    number = ask(fleet, "d00")["id"]
    store(fleet, sample(fleet, "d00", number))
    fleet.runs["d03"] = 2
    fleet.report("d03", None, None)
    old = {"digest": "a" * 64, "name": "watch"}
    field = {"numbers": [1], "requests": [number], "samples": 1, "devices": ["d00"], "alert": 7}
    new = {"digest": "b" * 64, "name": "watch", "parent": "a" * 64, "field": field}
    for version, data in ((1, old), (2, new)):
        row = fleet.store.row("SELECT manifest FROM versions WHERE version = ?", (version,))
        assert row is not None
        manifest = {**json.loads(row["manifest"]), "lineage": {"run": {"task": "watch", "data": data}}}
        changed = (json.dumps(manifest), version)
        fleet.store.write(
            lambda db, c=changed: db.execute("UPDATE versions SET manifest = ? WHERE version = ?", c)
        )
    traced = fleet.store.read(lambda db: lineage.of_sample(db, 1))
    assert [(v["version"], v["running"]) for v in traced["versions"]] == [(2, ["d03"])]
    chain = fleet.store.read(lambda db: lineage.of_device(db, "d03"))["chain"]
    assert [link["version"] for link in chain] == [2, 1]
    assert chain[0]["data"]["field"]["devices"] == ["d00"]
    assert fleet.store.read(lambda db: lineage.of_device(db, "d00"))["chain"][0]["version"] == 1
    with pytest.raises(NotFoundError):
        fleet.store.read(lambda db: lineage.of_device(db, "ghost"))
