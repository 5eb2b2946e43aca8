"""The real vela on real models: what a board with an Ethos-U is told."""

from pathlib import Path

import msgspec

import boards
from converter import npu, vela
from converter.bundle import read_bundle
from converter.fit import fits
from converter.flatbuffer import parse
from converter.latency import NoEstimate, NpuEstimate
from converter.report import decode

BOARD, ACCELERATOR = "grove-vision-ai-v2", "ethos-u55-64"


def test_vela_compiles_a_model_of_ours(bundle_dir: Path):
    model = (bundle_dir / "model.tflite").read_bytes()
    made = vela.compile_for(model, ACCELERATOR)
    again = vela.compile_for(model, ACCELERATOR)
    assert made == again
    assert "CUSTOM ethos-u" in parse(made.model).ops
    assert made.cost.cpu_operators == 0
    assert made.cost.cycles > 0


def test_a_convolution_takes_longer_on_fewer_macs(bundle_dir: Path):
    model = (bundle_dir / "model.tflite").read_bytes()
    cycles = [vela.compile_for(model, f"ethos-u55-{macs}").cost.cycles for macs in (32, 64, 128)]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > cycles[-1]


def test_fit_and_latency_are_of_the_compiled_file(bundle_dir: Path):
    bundle = read_bundle(bundle_dir)
    found = decode(bundle.files["report.json"]).fits[BOARD]
    board, cost = boards.load(BOARD), vela.compile_for(bundle.files["model.tflite"], ACCELERATOR).cost
    report = decode(bundle.files["report.json"])
    assert report.arena is not None
    assert found.npu == cost
    assert found.ram_bytes == cost.sram_bytes + report.arena.tail
    stored = bundle.manifest.targets["cortex-m55"].flash_bytes
    vectors = stored - len(bundle.files["model.tflite"])
    assert found.flash_bytes == cost.file_bytes + vectors + (board.runtime_flash_bytes or 0)
    assert isinstance(found.latency, NpuEstimate)
    assert found.latency_ms == round(cost.cycles / 400_000, 3)
    assert found.latency.system_config == "Ethos_U55_High_End_Embedded"


def test_published_figures_of_kws(shared_models: Path):
    model = (shared_models / "kws/kws_ref_model.tflite").read_bytes()
    cost = vela.compile_for(model, "ethos-u55-128").cost
    assert (cost.macs, cost.sram_bytes, cost.npu_operators, cost.cpu_operators) == (2_664_792, 22_192, 39, 0)


def test_only_wanted_boards_are_compiled_for(bundle_dir: Path, monkeypatch):
    model = (bundle_dir / "model.tflite").read_bytes()
    monkeypatch.setattr(vela, "compile_for", lambda *_args, **_options: 1 / 0)
    assert npu.costs(model, ["cortex-m4"]) == {}


def test_a_model_that_no_runtime_takes_has_no_cost(bundle_dir: Path):
    model = (bundle_dir / "model.tflite").read_bytes()
    cost = vela.compile_for(model, ACCELERATOR).cost
    family = boards.load(BOARD).numerics
    found = fits(parse(model), len(model), 4_672, {family: "float inside"}, npu={ACCELERATOR: cost})[BOARD]
    assert (found.ok, found.reason, found.npu, found.latency_ms) == (False, "float inside", None, None)


def test_no_vela_leaves_the_core_and_a_reason(bundle_dir: Path, monkeypatch):
    monkeypatch.setattr(vela, "_installed", lambda: None)
    model = (bundle_dir / "model.tflite").read_bytes()
    costs = npu.costs(model)
    found = fits(parse(model), len(model), 4_672, npu=costs)[BOARD]
    assert isinstance(costs[ACCELERATOR], NoEstimate)
    assert found.ok
    assert found.ram_bytes == 4_672
    assert isinstance(found.latency, NoEstimate)
    assert "pip install 'tinyfleet[npu]'" in found.latency.reason


def test_what_does_not_fit_by_vela_is_refused(bundle_dir: Path):
    model = (bundle_dir / "model.tflite").read_bytes()
    cost = vela.compile_for(model, ACCELERATOR).cost
    large = msgspec.structs.replace(cost, sram_bytes=2**20)
    found = fits(parse(model), len(model), 4_672, npu={ACCELERATOR: large}, tail_bytes=16)[BOARD]
    assert not found.ok
    assert found.reason == ("needs 1,048,592 bytes of RAM for the arena, grove-vision-ai-v2 leaves 1,048,576")
