"""A family that refuses: the other gets its targets, and everyone is told why."""

import re
from pathlib import Path
from typing import Any

import pytest

from converter.bundle import read_bundle
from converter.conversion import convert
from converter.verification import verify_bundle
from converter.willing import Willing
from tests.converter import crafted
from tinyfleet.keyfile import expiry, read_key, read_root
from wire.errors import RefusedError
from wire.manifest import CARD_FILE
from wire.states import NumericsFamily

TFLM, XNNPACK = NumericsFamily.TFLM, NumericsFamily.XNNPACK


def unknown_version(tree: Any) -> None:
    """LiteRT refuses it; TFLM looks at no version."""
    tree.operatorCodes[crafted.FC] = crafted.code("FULLY_CONNECTED", 99)


def unknown_operator(tree: Any) -> None:
    """LiteRT has TILE, TFLM has not; (1, 6) taken once."""
    graph = tree.subgraphs[0]
    tree.operatorCodes[crafted.RESHAPE] = crafted.code("TILE")
    graph.tensors[crafted.OUTPUT].shape = [1, 6]
    graph.tensors[crafted.SHAPE].shape = [2]
    tree.buffers[3] = crafted.buffer(b"\1\0\0\0" * 2)


def unknown_to_both(tree: Any) -> None:
    unknown_version(tree)
    unknown_operator(tree)


@pytest.fixture
def make(tmp_path: Path, trust_dir: Path):
    def run(*edits: crafted.Edit, **options):
        source = tmp_path / "odd.tflite"
        source.write_bytes(crafted.model(*edits))
        key = read_key(trust_dir / "release.key")
        return convert(source, tmp_path / "out", signer=key, expires=expiry(30), **options)

    return run


@pytest.mark.parametrize(
    ("edit", "refuses", "left", "words"),
    [
        (unknown_version, XNNPACK, TFLM, "LiteRT refuses the model: .*FULLY_CONNECTED"),
        (unknown_operator, TFLM, XNNPACK, "TFLM has no TILE"),
    ],
)
def test_the_other_family_gets_its_targets(make, trust_dir, tmp_path, edit, refuses, left, words: str):
    report = make(edit, plan=True).report
    bundle = read_bundle(tmp_path / "out")
    assert set(report.refused) == {refuses}
    assert re.match(words, report.refused[refuses])
    assert {needs.numerics for needs in bundle.manifest.targets.values()} == {left}
    assert set(bundle.manifest.golden.outputs) == {left}
    assert f"not built for {refuses}: {report.refused[refuses]}" in bundle.files[CARD_FILE].decode()
    assert bundle.manifest.lineage["refused"] == {refuses: report.refused[refuses]}
    verified = verify_bundle(bundle, read_root(trust_dir / "image-root.json"), expiry(0))
    assert set(verified.golden) == {left}


@pytest.mark.parametrize(
    ("edit", "target"), [(unknown_version, "linux-x86_64"), (unknown_operator, "cortex-m4")]
)
def test_a_target_that_was_named_is_not_left_out(make, tmp_path: Path, edit, target: str):
    with pytest.raises(RefusedError):
        make(edit, target_names=["cortex-m4", "linux-x86_64"])
    with pytest.raises(RefusedError):
        make(edit, target_names=[target])
    assert not (tmp_path / "out").exists()


def test_a_model_that_no_family_runs_is_refused(make):
    with pytest.raises(RefusedError, match="LiteRT refuses"):
        make(unknown_to_both)


def test_a_family_that_refuses_is_not_asked_again():
    asked: list[NumericsFamily] = []

    def ask(family: NumericsFamily) -> str:
        asked.append(family)
        if family is TFLM:
            raise RefusedError("no", "it will not")
        return "yes"

    willing = Willing([XNNPACK, TFLM], every=False)
    assert willing.first(ask) == "yes"
    assert willing.each(ask) == {XNNPACK: "yes"}
    assert asked == [TFLM, XNNPACK, XNNPACK]
    assert willing.refused == {TFLM: "it will not"}
