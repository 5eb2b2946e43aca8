"""Which keys and roots count when nobody names one."""

from pathlib import Path

import pytest

from tinyfleet import trustfiles
from tinyfleet.keyfile import read_key
from wire.errors import NotFoundError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in; the configuration folder is beside it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "config/tinyfleet/trust"


def test_a_key_that_is_named_is_taken(here: Path, own: Path, trust_dir: Path):
    trustfiles.make(here / "trust")
    named = trustfiles.signing(trust_dir / "release.key")
    assert named.signer.public_key.keyid == read_key(trust_dir / "release.key").public_key.keyid
    assert not own.exists()


def test_the_folder_trust_comes_first(here: Path, own: Path):
    trustfiles.make(here / "trust")
    found = trustfiles.signing(None)
    assert found.signer.public_key.keyid == read_key(here / "trust/release.key").public_key.keyid
    assert found.origin == "trust/release.key"
    assert trustfiles.image_root(None) == Path("trust/image-root.json")
    assert not own.exists()


def test_a_development_key_is_made_once_and_private(here: Path, own: Path):
    first, second = trustfiles.signing(None), trustfiles.signing(None)
    assert first.signer.public_key.keyid == second.signer.public_key.keyid
    assert "just made" in first.origin
    assert "just made" not in second.origin
    assert {file.name: file.stat().st_mode & 0o777 for file in own.iterdir()} == {
        "release.key": 0o600,
        "director.key": 0o600,
        "image-root.json": 0o644,
        "director-root.json": 0o644,
    }
    assert trustfiles.image_root(None) == own / "image-root.json"


def test_a_relative_configuration_folder_is_ignored(here: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "config")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    trustfiles.signing(None)
    assert (tmp_path / "home/.config/tinyfleet/trust/release.key").exists()
    assert not (here / "config").exists()


def test_without_any_root_there_is_nothing_to_trust(here: Path, own: Path):
    with pytest.raises(NotFoundError, match="no development key"):
        trustfiles.image_root(None)
    assert not own.exists()
