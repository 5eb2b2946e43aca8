"""What is said of a memory plan: the file carries it, it is valid, and planning again gains the same."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from converter import memory_map
from converter.bundle import Bundle, read_bundle
from converter.conversion import convert
from converter.flatbuffer import parse
from converter.planning.buffers import buffers_of
from converter.planning.offline import with_plan
from converter.planning.placement import greedy
from converter.report import decode
from converter.verification import Claim, memory, verify_bundle
from converter.verification.case import Case
from tests.converter.chain import BOUND, GREEDY, chain
from wire.errors import TrustError
from wire.manifest import MODEL_FILE
from wire.trust import load_key

NOW = datetime.now(UTC).replace(microsecond=0)
replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def make(trust_dir: Path, tmp_path_factory):
    """``make(model)`` -> its bundle with the best plan that was found."""

    def run(model: bytes) -> Bundle:
        folder = tmp_path_factory.mktemp("planned")
        (folder / "m.tflite").write_bytes(model)
        key = load_key((trust_dir / "release.key").read_bytes())
        later = NOW + timedelta(days=1)
        target = ["cortex-m4"]
        convert(folder / "m.tflite", folder / "b", signer=key, expires=later, target_names=target, plan=True)
        return read_bundle(folder / "b")

    return run


@pytest.fixture(scope="module")
def planned(make) -> Bundle:
    return make(chain())


def status(claims: list[Claim], name: str) -> str | None:
    return next((claim.status for claim in claims if claim.name == name), None)


def plan_claim(claims: list[Claim]) -> Claim:
    return next(claim for claim in claims if claim.name == "plan")


def test_a_plan_that_gains_is_found_again(planned: Bundle, root):
    said = decode(planned.files["report.json"]).plan
    assert said is not None
    assert said.applied
    claim = plan_claim(verify_bundle(planned, root, NOW).claims)
    assert claim.status == "verified"
    assert (said.head, said.greedy_head) == (BOUND, GREEDY)
    assert claim.detail.startswith("head 864 of greedy 1,152, lower bound 864, planned again")
    assert "overlaps nothing" in claim.detail
    assert status(verify_bundle(planned, root, NOW).claims, "arena_before") is None
    text = planned.files["model_card.md"].decode()
    assert f"| head by TFLM's own (greedy) plan | {said.greedy_head:,} |" in text
    assert memory_map.FILE in planned.files


@pytest.mark.parametrize(
    "field", ["head", "greedy_head", "lower_bound", "optimal", "identical", "why", "before"]
)
def test_each_figure_of_a_plan_is_computed_again(planned: Bundle, forged, root, field: str):
    said = decode(planned.files["report.json"]).plan
    assert said is not None
    lies = {
        "optimal": not said.optimal,
        "why": "by magic",
        "before": replace(said.before, confirmed_min=said.before.confirmed_min + 1600),
    }
    lie = lies[field] if field in lies else getattr(said, field) + 16
    with pytest.raises(TrustError) as caught:
        verify_bundle(forged(of=planned, report={"plan": replace(said, **{field: lie})}), root, NOW)
    assert caught.value.code == "false_plan"


def test_a_head_that_no_plan_of_tflm_gives_is_left_to_the_source(planned: Bundle, forged, root):
    said = decode(planned.files["report.json"]).plan
    assert said is not None
    before = replace(said.before, head=said.before.head + 1600)
    claims = verify_bundle(
        forged(of=planned, report={"plan": replace(said, before=before)}), root, NOW
    ).claims
    assert status(claims, "arena_before") == "not_checked"


def test_a_plan_that_is_not_in_the_file_is_false(planned: Bundle):
    bare = with_plan(planned.files[MODEL_FILE], {})
    bundle = dataclasses.replace(planned, files={**planned.files, MODEL_FILE: bare})
    with pytest.raises(TrustError, match="does not carry the plan") as caught:
        memory.plan(Case(bundle))
    assert caught.value.code == "false_plan"


def test_a_source_with_a_plan_of_its_own(make, root):
    model = chain()
    loose = {tensor: offset + 64 for tensor, offset in greedy(buffers_of(parse(model))).items()}
    claims = verify_bundle(make(with_plan(model, loose)), root, NOW).claims
    assert (status(claims, "plan"), status(claims, "arena_before")) == ("verified", "not_checked")
