"""Bundles that lie: one figure changed, everything that follows from it made to agree, signed again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from converter import documents
from converter.bundle import Bundle, entries, read_bundle, write_bundle
from converter.report import Report, accuracies, accuracy_drop, decode
from wire.manifest import MODEL_FILE, Manifest
from wire.trust import load_key, load_root

NOW = datetime.now(UTC).replace(microsecond=0)
EXPIRES = NOW + timedelta(days=30)


@pytest.fixture(scope="session")
def honest(bundle_dir: Path) -> Bundle:
    return read_bundle(bundle_dir)


@pytest.fixture
def root(trust_dir: Path):
    return load_root((trust_dir / "image-root.json").read_bytes())


@pytest.fixture
def forged(honest: Bundle, trust_dir: Path, tmp_path: Path) -> Callable[..., Bundle]:
    """``forged(report={...}, lineage={...}, files={...}, of=bundle, **manifest fields)`` -> bundle."""

    def forge(report=None, lineage=None, files=None, of: Bundle = honest, **fields) -> Bundle:
        manifest = msgspec.structs.replace(of.manifest, **fields)
        manifest = msgspec.structs.replace(manifest, lineage={**manifest.lineage, **(lineage or {})})
        said = _agreeing(decode(of.files["report.json"]), manifest, fields, report or {})
        model = (files or {}).get(MODEL_FILE, of.files[MODEL_FILE])
        content = {**of.files, **documents.render(manifest, said, model), **(files or {})}
        manifest = msgspec.structs.replace(manifest, files=entries(content))
        key = load_key((trust_dir / "release.key").read_bytes())
        write_bundle(tmp_path / "forged", manifest, content, key, EXPIRES)
        return read_bundle(tmp_path / "forged")

    return forge


def _agreeing(said: Report, manifest: Manifest, fields: dict, changes: dict) -> Report:
    shared = {name: value for name, value in fields.items() if name in Report.__struct_fields__}
    scored = {
        "accuracy": accuracies(manifest.evaluation),
        "drop": accuracy_drop(manifest.evaluation),
    }
    return msgspec.structs.replace(said, **{**shared, **scored, **changes})
