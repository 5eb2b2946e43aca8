"""Commands as a person calls them: one line on failure, the right exit code, JSON on stdout."""

import json
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from converter.bundle import entries, read_bundle, write_bundle
from tinyfleet import cli
from tinyfleet.keyfile import expiry, read_key
from wire.trust import load_key, load_root


@pytest.fixture
def tinyfleet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """``tinyfleet("bundle", "show", ...)`` -> (exit code, stdout, stderr)."""

    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tinyfleet", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            cli.main()
        out, err = capsys.readouterr()
        return int(done.value.code or 0), out, err

    return run


def test_trust_init_makes_private_keys_and_roots_that_hold(tinyfleet, tmp_path: Path):
    code, out, _ = tinyfleet("trust", "init", tmp_path / "t", "--json")
    assert code == 0
    assert json.loads(out)["files"] == [
        "release.key",
        "director.key",
        "image-root.json",
        "director-root.json",
    ]
    for name, role_key in (("image", "release"), ("director", "director")):
        key = tmp_path / "t" / f"{role_key}.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        root = load_root((tmp_path / "t" / f"{name}-root.json").read_bytes())
        assert root.roles["targets"].keyids == [load_key(key.read_bytes()).public_key.keyid]
        assert root.roles["root"].keyids == [
            load_key((tmp_path / "t/release.key").read_bytes()).public_key.keyid
        ]


def test_trust_init_does_not_overwrite(tinyfleet, trust_dir: Path):
    before = {file.name: file.read_bytes() for file in trust_dir.iterdir()}
    code, _, err = tinyfleet("trust", "init", trust_dir)
    assert code == 2
    assert "already has" in err
    assert before == {file.name: file.read_bytes() for file in trust_dir.iterdir()}


def test_bundle_show_prints_the_manifest(tinyfleet, bundle_dir: Path):
    code, out, _ = tinyfleet("bundle", "show", bundle_dir, "--json")
    assert code == 0
    data = json.loads(out)
    assert data["signed"] is True
    assert data["manifest"]["model"] == "watch"
    assert data["report"] == json.loads((bundle_dir / "report.json").read_bytes())
    assert tinyfleet("bundle", "show", bundle_dir)[1].startswith("watch v1, signed")


def test_bundle_verify_says_what_held(tinyfleet, bundle_dir: Path, trust_dir: Path):
    code, out, _ = tinyfleet(
        "bundle", "verify", bundle_dir, "--trust", trust_dir / "image-root.json", "--json"
    )
    assert code == 0
    data = json.loads(out)
    assert data["golden"] == {"tflm": 8, "xnnpack": 8}
    claims = {claim["name"]: claim["status"] for claim in data["claims"]}
    assert (claims["arena"], claims["source"]) == ("verified", "not_checked")
    _, out, _ = tinyfleet("bundle", "verify", bundle_dir, "--trust", trust_dir / "image-root.json")
    assert "verified     arena: head " in out
    assert "not checked  source: " in out


def test_bundle_verify_exits_4_and_names_the_false_claim(
    tinyfleet, bundle_dir: Path, trust_dir: Path, tmp_path: Path
):
    bundle = read_bundle(bundle_dir)
    files = {**bundle.files, "model_card.md": b"# The best model\n"}
    manifest = msgspec.structs.replace(bundle.manifest, files=entries(files))
    write_bundle(tmp_path / "b", manifest, files, read_key(trust_dir / "release.key"), expiry(1))
    code, out, err = tinyfleet("bundle", "verify", tmp_path / "b", "--trust", trust_dir / "image-root.json")
    assert (code, out) == (4, "")
    assert err.startswith("tinyfleet: card: ")
    assert err.count("\n") == 1


def test_bundle_verify_converts_the_source_again(
    tinyfleet, bundle_dir: Path, trust_dir: Path, tmp_path: Path
):
    source, trust = bundle_dir / "model.tflite", trust_dir / "image-root.json"
    key = trust_dir / "release.key"
    options = ("--out", tmp_path / "b", "--key", key, "--target", "linux-x86_64", "--gate", "interval")
    assert tinyfleet("convert", source, *options)[0] == 0
    code, out, _ = tinyfleet("bundle", "verify", tmp_path / "b", "--trust", trust, "--source", source)
    assert code == 0
    assert "verified     source: model.tflite converted again, reproduced bit for bit" in out


def test_bundle_verify_exits_4_for_a_root_that_does_not_know_the_key(tinyfleet, bundle_dir: Path, tmp_path):
    tinyfleet("trust", "init", tmp_path / "other")
    code, out, err = tinyfleet("bundle", "verify", bundle_dir, "--trust", tmp_path / "other/image-root.json")
    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert "not signed by a key" in err


def test_convert_prints_bundle_digest_and_report(
    tinyfleet, bundle_dir: Path, trust_dir: Path, tmp_path: Path
):
    source, key = bundle_dir / "model.tflite", trust_dir / "release.key"
    code, out, _ = tinyfleet("convert", source, "--out", tmp_path / "b", "--key", key, "--json")
    assert code == 0
    data = json.loads(out)
    assert set(data) == {"bundle", "digest", "report", "signed_by"}
    assert data["signed_by"] == load_key(key.read_bytes()).public_key.keyid
    assert data["report"]["ops"] == ["RESHAPE", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    code, _, err = tinyfleet("convert", source, "--out", tmp_path / "b", "--key", key)
    assert code == 2
    assert "already exists" in err


def test_convert_exits_4_for_a_hybrid_model(tinyfleet, shared_models: Path, trust_dir: Path, tmp_path: Path):
    source = shared_models / "kws/kws_hybrid_refuse_me.tflite"
    code, out, err = tinyfleet("convert", source, "--out", tmp_path / "b", "--key", trust_dir / "release.key")
    assert (code, out) == (4, "")
    assert "hybrid" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("train", "listen", "--out", "x"), 3, "no task 'listen'"),
        (("train", "watch", "--out", "x", "--groups", "8,9"), 2, "held out"),
        (("convert", "gone.tflite", "--out", "x", "--key", "gone.key"), 3, "gone.key"),
        (("bundle", "show", "gone"), 3, "gone"),
        (("bundle", "sign", "gone", "--key", "gone.key"), 3, "gone.key"),
    ],
)
def test_mistakes_are_one_line(tinyfleet, tmp_path: Path, monkeypatch, args, code: int, words: str):
    monkeypatch.chdir(tmp_path)
    found, out, err = tinyfleet(*args)
    assert (found, out) == (code, "")
    assert err.startswith("tinyfleet: ")
    assert words in err
    assert err.count("\n") == 1
