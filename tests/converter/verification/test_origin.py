"""What only the source can prove; an int8 file is converted within a second."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from converter import versions
from converter.bundle import Bundle, read_bundle
from converter.conversion import convert
from converter.planning.offline import with_plan
from converter.report import About
from converter.verification import Claim, Origin, origin, verify_bundle
from wire.errors import RefusedError, TrustError
from wire.manifest import MODEL_FILE
from wire.trust import load_key

NOW = datetime.now(UTC).replace(microsecond=0)


def by_name(claims: list[Claim]) -> dict[str, Claim]:
    return {claim.name: claim for claim in claims}


@pytest.fixture(scope="module")
def small(bundle_dir: Path, trust_dir: Path, tmp_path_factory) -> Bundle:

    out = tmp_path_factory.mktemp("small") / "b"
    key = load_key((trust_dir / "release.key").read_bytes())
    source = bundle_dir / MODEL_FILE
    convert(
        source,
        out,
        signer=key,
        expires=NOW + timedelta(days=1),
        target_names=["cortex-m4"],
        name="small",
        plan=True,
    )
    return read_bundle(out)


def test_it_is_reproduced(small: Bundle, bundle_dir: Path, root):
    claims = by_name(verify_bundle(small, root, NOW, source=Origin(bundle_dir / MODEL_FILE)).claims)
    assert claims["source"].status == "verified"
    assert claims["plan"].detail.startswith("head 1,600 of greedy 1,600, lower bound 1,600")
    assert claims["gate"].detail == "none is claimed"
    assert "npu" not in claims


def test_a_lie_about_the_author_is_named(small: Bundle, forged, bundle_dir: Path, root):
    lying = forged(of=small, report={"about": About(title="everything")})
    assert by_name(verify_bundle(lying, root, NOW).claims)["source"].status == "not_checked"
    with pytest.raises(TrustError, match=r"another bundle: model_card\.md") as caught:
        verify_bundle(lying, root, NOW, source=Origin(bundle_dir / MODEL_FILE))
    assert caught.value.code == "false_source"


def test_another_source_is_named(small: Bundle, bundle_dir: Path, root, tmp_path: Path):
    other = tmp_path / "other.tflite"
    other.write_bytes(with_plan((bundle_dir / MODEL_FILE).read_bytes(), {}))
    with pytest.raises(TrustError, match=r"lineage\.source"):
        verify_bundle(small, root, NOW, source=Origin(other))


def test_a_source_that_is_refused_is_no_proof(small: Bundle, root, tmp_path: Path, monkeypatch):

    def refuse(*_args, **_options):
        raise RefusedError("accuracy_drop", "int8 loses 0.5")

    monkeypatch.setattr(origin, "convert", refuse)
    with pytest.raises(TrustError, match=r"not converted at all: int8 loses 0\.5"):
        verify_bundle(small, root, NOW, source=Origin(tmp_path))


def test_other_versions_are_said_and_nothing_is_converted(small: Bundle, root, tmp_path: Path, monkeypatch):
    here = versions.installed()
    monkeypatch.setattr(versions, "installed", lambda: {**here, "tensorflow": "1.0"})
    claims = by_name(verify_bundle(small, root, NOW, source=Origin(tmp_path / "gone")).claims)
    assert claims["source"].status == "not_checked"
    assert f"made with tensorflow {here['tensorflow']}, here is 1.0" in claims["source"].detail
