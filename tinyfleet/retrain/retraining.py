"""The loop, once around: alert, samples, data set, training, int8, gate, registry, rollout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from securesystemslib.signer import Signer

from converter.bundle import Bundle, read_bundle
from converter.conversion import convert
from tinyfleet.client import Client
from tinyfleet.retrain import gate
from tinyfleet.retrain.gathering import Gathered, Say
from trainer import run as runs
from trainer.data.field import MAX_DEVICES, MAX_NUMBERS, Extension, FieldSample, Record
from trainer.tasks import find
from trainer.training import train
from wire.errors import InputError, NotFoundError
from wire.manifest import MODEL_FILE, Manifest, decode_manifest

#: Of the loss, the part that field samples make up.
_FIELD_SHARE: Final = 0.25


@dataclass(frozen=True)
class Incumbent:
    """The version that is to be replaced."""

    manifest: Manifest
    digest: str
    model: bytes
    next_version: int

    @property
    def run(self) -> dict[str, Any]:
        """What its manifest says of the run that it came from; InputError when it is a foreign model."""
        found = self.manifest.lineage.get("run")
        if not isinstance(found, dict) or "task" not in found:
            raise InputError(
                "no_run",
                f"{self.manifest.model} v{self.manifest.version} was not trained by tinyfleet train",
                "train its next version where it was trained, and convert that",
            )
        return found


class Retrained(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    model: str
    version: int
    run: str
    bundle: str
    digest: str
    dataset: str
    """Digest of the new data set."""
    parent: str
    """Of the one that it extends."""
    request: int
    samples: int
    """That were trained on; others, of other devices, judged."""
    old: gate.Comparison
    field: gate.Comparison


def incumbent(client: Client, digest: str) -> Incumbent:
    """The version whose bundle is ``digest``; NotFoundError when the registry does not have it."""
    everything = client.get("/models")
    known = next((each for each in everything if each["digest"] == digest), None)
    if known is None:
        raise NotFoundError(
            "unknown_bundle", f"there is no bundle {digest[:12]}", "see: tinyfleet model list"
        )
    model = known["model"]
    versions = [each for each in everything if each["model"] == model]
    text = client.get(f"/models/{model}/versions/{known['version']}/manifest")
    return Incumbent(
        manifest=decode_manifest(text["manifest"].encode()),
        digest=digest,
        model=client.file(digest, MODEL_FILE),
        next_version=max(each["version"] for each in versions) + 1,
    )


def retrain(
    held: Incumbent,
    gathered: Gathered,
    work: Path,
    signer: Signer,
    expires: datetime,
    *,
    fleet: str,
    alert: int | None,
    max_old_drop: float,
    epochs: int | None,
    say: Say,
) -> Retrained:
    """Train, convert and judge; RefusedError when the candidate is not better where it has to be."""
    name = held.manifest.model
    record = Record(
        fleet=fleet,
        alert=alert,
        requests=(gathered.request,),
        samples=len(gathered.train),
        numbers=tuple(sorted(sample.number for sample in gathered.train))[:MAX_NUMBERS],
        devices=tuple(sorted({sample.device for sample in gathered.train}))[:MAX_DEVICES],
    )
    task = find(held.run["task"])
    windows = int(held.run["split"]["train"]["windows"])
    known = held.run["hyperparameters"]
    weight = max(1.0, round(_FIELD_SHARE / (1 - _FIELD_SHARE) * windows / len(gathered.train), 2))
    hyper = {**known, "field_weight": weight, "epochs": epochs or known["epochs"]}
    recipe = held.run.get("recipe", {})
    if recipe.get("own"):
        raise InputError(
            "own_recipe",
            f"{name} v{held.manifest.version} was made by a recipe of your own",
            "train its next version where that is, and convert it",
        )
    folder, out = work / "run", work / "bundle"
    made = train(
        task,
        folder,
        seed=int(held.run["seed"]),
        hyper=hyper,
        recipe=recipe.get("name"),
        field=Extension(gathered.train, record),
        progress=say,
    )
    converted = convert(folder, out, signer=signer, expires=expires, name=name, version=held.next_version)
    old, field = judge(held, read_bundle(out), folder, gathered.judge)
    say(f"old data:   {gate.told(old)}")
    say(f"field data: {gate.told(field)}")
    gate.check(old, field, max_old_drop)
    return Retrained(
        model=name,
        version=held.next_version,
        run=str(folder),
        bundle=str(out),
        digest=converted.digest,
        dataset=made.data.digest,
        parent=made.data.parent or "",
        request=gathered.request,
        samples=len(gathered.train),
        old=old,
        field=field,
    )


def judge(
    held: Incumbent, candidate: Bundle, run: Path, samples: tuple[FieldSample, ...]
) -> tuple[gate.Comparison, gate.Comparison]:
    """Both versions on the run's held-out windows, and on samples that were not trained on."""
    with np.load(run / runs.EVAL_FILE, allow_pickle=False) as archive:
        old = archive["x"], archive["y"].astype(np.int64), archive["group"].astype(np.str_)
    field = (
        np.stack([sample.window for sample in samples]),
        np.array([sample.label for sample in samples], np.int64),
        np.array([sample.device for sample in samples], np.str_),
    )
    found = []
    for windows, truth, group in (old, field):
        before = gate.answers(held.manifest, held.model, windows)
        after = gate.answers(candidate.manifest, candidate.files[MODEL_FILE], windows)
        found.append(gate.compare(before, after, truth, group))
    return found[0], found[1]
