"""Only whole, signed bundles enter the registry, and a version never changes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from fleet_server.registry import Registry, open_registry
from fleet_server.store import Store
from wire.errors import FleetError, NotFoundError, RefusedError, StoreError, TrustError
from wire.trust import Artifact

NOW = 1_800_000_000.0


@pytest.fixture
def registry(tmp_path: Path, keys: Path) -> Iterator[Registry]:
    store = Store(tmp_path / "fleet.db")
    yield open_registry(store, tmp_path, keys)
    store.close()


def test_a_published_bundle_comes_back_byte_for_byte(registry: Registry, make_bundle: Callable) -> None:
    artifact, files = make_bundle(1)
    ref = registry.publish(artifact, files, 0)
    assert registry.artifact(ref.digest) == artifact
    assert registry.payload(ref.digest) == b"".join(files.values())
    assert registry.publish(artifact, files, 0) == ref, "publishing twice is no error"


def test_a_version_never_changes(registry: Registry, make_bundle: Callable) -> None:
    registry.publish(*make_bundle(1), 0)
    with pytest.raises(RefusedError, match="exists with other content"):
        registry.publish(*make_bundle(1, ram_bytes=999), 0)


def test_a_file_that_was_not_signed_is_refused(registry: Registry, make_bundle: Callable) -> None:
    artifact, files = make_bundle(1)
    with pytest.raises(TrustError, match=r"model\.tflite is not the file that was signed"):
        registry.publish(artifact, {**files, "model.tflite": b"other"}, 0)
    files.pop("golden/tflm.npy")
    with pytest.raises(RefusedError, match=r"lacks golden/tflm\.npy"):
        registry.publish(artifact, files, 0)


@pytest.mark.parametrize("field", ["manifest", "signature"])
def test_a_changed_manifest_or_signature_is_refused(
    registry: Registry, make_bundle: Callable, field: str
) -> None:
    artifact, files = make_bundle(1)
    changed = msgspec.structs.replace(artifact, **{field: getattr(artifact, field).replace("1", "2", 3)})
    with pytest.raises(FleetError):
        registry.publish(changed, files, 0)


def test_an_expired_signature_is_refused(registry: Registry, make_bundle: Callable) -> None:
    far = 10_000_000_000.0
    with pytest.raises(TrustError, match="expired"):
        registry.publish(*make_bundle(1), far)


def test_a_file_path_cannot_leave_the_bundle(registry: Registry, make_bundle: Callable) -> None:
    artifact, files = make_bundle(1)
    hostile = artifact.manifest.replace("golden/inputs.npy", "../escape.npy")
    with pytest.raises(FleetError):
        registry.publish(Artifact(manifest=hostile, signature=artifact.signature), files, 0)


def test_unknown_and_lost_bundles_are_told_apart(
    registry: Registry, make_bundle: Callable, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError):
        registry.payload("a" * 64)
    ref = registry.publish(*make_bundle(1), 0)
    (tmp_path / "bundles" / ref.digest / "model.tflite").unlink()
    with pytest.raises(StoreError, match="cannot read"):
        registry.payload(ref.digest)
