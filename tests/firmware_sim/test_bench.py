"""``tinyfleet bench mcu``: figures beside references, and the promises that they have to keep."""

import json
import sys

import pytest

from firmware_sim import comparison, published, tables
from tests.converter import crafted
from tinyfleet import cli
from wire.errors import InputError


@pytest.fixture
def bench(monkeypatch, capsys, tmp_path):
    def run(*options):
        (tmp_path / "crafted.tflite").write_bytes(crafted.model())
        model = ["--model", str(tmp_path / "crafted.tflite")]
        monkeypatch.setattr(sys, "argv", ["tinyfleet", "bench", "mcu", *model, *options])
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            cli.main()
        return int(done.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def kws(shared_models):
    """The keyword model on a Cortex-M4 and a Cortex-M0+."""
    model = (shared_models / "kws" / "kws_ref_model.tflite").read_bytes()
    return {each.board: each for each in comparison.compare("kws", model, ("nucleo-l4r5zi", "rpi-pico"))}


def test_a_run_stands_beside_tflms_arena(bench):
    code, out, _ = bench("--board", "rpi-pico", "--json")
    assert code == 0
    (run,) = json.loads(out)["runs"]
    assert run["execution"]["bit_exact_with_tflm"] is True
    assert run["ram_to_tflm_arena"] == pytest.approx(
        run["execution"]["ram_bytes"] / run["tflm_arena"]["confirmed_min"], abs=1e-3
    )
    assert run["published"] == []


def test_flags_are_compared_and_a_page_is_renewed_between_its_marks(bench, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- tinyfleet bench mcu: begin -->\nold\n<!-- tinyfleet bench mcu: end -->\nafter\n"
    )
    code, _, _ = bench("--board", "nucleo-l4r5zi", "--flags", "--page", str(page))
    assert code == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert all(f"`{flag}`" in text for flag in comparison.FLAGS)


def test_a_page_without_marks_is_left_alone():
    with pytest.raises(InputError, match="no place for the tables"):
        tables.placed("a page", "tables")


def test_an_unknown_model_has_no_published_results():
    assert published.known_as(crafted.model()) is None
    assert published.of(crafted.model(), "cortex-m4") == ()


def test_keyword_spotting_needs_a_quarter_less_ram_than_tflms_arena(kws):
    run = kws["nucleo-l4r5zi"]
    assert run.execution.bit_exact_with_tflm
    assert run.execution.ram_bytes <= 0.75 * run.tflm_arena.confirmed_min


def test_the_runtime_is_under_24_kb(kws):
    assert all(run.execution.runtime_flash_bytes < 24 * 1024 for run in kws.values())


def test_keyword_spotting_takes_at_most_six_million_estimated_cycles_on_a_cortex_m4(kws):
    assert max(kws["nucleo-l4r5zi"].execution.cycles_estimated) <= 6_000_000


def test_keyword_spotting_is_estimated_faster_than_published_on_a_cortex_m0plus(kws):
    run = kws["rpi-pico"]
    (hale,) = run.published
    assert max(run.execution.cycles_estimated) < 0.85 * hale.cycles


def test_published_results_are_those_of_the_core(kws):
    found = {each.stack: each for each in kws["nucleo-l4r5zi"].published}
    assert found["microTVM with CMSIS-NN kernels"].latency_ms == 99.8
    assert found["TensorFlow Lite Micro, reference kernels"].latency_ms == 181.9
