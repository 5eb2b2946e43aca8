"""Who takes part in a rollout, in which arm, and who does not."""

import msgspec
import pytest

from fleet_server import queries, rollout_driver
from fleet_server import rollout_commands as commands
from fleet_server.rollout_policy import Policy, StagePlan
from tests.fleet_server.fake_device import HARDWARE
from tests.fleet_server.site import QUICK, Site
from wire.errors import InputError


def test_the_control_arm_keeps_its_version_until_the_release_and_then_gets_the_new_one(site: Site) -> None:
    names = [f"d{i}" for i in range(10)]
    site.hello(*names, runs=1)
    one = site.roll(2, msgspec.structs.replace(QUICK, control=0.3))
    control = {m["device"] for m in site.shown(one)["devices"] if m["arm"] == "control"}
    assert len(control) == 3
    assert site.shown(one)["stages"][0]["control"] == 3
    site.tick()
    assert {name for name in names if site.wish(name) is None} == control
    site.finish(one)
    shown = site.shown(one)
    assert shown["counts"] == {"succeeded": 10}
    assert [(s["kind"], s["state"]) for s in shown["stages"]] == [("share", "passed"), ("release", "passed")]
    assert {m["device"] for m in shown["devices"] if m["arm"] == "control"} == control, "still on record"


def test_newcomers_take_part_also_after_the_end_but_only_in_the_newest_rollout(site: Site) -> None:
    site.hello("d0")
    one = site.roll(1)
    site.tick()
    site.hello("d1")
    site.finish(one)
    assert site.states(one) == {"d0": "succeeded", "d1": "succeeded"}
    site.hello("d2")
    site.finish(one, 3)
    site.tick()
    site.confirm()
    site.tick()
    assert site.states(one)["d2"] == "succeeded"
    two = site.roll(2)
    site.hello("d3")
    site.finish(two)
    assert "d3" not in site.states(one)
    assert site.states(two)["d3"] == "succeeded"
    site.command(two, commands.roll_back)
    for _ in range(4):
        site.tick()
        site.confirm()
    assert site.shown(two)["state"] == "stopped"
    site.hello("d4")
    site.tick()
    wish = site.wish("d4")
    assert wish is not None
    assert (wish["rollout"], wish["digest"]) == (one, site.refs[1].digest), "what was undone is not given on"


def test_a_filter_says_whom_a_rollout_and_a_stage_are_for(site: Site) -> None:
    site.hello("lab1", "lab2", "site1", "other1")
    one = site.roll(
        1, Policy(stages=(StagePlan(where="lab1"), StagePlan(share=1.0)), where="lab", control=0.0, soak_s=0)
    )
    members = {m["device"]: m["stage"] for m in site.shown(one)["devices"]}
    assert members == {"lab1": 0, "lab2": 1}
    site.hello("lab3", "site2")
    site.tick(10)
    assert set(site.states(one)) == {"lab1", "lab2", "lab3"}
    with pytest.raises(InputError, match="one word"):
        site.roll(1, msgspec.structs.replace(QUICK, where="two words"))


def test_a_dry_run_says_what_would_happen_and_changes_nothing(site: Site) -> None:
    names = [f"d{i}" for i in range(8)]
    site.hello(*names, runs=1)
    site.hello("old", hardware=msgspec.structs.replace(HARDWARE, target="cortex-m0plus"))
    site.hello("thin", "flat", hardware=msgspec.structs.replace(HARDWARE, ram_bytes=10))
    policy = Policy(stages=(0.5, 1.0), control=0.25)
    digest = site.refs[2].digest
    said = site.store.write(lambda db: rollout_driver.dry_run(db, digest, policy))
    assert said["fits"] == 8
    assert said["stages"] == [{"devices": 4, "control": 1}, {"devices": 4, "control": 1}]
    assert said["by_reason"] == {"wrong_target": 1, "out_of_ram": 2}
    assert [r["device"] for r in said["rejected"]] == ["flat", "old", "thin"]
    assert queries.rollouts(site.store) == []
    one = site.roll(2, policy)
    stages = site.shown(one)["stages"]
    assert [{"devices": s["devices"], "control": s["control"]} for s in stages] == said["stages"]


def test_a_version_with_other_labels_needs_leave(site: Site, make_bundle, tmp_path, keys) -> None:
    site.hello("d0", runs=1)
    other = msgspec.json.decode(make_bundle(2)[0].manifest)
    other["labels"] = ["yes", "no"]
    site.store.write(
        lambda db: db.execute(
            "UPDATE versions SET manifest = ? WHERE version = 2", (msgspec.json.encode(other).decode(),)
        )
    )
    one = site.roll(2)
    (member,) = site.shown(one)["devices"]
    assert (member["state"], member["reason"]) == ("rejected", "schema")
    two = site.roll(2, msgspec.structs.replace(QUICK, schema_change=True))
    site.tick()
    assert site.states(two) == {"d0": "queued"}
