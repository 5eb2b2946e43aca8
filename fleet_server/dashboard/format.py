"""Values as people read them: units, relative times, words for states and reasons, and their tones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from fleet_server.store import Row
from wire.states import AlertKind, AlertState, Reason, RolloutState, StageState, UpdateState

NONE: Final = "\N{EN DASH}"
_NBSP: Final = "\N{NO-BREAK SPACE}"

_REASONS: Final = {
    Reason.UNTRUSTED: "signature not trusted",
    Reason.MALFORMED: "bundle malformed",
    Reason.WRONG_TARGET: "built for another target",
    Reason.OUT_OF_RAM: "not enough RAM",
    Reason.OUT_OF_FLASH: "not enough flash",
    Reason.UNSUPPORTED_OP: "an operator its runtime lacks",
    Reason.OLD_RUNTIME: "runtime too old",
    Reason.PREPROCESSING: "preprocessing it lacks",
    Reason.SCHEMA: "other inputs or labels",
    Reason.DIGEST_MISMATCH: "content differs from its digest",
    Reason.LINK_LOST: "link lost",
    Reason.STORAGE: "storage failed",
    Reason.RUNTIME_REFUSED: "runtime would not run the model",
    Reason.SELF_TEST: "self-test failed",
    Reason.SHADOW: "disagreed with the confirmed model",
    Reason.TRIAL_INTERRUPTED: "restarted during its trial",
    Reason.SUPERSEDED: "superseded by a newer assignment",
    Reason.WITHDRAWN: "withdrawn by the server",
    Reason.FELL_BACK: "fell back by itself",
    Reason.DEADLINE: "silent past its deadline",
}
_KIND: Final = re.compile(r"rollout \d+$|device .")
_OK: Final = {
    UpdateState.CONFIRMED, UpdateState.SUCCEEDED, UpdateState.ALREADY_INSTALLED,
    RolloutState.FINISHED, StageState.PASSED,
}  # fmt: skip
_BUSY: Final = {
    UpdateState.QUEUED, UpdateState.DOWNLOADING, UpdateState.DOWNLOADED, UpdateState.VERIFIED,
    UpdateState.INSTALLED, UpdateState.TESTING, RolloutState.RUNNING, StageState.RUNNING, StageState.SOAKING,
}  # fmt: skip
_WARN: Final = {RolloutState.PAUSED, RolloutState.ROLLING_BACK}
_BAD: Final = {
    UpdateState.FAILED, UpdateState.ROLLED_BACK, UpdateState.REJECTED, UpdateState.TIMED_OUT,
    RolloutState.STOPPED, StageState.FAILED,
}  # fmt: skip
_TONES: Final = {
    **{str(state): "ok" for state in _OK},
    **{str(state): "busy" for state in _BUSY},
    **{str(state): "warn" for state in _WARN},
    **{str(state): "bad" for state in _BAD},
    "online": "ok",
    "critical": "bad",
    "warning": "warn",
    "info": "idle",
    AlertState.OPEN: "bad",
    AlertState.ACKNOWLEDGED: "warn",
    AlertState.RESOLVED: "ok",
    "delivered": "ok",
    "waiting": "busy",
    "expired": "bad",
    "dropped": "bad",
}


def words(state: str | None) -> str:
    """A state as it is written on pages."""
    return state.replace("_", " ") if state else NONE


def tone(state: str | None) -> str:
    """Which of ok, busy, warn, bad and idle a state's colour is; the colour only repeats the word."""
    return _TONES.get(state or "", "idle")


def reason(code: str | None) -> str:
    """A device's reason in words; empty while there is none."""
    if not code or code == Reason.NONE:
        return ""
    return _REASONS[Reason(code)] if code in set(Reason) else words(code)


def why(text: str) -> str:
    """A rollout's reason in words: ``self_test on 2 of 2 devices ...`` names codes before its "on"."""
    codes, on, rest = text.partition(" on ")
    names = codes.split(", ")
    if not on or not all(name in set(Reason) for name in names):
        return text
    return f"{', '.join(reason(name) or 'failed' for name in names)} on {rest}"


def version(model: str | None, number: int | None) -> str:
    """Name of one version."""
    return f"{model} v{number}" if model and number else NONE


def ago(then: float | None, now: float) -> str:
    """How long ago, in the largest unit that fits."""
    return NONE if then is None else f"{span(now - then)} ago"


def span(seconds: float) -> str:
    """A length of time in the largest unit that fits."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{_NBSP}{unit}"
    return f"{max(0.0, seconds):.0f}{_NBSP}s"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as a percentage."""
    return NONE if share is None else f"{100 * share:.{digits}f}{_NBSP}%"


def many(count: int, noun: str) -> str:
    """A number of things, with the noun in its number."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def share_of(part: int, whole: int) -> float | None:
    """``part / whole``; None of nothing."""
    return part / whole if whole else None


def size(count: int | None) -> str:
    """Bytes in KB of 1,024."""
    if count is None:
        return NONE
    return f"{count}{_NBSP}B" if count < 1024 else f"{count / 1024:,.1f}{_NBSP}KB"


def duration_us(us: float | None) -> str:
    """Microseconds with three digits, in the unit that fits."""
    if us is None:
        return NONE
    value, unit = (us, "µs") if us < 1000 else (us / 1000, "ms") if us < 1e6 else (us / 1e6, "s")
    return f"{value:.3g}{_NBSP}{unit}"


_CLOCKS: Final = {
    "device": "device's time",
    "emulated": "emulated core (estimate)",
    "host": "host time, not the device's",
}


def clock(name: str) -> str:
    """Whose time a latency was measured with."""
    return _CLOCKS.get(name, name)


def message(text: str) -> str:
    """What an alert or event says: states and reasons in words, arrows as arrows."""
    what, colon, rest = text.partition(": ")
    return f"{words(what)}{colon}{words(why(rest)) if rest else ''}".replace("->", "\N{RIGHTWARDS ARROW}")


def happening(event: Row) -> str:
    """What an event says; those of alerts quote names, which are left alone."""
    said = str(event["message"])
    return said if event["kind"] == "alert" else message(said)


def headline(alert: Row) -> str:
    """What an alert says. Only rollouts speak in states and reasons; names of channels are left alone."""
    said = str(alert["message"])
    return message(said) if alert["kind"] == AlertKind.ROLLOUT else said


def subject(alert: Row) -> str:
    """What an alert is about, as the text of a link; of the whole fleet or a model, the alert itself."""
    about = str(alert["subject"])
    return about if _KIND.match(about) else f"alert {alert['id']}"


def subject_href(alert: Row) -> str:
    """The page of what an alert is about: a rollout, a device, or else the alert's own."""
    kind, _, name = str(alert["subject"]).partition(" ")
    if kind == "rollout" and name.isdecimal():
        return f"/rollouts/{int(name)}"
    return f"/devices/{quote(name, safe='')}" if kind == "device" and name else f"/alerts/{alert['id']}"


def advice(alert: Row) -> str:
    """What to do, with the alert's number where it belongs."""
    return str(alert["advice"]).replace("NUMBER", str(alert["id"]))


def devices(names: Sequence[str], count: int, most: int = 6) -> str:
    """Some names, and how many more there are; empty without any."""
    if not count:
        return ""
    rest = count - len(names[:most])
    return f"{many(count, 'device')}: {', '.join(names[:most])}" + (f" and {rest:,} more" if rest else "")
