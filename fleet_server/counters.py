"""Prometheus metrics of the server: totals of what it took in, sent out and refused."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

REGISTRY: Final = CollectorRegistry()
RECEIVED: Final = Counter(
    "tinyfleet_messages_received_total", "Device messages by kind and outcome.", ["kind", "outcome"],
    registry=REGISTRY,
)  # fmt: skip
REJECTED: Final = Counter(
    "tinyfleet_messages_rejected_total", "Device messages that could not be read, by error code.", ["code"],
    registry=REGISTRY,
)  # fmt: skip
PUBLISHED: Final = Counter(
    "tinyfleet_messages_published_total", "Messages sent to devices, by kind.", ["kind"], registry=REGISTRY
)
DEVICES: Final = Gauge(
    "tinyfleet_devices", "Devices by presence and model version.", ["presence", "version"], registry=REGISTRY
)
BROKER_CONNECTED: Final = Gauge(
    "tinyfleet_broker_connected", "1 while the bridge is connected to its broker.", registry=REGISTRY
)
BROKER_DISCONNECTED: Final = Counter(
    "tinyfleet_broker_disconnects_total",
    "Times the bridge lost or gave up its connection.",
    registry=REGISTRY,
)
ROLLOUT_ERRORS: Final = Counter(
    "tinyfleet_rollout_errors_total", "Times a rollout could not be moved on.", registry=REGISTRY
)
ALERTS: Final = Gauge(
    "tinyfleet_alerts", "Alerts that are not resolved, by kind, severity and state.",
    ["kind", "severity", "state"], registry=REGISTRY,
)  # fmt: skip
NOTICES: Final = Counter(
    "tinyfleet_alert_notices_total",
    "Notices of alerts by channel and outcome: delivered, failed (and tried again), dropped, expired.",
    ["channel", "outcome"],
    registry=REGISTRY,
)
