"""The words for states and reasons (see docs/protocol.md). Values are what travels on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Presence(StrEnum):
    """What a retained status or last will says of its sender."""

    ONLINE = "online"
    OFFLINE = "offline"


class NumericsFamily(StrEnum):
    """Rounding conventions of int8 kernels: outputs are bit-equal within a family only."""

    TFLM = "tflm"
    XNNPACK = "xnnpack"


class UpdateState(StrEnum):
    """How far one device is with one attempt to change its model."""

    QUEUED = "queued"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    VERIFIED = "verified"
    INSTALLED = "installed"
    TESTING = "testing"
    CONFIRMED = "confirmed"
    SUCCEEDED = "succeeded"
    """Confirmed, and observed through the soak: only the server says this."""
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    """Silent past its deadline: only the server says this."""
    CANCELED = "canceled"
    ALREADY_INSTALLED = "already_installed"


#: States after which a device does nothing more for the attempt.
SETTLED: Final = frozenset(
    {
        UpdateState.CONFIRMED,
        UpdateState.SUCCEEDED,
        UpdateState.FAILED,
        UpdateState.ROLLED_BACK,
        UpdateState.REJECTED,
        UpdateState.TIMED_OUT,
        UpdateState.CANCELED,
        UpdateState.ALREADY_INSTALLED,
    }
)

#: Settled states that count against a rollout.
UNSUCCESSFUL: Final = frozenset(
    {
        UpdateState.FAILED,
        UpdateState.ROLLED_BACK,
        UpdateState.REJECTED,
        UpdateState.TIMED_OUT,
    }
)


class Reason(StrEnum):
    """Why an attempt is in its state; ``none`` while all goes well."""

    NONE = "none"
    UNTRUSTED = "untrusted"
    """A signature does not verify or has expired."""
    MALFORMED = "malformed"
    WRONG_TARGET = "wrong_target"
    OUT_OF_RAM = "out_of_ram"
    OUT_OF_FLASH = "out_of_flash"
    UNSUPPORTED_OP = "unsupported_op"
    """The runtime does not execute one of the model's operators."""
    OLD_RUNTIME = "old_runtime"
    """The model asks for a newer version of the runtime."""
    PREPROCESSING = "preprocessing"
    """The device cannot prepare inputs as the model wants them."""
    SCHEMA = "schema"
    """Other inputs or outputs than the model that it would replace."""
    DIGEST_MISMATCH = "digest_mismatch"
    LINK_LOST = "link_lost"
    STORAGE = "storage"
    RUNTIME_REFUSED = "runtime_refused"
    """The interpreter would not load or run the model."""
    SELF_TEST = "self_test"
    """Golden vectors gave other answers than the manifest promises."""
    SHADOW = "shadow"
    """Beside the confirmed model it disagreed with it more often than the policy allows."""
    TRIAL_INTERRUPTED = "trial_interrupted"
    """The device restarted too often while it was trying the new model."""
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    """The director canceled the attempt."""
    FELL_BACK = "fell_back"
    """Confirmed, and later found to run something else by itself: only the server says this."""
    DEADLINE = "deadline"


class RolloutState(StrEnum):
    """Where a rollout is."""

    CREATING = "creating"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    STOPPED = "stopped"
    FINISHED = "finished"


class StageState(StrEnum):
    """Where a stage of a rollout is."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    SOAKING = "soaking"
    PASSED = "passed"
    FAILED = "failed"


class AlertKind(StrEnum):
    """What sort of thing is wrong."""

    ROLLOUT = "rollout"
    DRIFT = "drift"
    OUTLIER = "outlier"
    """Devices that are unlike the others of their kind."""
    DATA_QUALITY = "data_quality"
    SILENT = "silent"
    DELIVERY = "delivery"
    """Notices of alerts that do not reach who should get them."""


class AlertState(StrEnum):
    """Whether anybody has to do something about it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    """Somebody knows, and it is not over."""
    RESOLVED = "resolved"


class AlertEvent(StrEnum):
    """What became of an alert that somebody should know."""

    OPENED = "opened"
    UPDATED = "updated"
    """More devices, or something else has changed."""
    ESCALATED = "escalated"
    """It has become more severe; who acknowledged it knew less."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    """It was over for a short while only."""


class Severity(StrEnum):
    """How soon somebody has to do something."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return list(Severity).index(self)
