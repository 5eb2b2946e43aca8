"""Models and their versions."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile

from fleet_server import queries
from fleet_server.api.access import Caller, Number, RunningFleet
from wire.errors import InputError
from wire.limits import MAX_BUNDLE_BYTES
from wire.trust import Artifact

router = APIRouter(prefix="/api/v1", tags=["models"], dependencies=[Caller])


@router.get("/models")
def list_models(fleet: RunningFleet) -> list[dict[str, Any]]:
    """Every version of every model, with the accuracy and memory that its manifest claims."""
    return queries.models(fleet.store)


@router.get("/models/{model}/versions/{version}")
def get_version(fleet: RunningFleet, model: str, version: Number) -> dict[str, Any]:
    """One version of a model."""
    return queries.version(fleet.store, model, version)


@router.get("/models/{model}/versions/{version}/manifest")
def get_manifest(fleet: RunningFleet, model: str, version: Number) -> dict[str, str]:
    """The exact text of a version's manifest, and the release signature over it."""
    artifact = fleet.registry.artifact(queries.version(fleet.store, model, version)["digest"])
    return {"manifest": artifact.manifest, "signature": artifact.signature}


@router.post("/bundles", status_code=201)
def publish_bundle(
    fleet: RunningFleet,
    manifest: Annotated[str, Form()],
    signature: Annotated[str, Form()],
    files: Annotated[list[UploadFile], File(max_length=32)],
) -> dict[str, Any]:
    """Enter a signed bundle into the registry; each file's name is its path in the manifest."""
    contents: dict[str, bytes] = {}
    left = MAX_BUNDLE_BYTES
    for upload in files:
        data = upload.file.read(left + 1)
        left -= len(data)
        if left < 0:
            raise InputError(
                "too_large", f"the bundle is over {MAX_BUNDLE_BYTES} bytes", "ship a smaller model"
            )
        contents[upload.filename or ""] = data
    ref = fleet.registry.publish(Artifact(manifest=manifest, signature=signature), contents, time.time())
    return {"model": ref.model, "version": ref.version, "digest": ref.digest}


@router.get("/bundles/{digest}/files/{path:path}")
def get_bundle_file(fleet: RunningFleet, digest: str, path: str) -> Response:
    """One file of a bundle, as it was pushed; the path is of the manifest."""
    return Response(fleet.registry.file(digest, path), media_type="application/octet-stream")
