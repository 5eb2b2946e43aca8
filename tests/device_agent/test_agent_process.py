"""The real agent process on a real broker: updates, kills, refusals, reports."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from tests.device_agent.agent_rig import Agent, Broker, Director, eventually
from tests.device_agent.recount import recount
from tests.device_agent.small_bundle import Keys, make_bundle
from wire import topics
from wire.limits import MAX_PAYLOAD_BYTES
from wire.states import Presence
from wire.trust import Policy


def bring_up(director: Director, agent: Agent, keys: Keys) -> None:
    """The agent runs v1, confirmed."""
    v1 = make_bundle(keys, 1)
    director.publish(v1)
    director.assign(agent.device, v1, 1)
    agent.start()
    director.wait_state("try-1", "confirmed")


def test_end_to_end_update_and_clean_stop(director: Director, agent: Agent, keys: Keys) -> None:
    bring_up(director, agent, keys)
    v1, v2 = make_bundle(keys, 1), make_bundle(keys, 2)
    director.publish(v2)
    director.assign(agent.device, v2, 2)
    confirmed = director.wait_state("try-2", "confirmed")
    assert confirmed.running == v2.ref
    assert confirmed.downloaded_bytes == v2.part().length
    assert confirmed.slots == {"a": v1.ref, "b": v2.ref}
    states = [r.state for r in director.reported if r.attempt == "try-2"]
    assert states == [
        "queued", "downloading", "downloaded", "verified", "installed", "testing", "confirmed",
    ]  # fmt: skip
    window = director.wait_telemetry(v2.ref)[-1]
    assert window.latency_clock == "device"
    assert window.attempt == "try-2"
    assert sum(window.latency.values()) == window.n == sum(window.classes)
    assert window.rss_bytes
    assert agent.stop() == 0
    online, offline = director.statuses[0], director.statuses[-1]
    director.wait("offline", lambda: director.statuses[-1].state is Presence.OFFLINE)
    offline = director.statuses[-1]
    assert offline.session == online.session
    seen = [(m.boot, m.seq) for m in (*director.reported, *director.telemetry)]
    assert len(seen) == len(set(seen))


def test_windows_are_recomputed_exactly(director: Director, agent: Agent, keys: Keys) -> None:
    bring_up(director, agent, keys)
    v1 = make_bundle(keys, 1)
    for window in director.wait_telemetry(v1.ref, 5):
        assert recount(window, v1, agent.state_dir.parent / "eval.npz") == (window.correct, window.classes)


@pytest.mark.parametrize(
    "state", ["queued", "downloading", "downloaded", "verified", "installed", "testing", "confirmed"]
)
def test_power_cut_sigkill_in_each_state(director: Director, agent: Agent, keys: Keys, state: str) -> None:
    bring_up(director, agent, keys)
    v2 = make_bundle(keys, 2)
    slow = Policy(trial_inferences=40, report_every_ms=100)
    if state != "queued":
        director.publish(v2, chunks=v2.chunks()[0] + 5 if state == "downloading" else None)
    director.assign(agent.device, v2, 2, policy=slow)
    director.wait_state("try-2", state)
    agent.kill()
    director.publish(v2)
    agent.start()
    director.wait("confirmed", lambda: director.reported[-1].state == "confirmed")
    assert director.reported[-1].running == v2.ref
    director.wait_telemetry(v2.ref)
    boots = {r.boot for r in director.reported}
    assert len(boots) == 2


def test_power_cut_download_resumes_without_fetching_twice(
    broker: Broker, director: Director, agent: Agent, keys: Keys
) -> None:
    v1 = make_bundle(keys, 1)
    first, part = v1.chunks()[0], v1.part()
    director.publish(v1, chunks=first + 9)
    director.assign(agent.device, v1, 1)
    agent.start()
    file = agent.state_dir / "slots" / "a" / "payload.part"
    stored = (first + 9) * v1.manifest.chunk_bytes - part.start
    eventually(lambda: file.exists() and file.stat().st_size == stored, "nine chunks are stored")
    agent.kill()
    director.publish(v1)
    agent.start()
    confirmed = director.wait_state("try-1", "confirmed")
    assert confirmed.downloaded_bytes == v1.part().length
    resumed = [r for r in director.reported if r.state == "downloading" and r.downloaded_bytes == stored]
    assert resumed
    chunks = broker.sent(agent.device, "/c/")
    assert sorted(chunks) == sorted(topics.chunk(v1.digest, i) for i in v1.chunks())


def test_threat_broken_model_rolls_back_without_a_download(
    broker: Broker, director: Director, agent: Agent, keys: Keys
) -> None:
    bring_up(director, agent, keys)
    v1, bad = make_bundle(keys, 1), make_bundle(keys, 2, damaged=True)
    director.publish(bad)
    director.assign(agent.device, bad, 2)
    back = director.wait_state("try-2", "rolled_back")
    assert back.reason == "self_test"
    assert back.detail.startswith("golden vector 0: ")
    assert "of 5 outputs differ" in back.detail
    assert back.running == v1.ref
    assert back.slots == {"a": v1.ref, "b": None}
    chunks = broker.sent(agent.device, "/c/")
    assert len(chunks) == len(v1.chunks()) + len(bad.chunks())
    window = director.wait_telemetry(v1.ref, 2)[-1]
    assert window.n
    assert broker.sent(agent.device, "/c/") == chunks


def test_threat_bad_wishes_change_nothing(director: Director, agent: Agent, keys: Keys) -> None:
    bring_up(director, agent, keys)
    v1, v2 = make_bundle(keys, 1), make_bundle(keys, 2)
    director.publish(v2)
    director.assign(agent.device, v2, 5)
    director.wait_state("try-5", "confirmed")
    desired = topics.device(agent.device, "desired")
    before = director.reported[-1]
    director.put(desired, b"{not json")
    director.put(desired, b"x" * (MAX_PAYLOAD_BYTES + 1))
    director.put(desired, b"x" * (4 * MAX_PAYLOAD_BYTES))
    director.assign(agent.device, v1, 6, key=keys.release)
    director.put(desired, director.sign("pi-2", v1, 7))
    director.assign(agent.device, v1, 4)
    director.wait_telemetry(v2.ref, 3)
    assert director.reported[-1] == before
    director.assign(agent.device, v1, 8)
    assert director.wait_state("try-8", "confirmed").running == v1.ref
    assert agent.stop() == 0
    log = agent.log.read_text()
    complaints = (
        "not signed metadata",
        "is over",
        "not signed by a key",
        "another device",
        "ignored: replayed",
    )
    assert [log.count(complaint) for complaint in complaints] == [1] * 5, log
    for count in ("malformed=1", "oversize=1", "untrusted=2", "replayed=1"):
        assert f" {count}" in log.splitlines()[-1]
    assert "Traceback" not in log


def test_threat_bundle_of_another_signer_or_target_is_rejected(
    broker: Broker, director: Director, agent: Agent, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bring_up(director, agent, keys)
    foreign = make_bundle(Keys(tmp_path_factory.mktemp("foreign")), 2)
    other = make_bundle(keys, 3, targets=("cortex-m4",))
    torn = make_bundle(keys, 4)
    for bundle in (foreign, other, torn):
        director.publish(bundle)
    director.put(topics.chunk(torn.digest, torn.chunks()[3]), b"\0" * torn.manifest.chunk_bytes)
    results = {}
    for sequence, bundle in enumerate((foreign, other, torn), 2):
        director.assign(agent.device, bundle, sequence)
        report = director.wait_state(f"try-{sequence}", "rejected", "failed")
        results[sequence] = (report.state, report.reason)
        assert report.running == make_bundle(keys, 1).ref
    assert results == {
        2: ("rejected", "untrusted"),
        3: ("rejected", "wrong_target"),
        4: ("failed", "digest_mismatch"),
    }
    chunks = broker.sent(agent.device, "/c/")
    assert not [topic for topic in chunks if foreign.digest in topic or other.digest in topic]


def test_reports_wait_for_the_server_and_survive_a_restart(
    director: Director, agent: Agent, keys: Keys
) -> None:
    bring_up(director, agent, keys)
    v1 = make_bundle(keys, 1)
    director.wait_telemetry(v1.ref, 2)
    director.server(Presence.OFFLINE)
    outbox = agent.state_dir / "outbox.sqlite"
    eventually(lambda: waiting(outbox) >= 5, "five windows wait")
    count = len(director.telemetry)
    agent.kill()
    agent.start()
    director.wait("second boot", lambda: len({s.boot for s in director.statuses}) == 2)
    eventually(lambda: waiting(outbox) >= 10, "more windows wait")
    assert len(director.telemetry) == count
    director.server(Presence.ONLINE)
    director.wait("all of them", lambda: len(director.telemetry) >= count + 10)
    late = director.telemetry[count : count + 10]
    assert all(window.historical for window in late)
    assert not director.telemetry[count - 1].historical
    assert [(w.boot, w.seq) for w in late] == sorted((w.boot, w.seq) for w in late)
    director.wait("live again", lambda: not director.telemetry[-1].historical)
    reports = [*director.telemetry, *director.reported]
    keys_seen = [(w.boot, w.seq) for w in director.telemetry]
    assert len(keys_seen) == len(set(keys_seen))
    for boot in {w.boot for w in director.telemetry}:
        seqs = sorted(r.seq for r in reports if r.boot == boot)
        first = [w.seq for w in director.telemetry if w.boot == boot]
        assert first == sorted(first)
        # The one window that was open when the process was killed is all that may be missing.
        assert seqs == list(range(1, len(seqs) + 1))


def test_reports_survive_a_broker_restart(
    broker: Broker, director: Director, agent: Agent, keys: Keys
) -> None:
    bring_up(director, agent, keys)
    v1 = make_bundle(keys, 1)
    director.wait_telemetry(v1.ref, 2)
    broker.stop()
    eventually(lambda: waiting(agent.state_dir / "outbox.sqlite") >= 5, "five windows wait")
    broker.start()
    director.wait("historical", lambda: any(window.historical for window in director.telemetry))
    director.wait("live again", lambda: not director.telemetry[-1].historical)
    seen = sorted({w.seq for w in director.telemetry} | {r.seq for r in director.reported})
    assert seen == list(range(1, len(seen) + 1))


def test_reports_that_nobody_subscribed_to_are_kept(
    broker: Broker, director: Director, agent: Agent, keys: Keys
) -> None:
    bring_up(director, agent, keys)
    director.wait_telemetry(make_bundle(keys, 1).ref, 2)
    director.close(forget=True)
    eventually(lambda: waiting(agent.state_dir / "outbox.sqlite") >= 5, "five windows wait")
    later = Director(broker, keys)
    later.wait("all of them", lambda: len(later.telemetry) >= 5)
    later.close()
    seen = {w.seq for w in (*director.telemetry, *director.reported, *later.telemetry)}
    assert set(range(1, max(w.seq for w in later.telemetry))) <= seen


def test_a_new_server_is_told_everything_again(director: Director, agent: Agent, keys: Keys) -> None:
    bring_up(director, agent, keys)
    before = len(director.statuses), len(director.reported)
    director.server(Presence.ONLINE, session=2)
    director.wait(
        "status and report for the new server",
        lambda: len(director.statuses) > before[0] and len(director.reported) > before[1],
    )
    assert director.statuses[-1].state is Presence.ONLINE
    assert director.reported[-1].running == make_bundle(keys, 1).ref


def waiting(outbox: object) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM outbox").fetchone()[0])
