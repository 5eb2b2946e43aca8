"""What people and dashboards ask of the database. Reads only; plain rows out."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from fleet_server import alert_rows, tags
from fleet_server.device_filter import Expression, matches
from fleet_server.rollout_state import Rollout
from fleet_server.store import Row, Store
from wire.errors import NotFoundError
from wire.manifest import decode_manifest
from wire.messages import Telemetry
from wire.sketch import latency_quantile_us
from wire.states import SETTLED

MAX_PAGE: Final = 1000
_WANTED: Final = """
    SELECT v.model AS model, max(v.version) AS version FROM rollouts r JOIN versions v USING (digest)
    WHERE json_extract(r.body, '$.state') NOT IN ('ready', 'stopped', 'rolling_back') GROUP BY v.model"""


def models(store: Store) -> list[Row]:
    """Every version of every model with what its manifest claims."""
    rows = store.rows("SELECT * FROM versions ORDER BY model, version")
    return [_version(row) for row in rows]


def version(store: Store, model: str, number: int) -> Row:
    """One version; NotFoundError when there is none."""
    row = store.row("SELECT * FROM versions WHERE model = ? AND version = ?", (model, number))
    if row is None:
        raise NotFoundError("unknown_version", f"there is no {model} v{number}", "see: tinyfleet model list")
    return _version(row)


def devices(store: Store, after: str = "", limit: int = 100, wanted: Expression | None = None) -> list[Row]:
    """A page of devices with their tags, in order of their ids, beginning after ``after``.

    With ``wanted`` only the devices that it chooses; the whole fleet is looked through once over all pages.
    """
    limit = min(limit, MAX_PAGE)
    read = limit if wanted is None else MAX_PAGE
    found: list[Row] = []
    while len(found) < limit:
        rows = store.rows("SELECT * FROM devices WHERE device > ? ORDER BY device LIMIT ?", (after, read))
        found += _chosen(store, rows, wanted)
        if len(rows) < read:
            break
        after = rows[-1]["device"]
    return found[:limit]


def device(store: Store, name: str) -> Row:
    """One device with its tags and its attempts, newest first; NotFoundError when it was never seen."""
    row = store.row("SELECT * FROM devices WHERE device = ?", (name,))
    own = tags.read(store.rows, name)
    if row is None and own:
        raise NotFoundError(
            "unseen_device", f"{name} has tags but was never seen", f"see: tinyfleet device tag {name}"
        )
    if row is None:
        raise NotFoundError("unknown_device", f"there is no device {name!r}", "see: tinyfleet device list")
    attempts = store.rows(
        """SELECT sequence, attempt, rollout, restores, digest, v.model, v.version, state, reason, detail,
                  downloaded_bytes, issued_at, updated_at, confirmed_at, observed_at
           FROM assignments LEFT JOIN versions v USING (digest)
           WHERE device = ? ORDER BY sequence DESC LIMIT 50""",
        (name,),
    )
    return {**row, "tags": tags.shown(own), "attempts": attempts}


def device_tags(store: Store, name: str) -> Row:
    """Tags of a device, and whether it was ever seen: operators tag devices before they first connect."""
    seen = store.row("SELECT 1 FROM devices WHERE device = ?", (name,)) is not None
    return {"device": name, "seen": seen, "tags": tags.shown(tags.read(store.rows, name))}


def overview(store: Store) -> dict[str, list[Row]]:
    """Devices counted by presence, by running version, and by update state."""
    return {
        "presence": store.rows("SELECT presence, count(*) AS devices FROM devices GROUP BY 1 ORDER BY 1"),
        "versions": store.rows(
            "SELECT model, version, count(*) AS devices FROM devices GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        "states": store.rows("SELECT state, count(*) AS devices FROM devices GROUP BY 1 ORDER BY 1"),
        "boards": store.rows("SELECT board, count(*) AS devices FROM devices GROUP BY 1 ORDER BY 1"),
    }


def wanted(store: Store) -> list[Row]:
    """Of every model the newest version whose rollout was not stopped: what the fleet should run."""
    return store.rows(_WANTED)


def counts(store: Store) -> Row:
    """Devices, those online, those on a wanted version, and open alerts."""
    row = store.row(
        f"""WITH wanted AS ({_WANTED})
            SELECT (SELECT count(*) FROM devices) AS devices,
                   (SELECT count(*) FROM devices WHERE presence = 'online') AS online,
                   (SELECT count(*) FROM devices JOIN wanted USING (model, version)) AS up_to_date,
                   (SELECT count(*) FROM alerts WHERE state = 'open') AS alerts"""  # noqa: S608 - a constant
    )
    return row or {}


def rollouts(store: Store) -> list[Row]:
    """All rollouts, newest first, with the counts of their devices."""
    rows = store.rows("SELECT id, created_at, body FROM rollouts ORDER BY id DESC LIMIT 200")
    return [_rollout(store, row) for row in rows]


def rollout_summary(store: Store, number: int) -> Row:
    """One rollout with the counts of its devices; NotFoundError when there is none."""
    row = store.row("SELECT id, created_at, body FROM rollouts WHERE id = ?", (number,))
    if row is None:
        raise NotFoundError("unknown_rollout", f"there is no rollout {number}", "see: tinyfleet rollout list")
    return _rollout(store, row)


def rollout(store: Store, number: int) -> Row:
    """One rollout with its devices; NotFoundError when there is none."""
    summary = rollout_summary(store, number)
    members = store.rows(
        """SELECT m.device, m.stage, m.arm, m.attempts, m.refused, a.attempt,
                  CASE WHEN m.refused IS NULL THEN a.state ELSE 'rejected' END AS state,
                  ifnull(m.refused_reason, a.reason) AS reason, a.detail, a.downloaded_bytes,
                  r.state AS restored, r.downloaded_bytes AS restore_downloaded_bytes
           FROM rollout_devices m
           LEFT JOIN assignments a ON a.rollout = m.rollout AND a.device = m.device AND a.replaced = 0
           LEFT JOIN assignments r ON r.restores = m.rollout AND r.device = m.device AND r.replaced = 0
           WHERE m.rollout = ? ORDER BY m.stage, m.device""",
        (number,),
    )
    return {**summary, "devices": members}


def stages(store: Store, number: int) -> list[Row]:
    """Devices of a rollout by stage, arm and state; state None before they were told."""
    return store.rows(
        """SELECT m.stage, m.arm, a.state, count(*) AS devices FROM rollout_devices m
           LEFT JOIN assignments a ON a.rollout = m.rollout AND a.device = m.device AND a.replaced = 0
           WHERE m.rollout = ? AND m.stage IS NOT NULL GROUP BY 1, 2, 3""",
        (number,),
    )


def scores(store: Store) -> list[Row]:
    """Per version and numerics family: inferences, and accuracy on the labelled ones."""
    rows = store.rows(
        """SELECT s.digest, v.model, v.version, s.numerics, sum(windows) AS windows, sum(n) AS n,
                  sum(errors) AS errors, sum(labelled) AS labelled, sum(correct) AS correct
           FROM score_rollup s JOIN versions v USING (digest)
           GROUP BY s.digest, s.numerics ORDER BY v.model, v.version, s.numerics"""
    )
    for row in rows:
        row["accuracy"] = row["correct"] / row["labelled"] if row["labelled"] else None
    return rows


def latencies(store: Store) -> list[Row]:
    """Latency quantiles by version, board and clock (see wire.messages.LatencyClock).

    ``board`` is empty where a device had not said yet what it is.
    """
    histograms: dict[tuple[str, int, str, str], dict[int, int]] = {}
    for row in store.rows(
        """SELECT v.model, v.version, board, clock, bucket, sum(count) AS count
           FROM board_latency_rollup l JOIN versions v USING (digest) GROUP BY 1, 2, 3, 4, 5"""
    ):
        key = (row["model"], row["version"], row["board"], row["clock"])
        histogram = histograms.setdefault(key, {})
        histogram[row["bucket"]] = row["count"]
    return [
        {
            "model": model,
            "version": number,
            "board": board,
            "clock": clock,
            "n": sum(histogram.values()),
            "p50_us": latency_quantile_us(histogram, 0.5),
            "p99_us": latency_quantile_us(histogram, 0.99),
        }
        for (model, number, board, clock), histogram in sorted(histograms.items())
    ]


def accuracy_by_minute(store: Store, since_minute: int, step: int = 1) -> list[Row]:
    """Labelled and correct answers by version and span of ``step`` minutes, for a chart."""
    return store.rows(
        """SELECT minute / :step * :step AS minute, v.model, v.version,
                  sum(labelled) AS labelled, sum(correct) AS correct, sum(n) AS n
           FROM score_rollup JOIN versions v USING (digest) WHERE minute >= :since
           GROUP BY 1, 2, 3 ORDER BY 1""",
        {"since": since_minute, "step": step},
    )


def first_minute(store: Store) -> int | None:
    """The minute of the oldest window; None before the first."""
    row = store.row("SELECT min(minute) AS minute FROM score_rollup")
    return row["minute"] if row else None


def windows(store: Store, after: int = 0, limit: int = 100) -> list[Row]:
    """A page of telemetry windows as devices sent them, in order of arrival."""
    rows = store.rows(
        "SELECT id, received_at, payload FROM telemetry WHERE id > ? ORDER BY id LIMIT ?",
        (after, min(limit, MAX_PAGE)),
    )
    return [
        {"id": row["id"], "received_at": row["received_at"], "window": msgspec.json.decode(row["payload"])}
        for row in rows
    ]


def device_windows(store: Store, device: str, limit: int = 50) -> list[Row]:
    """The newest telemetry windows of one device, newest first, summed up.

    In order of boot and sequence, as the device made them: what was kept back offline falls into place.
    """
    rows = store.rows(
        """SELECT received_at, payload FROM telemetry WHERE device = ?
           ORDER BY boot DESC, seq DESC LIMIT ?""",
        (device, min(limit, MAX_PAGE)),
    )
    return [_window(row["received_at"], msgspec.json.decode(row["payload"], type=Telemetry)) for row in rows]


def alerts(store: Store, state: str | None = None, limit: int = 200, kind: str | None = None) -> list[Row]:
    """Alerts, newest first; those of one state or kind, or all. Each names 1,000 devices and counts all."""
    rows = store.rows(
        """SELECT * FROM alerts WHERE (?1 IS NULL OR state = ?1) AND (?3 IS NULL OR kind = ?3)
           ORDER BY id DESC LIMIT ?2""",
        (state, min(limit, MAX_PAGE), kind),
    )
    return [{**row, "devices": msgspec.json.decode(row["devices"])[:MAX_PAGE]} for row in rows]


def alert(store: Store, number: int) -> Row:
    """One alert with what happened to it and to whom that was told, newest first; NotFoundError."""
    row = store.read(lambda db: alert_rows.row_of(db, number))
    deliveries = store.rows(
        """SELECT channel, notice, event, state, queued_at, due_at, attempts, settled_at, detail
           FROM alert_deliveries WHERE alert = ? ORDER BY id DESC LIMIT 50""",
        (number,),
    )
    return {
        **row,
        "devices": msgspec.json.decode(row["devices"]),
        "history": events_of(store, f"alert {number}"),
        "deliveries": deliveries,
    }


def alert_counts(store: Store) -> dict[str, int]:
    """Alerts by state."""
    return {
        row["state"]: row["n"] for row in store.rows("SELECT state, count(*) AS n FROM alerts GROUP BY 1")
    }


def channels(store: Store) -> list[Row]:
    """Who is told of alerts: how many notices each channel has taken, waits for, and never got."""
    return store.rows(
        """SELECT c.name, c.delivered, c.given_up, count(d.id) AS waiting, min(d.queued_at) AS waiting_since,
                  ifnull(max(d.attempts), 0) AS attempts,
                  (SELECT detail FROM alert_deliveries l WHERE l.channel = c.name AND l.state = 'waiting'
                   ORDER BY l.attempts DESC, l.id LIMIT 1) AS detail,
                  (SELECT max(settled_at) FROM alert_deliveries l
                   WHERE l.channel = c.name AND l.state = 'delivered') AS delivered_at
           FROM alert_channels c
           LEFT JOIN alert_deliveries d ON d.channel = c.name AND d.state = 'waiting'
           GROUP BY c.name ORDER BY c.name"""
    )


def open_alerts(store: Store, limit: int = 10) -> list[Row]:
    """Alerts that nobody has taken up, newest first."""
    return alerts(store, "open", limit)


def events(store: Store, limit: int = 100) -> list[Row]:
    """What happened, newest first."""
    return store.rows("SELECT * FROM events ORDER BY id DESC LIMIT ?", (min(limit, MAX_PAGE),))


def events_of(store: Store, subject: str, limit: int = 100) -> list[Row]:
    """What happened to one rollout or device, newest first."""
    return store.rows(
        "SELECT * FROM events WHERE subject = ? ORDER BY id DESC LIMIT ?", (subject, min(limit, MAX_PAGE))
    )


def _chosen(store: Store, rows: list[Row], wanted: Expression | None) -> list[Row]:
    """The rows that ``wanted`` chooses, each with its tags."""
    if not rows:
        return []
    known = tags.read_range(store.rows, rows[0]["device"], rows[-1]["device"])
    return [
        {**row, "tags": tags.shown(own)}
        for row in rows
        for own in [known.get(row["device"], {})]
        if wanted is None or matches(wanted, tags.as_device(row, own))
    ]


def _version(row: Row) -> Row:
    manifest = decode_manifest(row["manifest"].encode())
    evaluation: dict[str, Any] = {
        str(family): score.accuracy for family, score in manifest.evaluation.int8.items()
    }
    if manifest.evaluation.float32 is not None:
        evaluation["float32"] = manifest.evaluation.float32.accuracy
    return {
        "model": row["model"],
        "version": row["version"],
        "evaluated": {str(family): score.n for family, score in manifest.evaluation.int8.items()},
        "digest": row["digest"],
        "created_at": row["created_at"],
        "payload_bytes": manifest.payload_bytes,
        "targets": {name: needs.ram_bytes for name, needs in manifest.targets.items()},
        "accuracy": evaluation,
        "labels": manifest.labels,
    }


def _window(received_at: float, window: Telemetry) -> Row:
    return {
        "received_at": received_at,
        "boot": window.boot,
        "seq": window.seq,
        "model": window.model.model,
        "version": window.model.version,
        "n": window.n,
        "errors": window.errors,
        "labelled": window.labelled,
        "correct": window.correct,
        "clock": window.latency_clock,
        "p50_us": latency_quantile_us(window.latency, 0.5),
        "p99_us": latency_quantile_us(window.latency, 0.99),
        "historical": window.historical,
    }


def _rollout(store: Store, row: Row) -> Row:
    body = msgspec.json.decode(row["body"], type=Rollout)
    states = store.rows(
        "SELECT state, count(*) AS devices FROM assignments WHERE rollout = ? AND replaced = 0 GROUP BY 1",
        (row["id"],),
    )
    members = store.row(
        "SELECT count(*) AS n FROM rollout_devices WHERE rollout = ? AND stage IS NOT NULL", (row["id"],)
    )
    counts = {state["state"]: state["devices"] for state in states}
    exposed = sum(counts.values())
    return {
        **msgspec.to_builtins(body),
        "created_at": row["created_at"],
        "counts": counts,
        "exposed": exposed,
        "settled": sum(n for state, n in counts.items() if state in SETTLED),
        "total": members["n"] if members else 0,
    }
