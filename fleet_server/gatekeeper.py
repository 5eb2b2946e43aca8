"""The gates of a running rollout: evidence gathered, judged at every look, and kept with every decision."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from sqlite_utils import Database

from fleet_server.gate_feed import Frame, feed, load_cells, load_lives, load_shadows, see, unseen
from fleet_server.gates import evidence as records
from fleet_server.gates.cell import Member, panels
from fleet_server.gates.evidence import Broke, Compared, Disagreed, Evidence, Failed
from fleet_server.gates.judgement import Judgement, judge
from fleet_server.gates.lifeline import breaks
from fleet_server.gates.observation import observe
from fleet_server.gates.policy import Gates
from fleet_server.rollout_state import Arm, Fact, Rollout
from fleet_server.store import first
from wire.errors import NotFoundError
from wire.messages import ModelRef
from wire.states import UNSUCCESSFUL

#: A look at everything costs a pass over all sums: this many a bin of the calendar are enough.
_LOOKS_PER_BIN: Final = 10
MAX_DECISIONS: Final = 1000
_JUDGEMENTS = msgspec.json.Decoder(list[Judgement])


class Look(NamedTuple):
    """The newest look at a rollout's gates: what it is moved on by."""

    at: float
    failed: int
    """Devices that had failed by then."""
    judgements: list[Judgement]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A change of some gate's outcome, or the end of a stage."""

    id: int
    stage: int
    """From 0."""
    at: float
    judgements: list[Judgement]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as a document that stands for itself."""

    rollout: int
    bundle: ModelRef
    stage: int
    at: float
    gates: Gates
    judgements: list[Judgement]
    evidence: msgspec.Raw
    """See fleet_server.gates.evidence."""

    def agrees(self, again: Sequence[Judgement]) -> bool:
        """Whether ``again`` is the same answer by the same figures, in whatever words it is told."""
        return _figures(again) == _figures(self.judgements)


def verdicts(db: Database, rollout: Rollout, facts: Sequence[Fact], now: float) -> list[Judgement]:
    """What the gates say, by a new look where there is something new and by the last one otherwise."""
    frame = _frame(rollout, now)
    feed(db, frame)
    before = latest(db, rollout.id)
    failures = _failures(facts)
    if before is not None and not _is_due(db, before, frame, failures, now):
        return before.judgements
    judgements = _look(db, rollout.id, frame, [failures, *_observed(db, frame, facts)], now)
    if before is None or _outcomes(judgements) != _outcomes(before.judgements):
        record_decision(db, rollout)
    return judgements


def record_decision(db: Database, rollout: Rollout) -> None:
    """Keep the newest look with its evidence: the rollout's stage, or a gate's outcome, was decided by it."""
    db.execute(
        """INSERT INTO gate_decisions (rollout, stage, at, judgements, evidence)
           SELECT rollout, :stage, at, judgements, evidence FROM gate_looks
           WHERE rollout = :rollout AND (:stage, at) NOT IN
               (SELECT stage, at FROM gate_decisions WHERE rollout = :rollout)""",
        {"rollout": rollout.id, "stage": rollout.current},
    )


def latest(db: Database, rollout: int) -> Look | None:
    """The newest look; None before the first."""
    row = first(db, "SELECT at, failed, judgements FROM gate_looks WHERE rollout = ?", (rollout,))
    return None if row is None else Look(row["at"], row["failed"], _JUDGEMENTS.decode(row["judgements"]))


def decisions(db: Database, rollout: int) -> list[Decision]:
    """What was decided, oldest first."""
    rows = db.query(
        "SELECT id, stage, at, judgements FROM gate_decisions WHERE rollout = ? ORDER BY id LIMIT ?",
        (rollout, MAX_DECISIONS),
    )
    return [
        Decision(
            id=row["id"], stage=row["stage"], at=row["at"], judgements=_JUDGEMENTS.decode(row["judgements"])
        )
        for row in rows
    ]


def record(db: Database, rollout: Rollout, decision: int) -> Record:
    """One decision with all that it takes to make it again; NotFoundError when there is none."""
    row = first(db, "SELECT * FROM gate_decisions WHERE rollout = ? AND id = ?", (rollout.id, decision))
    if row is None:
        raise NotFoundError(
            "unknown_decision",
            f"rollout {rollout.id} has no decision {decision}",
            f"see: tinyfleet rollout decisions {rollout.id}",
        )
    return Record(
        rollout=rollout.id,
        bundle=rollout.bundle,
        stage=row["stage"],
        at=row["at"],
        gates=rollout.policy.gates,
        judgements=_JUDGEMENTS.decode(row["judgements"]),
        evidence=msgspec.Raw(zlib.decompress(row["evidence"])),
    )


def replay(gates: Gates, record: bytes) -> list[Judgement]:
    """What the gates say of recorded evidence: the same as when it was recorded."""
    return judge(gates, records.decode(record))


def _is_due(db: Database, before: Look, frame: Frame, failures: Failed, now: float) -> bool:
    """At once where a device failed; else as often as a bin of the calendar deserves, if there is news."""
    if failures.failed != before.failed:
        return True
    fresh = judge(frame.policy.gates, [failures])
    news = unseen(db, frame.rollout) or any(each not in before.judgements for each in fresh)
    return news and now - before.at >= frame.bin_s / _LOOKS_PER_BIN


def _look(
    db: Database, rollout: int, frame: Frame, evidence: Sequence[Evidence], now: float
) -> list[Judgement]:
    record = records.encode([*evidence])
    # Judged from the record itself, so that what is decided is what replays.
    judgements = replay(frame.policy.gates, record)
    failed = next(item.failed for item in evidence if isinstance(item, Failed))
    db.execute(
        """INSERT OR REPLACE INTO gate_looks (rollout, at, failed, judgements, evidence)
           VALUES (?, ?, ?, ?, ?)""",
        (rollout, now, failed, msgspec.json.encode(judgements).decode(), zlib.compress(record)),
    )
    see(db, rollout)
    return judgements


def _frame(rollout: Rollout, now: float) -> Frame:
    started_at = now if rollout.started_at is None else rollout.started_at
    return Frame(rollout.id, rollout.bundle.digest, started_at, rollout.policy)


def _failures(facts: Sequence[Fact]) -> Failed:
    """Devices that the new version reached. Who was never reached says nothing about it."""
    exposed = [fact for fact in facts if fact.state in UNSUCCESSFUL or fact.reached_at is not None]
    return Failed("failures", sum(fact.state in UNSUCCESSFUL for fact in exposed), len(exposed))


def _observed(db: Database, frame: Frame, facts: Sequence[Fact]) -> list[Evidence]:
    plan = frame.policy.plan
    members = {
        fact.device: Member(
            treated=fact.arm is Arm.NEW,
            # Devices drawn at random from the whole fleet are comparable, whichever stage they are in.
            stratum=0 if plan[fact.stage].share is not None else 1 + fact.stage,
        )
        for fact in facts
        # Newcomers of the release have nobody to be compared with.
        if fact.stage < len(plan) and (fact.arm is Arm.CONTROL or fact.state is not None)
    }
    found: list[Evidence] = [
        Compared(name, observe(panel, frame.policy.gates.min_inferences))
        for name, panel in panels(members, load_cells(db, frame.rollout)).items()
    ]
    lives = load_lives(db, frame.rollout)
    until = max((life.last_at for life in lives.values()), default=0.0)
    alive = [(members[device], life) for device, life in lives.items() if device in members]
    found.append(Broke("crashes", breaks(alive, until, frame.policy.deadline_s)))
    if shares := load_shadows(db, frame):
        found.append(Disagreed("disagreement", shares))
    return found


def _figures(judgements: Sequence[Judgement]) -> list[Judgement]:
    return [msgspec.structs.replace(judgement, reason="") for judgement in judgements]


def _outcomes(judgements: Sequence[Judgement]) -> dict[str, str]:
    return {judgement.gate: judgement.outcome for judgement in judgements}
