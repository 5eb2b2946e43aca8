"""Each claim of a bundle is computed again: a signed lie is caught, and called by its name."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from converter import npu, vela, versions
from converter.bundle import Bundle, entries, read_bundle, write_bundle
from converter.latency import NoEstimate
from converter.planning.apply import PlanReport
from converter.planning.offline import with_plan
from converter.report import decode
from converter.verification import Claim, Origin, verify_bundle
from converter.verification import memory as memory_claims
from converter.verification.case import Case
from wire.errors import InputError, TrustError, WireError
from wire.manifest import CARD_FILE, MODEL_FILE, Score
from wire.states import NumericsFamily
from wire.trust import load_key

TFLM = NumericsFamily.TFLM
NOW = datetime.now(UTC).replace(microsecond=0)
ALWAYS = (
    "signature files tensors operators golden_tflm golden_xnnpack report macs arena image targets fits npu "
    "plan memory_map card"
)
WITH_SAMPLES = "scores gate float32_score"
replace = msgspec.structs.replace


def by_name(claims: list[Claim]) -> dict[str, Claim]:
    assert len({claim.name for claim in claims}) == len(claims)
    return {claim.name: claim for claim in claims}


def with_status(claims: list[Claim], status: str) -> list[str]:
    return [claim.name for claim in claims if claim.status == status]


def test_without_samples_and_source_it_says_what_to_give(honest: Bundle, root):
    claims = verify_bundle(honest, root, NOW).claims
    assert with_status(claims, "verified") == ALWAYS.split()
    assert with_status(claims, "not_checked") == [*WITH_SAMPLES.split(), "source"]
    found = by_name(claims)
    sha256 = honest.manifest.lineage["evaluation"]["sha256"]
    assert f"--eval with the file whose SHA-256 begins with {sha256[:12]}" in found["scores"].detail
    assert "--source" in found["source"].detail


def test_with_samples_and_source_nothing_is_left(honest: Bundle, root, run_folder: Path):
    verified = verify_bundle(honest, root, NOW, run_folder / "eval.npz", Origin(run_folder))
    assert with_status(verified.claims, "not_checked") == []
    assert by_name(verified.claims)["source"].detail == "run converted again, reproduced bit for bit"
    assert verified.scores == honest.manifest.evaluation.int8


def test_other_samples_are_scored_and_prove_nothing(honest: Bundle, root, run_folder: Path, tmp_path: Path):
    with np.load(run_folder / "eval.npz") as raw:
        np.savez(tmp_path / "few.npz", x=raw["x"][:50], y=raw["y"][:50])
    verified = verify_bundle(honest, root, NOW, tmp_path / "few.npz")
    assert {score.n for score in verified.scores.values()} == {50}
    assert not verified.same_samples
    assert verified.gate is None
    assert "other samples" in by_name(verified.claims)["gate"].detail


def _lies(honest: Bundle) -> dict[str, dict]:
    said, manifest = decode(honest.files["report.json"]), honest.manifest
    arena, needs = said.arena, manifest.targets["cortex-m4"]
    assert arena is not None
    nano, grove = said.fits["nano33ble"], said.fits["grove-vision-ai-v2"]
    scale = {"input": replace(manifest.input, scale=manifest.input.scale * 2)}
    targets = {**manifest.targets, "cortex-m4": replace(needs, ram_bytes=needs.ram_bytes - 16)}
    flash = {**manifest.targets, "cortex-m4": replace(needs, flash_bytes=needs.flash_bytes - 1)}
    drawn = honest.files["memory_map.svg"].replace(b"input", b"inlet")
    plan = PlanReport(
        applied=False, why="TFLM's own plan is optimal", head=arena.head, greedy_head=arena.head,
        lower_bound=arena.head - 16, optimal=False, scratch_bytes=0, before=arena, after=arena,
    )  # fmt: skip
    settings = replace(said.settings, plan=True)
    return {
        "tensors": scale,
        "operators": {"ops": [*manifest.ops, "ADD"]},
        "image ops": {"image_ops": [*manifest.image_ops, "ADD"]},
        "macs": {"report": {"macs": said.macs - 1}},
        "arena": {"report": {"arena": replace(arena, tail=arena.tail - 16)}},
        "arena confirmed": {"report": {"arena": replace(arena, confirmed_min=arena.confirmed_min + 16)}},
        "targets": {"targets": targets},
        "targets flash": {"targets": flash},
        "fits": {"report": {"fits": {**said.fits, "nano33ble": replace(nano, latency_ms=1.0)}}},
        "fits boards": {"report": {"fits": {"nano33ble": nano}}},
        "npu": {"report": {"fits": {**said.fits, "grove-vision-ai-v2": replace(grove, ram_bytes=16)}}},
        "plan": {
            "report": {"plan": plan, "settings": settings},
            "lineage": {"settings": msgspec.to_builtins(settings)},
        },
        "memory_map": {"files": {"memory_map.svg": drawn}},
        "card": {"files": {CARD_FILE: honest.files[CARD_FILE] + b"\nBest in class.\n"}},
        "report": {"report": {"version": 2}},
        "report bytes": {"report": {"bytes": said.bytes - 1}},
        "report golden": {"report": {"golden": "evaluation samples"}},
        "report settings": {"report": {"settings": replace(said.settings, max_drop=0.001)}},
        "report variants": {"report": {"variants": []}},
        "report recipe": {"report": {"recipe": replace(said.recipe, prune=0.5)}},
    }


@pytest.mark.parametrize(
    "lie",
    [
        *(
            "tensors",
            "operators",
            "image ops",
            "macs",
            "arena",
            "arena confirmed",
            "targets",
            "targets flash",
        ),
        *("fits", "fits boards", "npu", "plan", "memory_map", "card"),
        *("report", "report bytes", "report golden", "report settings", "report variants", "report recipe"),
    ],
)
def test_a_signed_lie_is_called_by_its_name(honest: Bundle, forged, root, lie: str):
    name = lie.split(maxsplit=1)[0]
    with pytest.raises(TrustError) as caught:
        verify_bundle(forged(**_lies(honest)[lie]), root, NOW)
    assert caught.value.code == f"false_{name}"
    assert caught.value.exit_code == 4


def test_a_report_with_a_word_too_many_is_false(honest: Bundle, forged, root):
    said = {**json.loads(honest.files["report.json"]), "award": "gold"}
    with pytest.raises(TrustError, match="says more than is known") as caught:
        verify_bundle(forged(files={"report.json": json.dumps(said).encode()}), root, NOW)
    assert caught.value.code == "false_report"


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000])
def test_a_malformed_report_is_a_typed_error(forged, root, text: bytes):
    with pytest.raises(WireError, match=r"report\.json"):
        verify_bundle(forged(files={"report.json": text}), root, NOW)


def test_false_scores_are_found_with_the_samples(honest: Bundle, forged, root, run_folder: Path):
    evaluation = honest.manifest.evaluation
    score = evaluation.int8[TFLM]
    better = {**evaluation.int8, TFLM: Score(n=score.n, correct=score.correct + 1)}
    lying = forged(evaluation=replace(evaluation, int8=better))
    assert by_name(verify_bundle(lying, root, NOW).claims)["scores"].status == "not_checked"
    with pytest.raises(TrustError) as caught:
        verify_bundle(lying, root, NOW, run_folder / "eval.npz")
    assert caught.value.code == "false_scores"


@pytest.mark.parametrize("field", ["confusion", "families_agree"])
def test_what_only_the_report_says_of_the_samples_is_found(
    honest: Bundle, forged, root, run_folder: Path, field: str
):
    said = decode(honest.files["report.json"])
    cells = [list(row) for row in said.confusion]
    cells[0][0] += 1
    change = {"confusion": cells, "families_agree": 0.5}[field]
    with pytest.raises(TrustError) as caught:
        verify_bundle(forged(report={field: change}), root, NOW, run_folder / "eval.npz")
    assert caught.value.code == "false_scores"


def test_a_false_float_score_is_found_with_the_samples(honest: Bundle, forged, root, run_folder: Path):
    evaluation = honest.manifest.evaluation
    score = evaluation.float32
    assert score is not None
    lying = forged(evaluation=replace(evaluation, float32=Score(n=score.n, correct=score.correct - 5)))
    with pytest.raises(TrustError) as caught:
        verify_bundle(lying, root, NOW, run_folder / "eval.npz")
    assert caught.value.code == "false_float32_score"


def _with_gate(honest: Bundle, **changes) -> dict:
    said = decode(honest.files["report.json"])
    assert said.gate is not None
    gate = replace(said.gate, **changes)
    variants = [replace(said.variants[0], families=gate.families), *said.variants[1:]]
    return {
        "report": {"gate": gate, "variants": variants},
        "lineage": {"gate": msgspec.to_builtins(gate)},
    }


def test_a_verdict_that_does_not_follow_is_false_without_samples(honest: Bundle, forged, root):
    with pytest.raises(TrustError, match="does not follow") as caught:
        verify_bundle(forged(**_with_gate(honest, shown=False)), root, NOW)
    assert caught.value.code == "false_gate"


def test_false_figures_of_the_gate_are_found_with_the_samples(honest: Bundle, forged, root, run_folder: Path):
    gate = decode(honest.files["report.json"]).gate
    assert gate is not None
    families = {family: replace(found, low=found.low - 0.001) for family, found in gate.families.items()}
    lying = forged(**_with_gate(honest, families=families))
    assert by_name(verify_bundle(lying, root, NOW).claims)["gate"].status == "not_checked"
    with pytest.raises(TrustError) as caught:
        verify_bundle(lying, root, NOW, run_folder / "eval.npz")
    assert caught.value.code == "false_gate"


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [((4, 99, 6), 0, "takes"), ((4, 100, 6), 7, "class 7"), ((4, 600), 0, "takes")],
)
def test_samples_of_another_model_are_a_typed_error(honest: Bundle, root, tmp_path: Path, x, y, words):
    np.savez(tmp_path / "other.npz", x=np.zeros(x, np.float32), y=np.full(4, y))
    with pytest.raises(InputError, match=words):
        verify_bundle(honest, root, NOW, tmp_path / "other.npz")


def test_a_report_with_a_wrong_confusion_is_no_crash(honest: Bundle, forged, root, run_folder: Path):
    lying = forged(report={"confusion": [[1, 2], [3, 4]]})
    assert "scores" in with_status(verify_bundle(lying, root, NOW).claims, "not_checked")
    with pytest.raises(TrustError) as caught:
        verify_bundle(lying, root, NOW, run_folder / "eval.npz")
    assert caught.value.code == "false_scores"


def test_a_plan_in_which_tensors_meet_is_false(honest: Bundle):
    model = honest.files[MODEL_FILE]
    buffers = memory_claims.buffers_of(Case(honest).graph)
    files = {**honest.files, MODEL_FILE: with_plan(model, {buffer.tensor: 0 for buffer in buffers})}
    with pytest.raises(TrustError, match="share bytes while both are needed") as caught:
        memory_claims.plan(Case(dataclasses.replace(honest, files=files)))
    assert caught.value.code == "false_plan"


def test_an_arena_of_another_tflm_is_not_called_false(honest: Bundle, forged, root, monkeypatch):
    arena = decode(honest.files["report.json"]).arena
    assert arena is not None
    other = forged(report={"arena": replace(arena, head=arena.head + 16, total=arena.total + 16)})
    here = versions.installed()
    monkeypatch.setattr(versions, "installed", lambda: {**here, "tflite-micro": "0.dev20300101"})
    claims = by_name(verify_bundle(other, root, NOW).claims)
    assert claims["arena"].status == "not_checked"
    assert "0.dev20300101" in claims["arena"].detail


def test_without_vela_its_figures_are_not_checked(honest: Bundle, root, monkeypatch):
    here = {name: known for name, known in versions.installed().items() if name != "ethos-u-vela"}
    monkeypatch.setattr(versions, "installed", lambda: here)
    monkeypatch.setattr(vela, "_installed", lambda: None)
    claims = by_name(verify_bundle(honest, root, NOW).claims)
    assert claims["fits"].status == "verified"
    assert claims["npu"].status == "not_checked"
    assert "tinyfleet[npu]" in claims["npu"].detail
    found = npu.costs(honest.files[MODEL_FILE])["ethos-u55-64"]
    assert isinstance(found, NoEstimate)
    assert "no vela" in found.reason


def test_another_board_catalogue_is_said(forged, root):
    claims = by_name(verify_bundle(forged(lineage={"catalogue": "0" * 64}), root, NOW).claims)
    assert claims["fits"].status == "not_checked"
    assert "another board catalogue" in claims["fits"].detail


def test_a_bundle_without_a_report_is_held_to_its_manifest(honest: Bundle, root, trust_dir, tmp_path: Path):
    files = {path: data for path, data in honest.files.items() if path != "report.json"}
    manifest = replace(honest.manifest, files=entries(files))
    key = load_key((trust_dir / "release.key").read_bytes())
    write_bundle(tmp_path / "old", manifest, files, key, NOW + timedelta(days=1))
    claims = verify_bundle(read_bundle(tmp_path / "old"), root, NOW).claims
    left = ["report", "macs", "arena", "fits", "memory_map", "card", *WITH_SAMPLES.split(), "source"]
    assert with_status(claims, "not_checked") == left
    assert by_name(claims)["targets"].status == "verified"
