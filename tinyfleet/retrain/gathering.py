"""Field samples of an alert's devices: asked for, waited for, and split into training and judging."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from tinyfleet.client import Client
from trainer.data.field import FieldSample
from wire.errors import InputError

Say = Callable[[str], None]
_PAGE: Final = 200
_POLL_S: Final = 0.5


class Gathered(NamedTuple):
    """Labelled samples; no device is in both parts."""

    request: int
    digest: str
    """Of the bundle that answered most of them."""
    train: tuple[FieldSample, ...]
    judge: tuple[FieldSample, ...]
    unlabelled: int


def ask(client: Client, alert: int, per_device: int, wait_s: float, say: Say) -> int:
    """Ask an alert's devices and wait until all have answered, or ``wait_s``; the request's number."""
    request = client.post("/samples/requests", {"alert": alert, "per_device": per_device})
    number = int(request["id"])
    deadline = time.monotonic() + wait_s
    while True:
        devices = client.get(f"/samples/requests/{number}")["devices"]
        complete = sum(device["of"] > 0 and device["samples"] == device["of"] for device in devices)
        if complete == len(devices) or time.monotonic() > deadline:
            say(f"{complete} of {len(devices)} devices sent {sum(d['samples'] for d in devices)} samples")
            return number
        time.sleep(_POLL_S)


def fetch(client: Client, request: int) -> Gathered:
    """The request's labelled samples; InputError when there are not enough to train and to judge by."""
    rows = _rows(client, request)
    found = [
        FieldSample(np.array(row["window"], np.float32), row["label"], row["device"], row["id"])
        for row in rows
        if row["label"] is not None
    ]
    devices = sorted({sample.device for sample in found})
    if len(devices) < 2:
        raise InputError(
            "few_samples",
            f"request {request} has labelled samples of {len(devices)} devices, {len(rows) - len(found)} "
            "samples have no label",
            "label more: tinyfleet samples label; one device trains, another judges",
        )
    training = set(devices[::2])
    digests = [row["digest"] for row in rows]
    return Gathered(
        request,
        max(sorted(set(digests)), key=digests.count),
        tuple(sample for sample in found if sample.device in training),
        tuple(sample for sample in found if sample.device not in training),
        len(rows) - len(found),
    )


def _rows(client: Client, request: int) -> Sequence[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while page := client.get(
        f"/samples/requests/{request}/windows", after=rows[-1]["id"] if rows else 0, limit=_PAGE
    ):
        rows += page
    return rows
