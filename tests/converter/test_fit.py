"""Fit per board: reasons with figures, latency only where there is data."""

from pathlib import Path

import boards
from converter import latency
from converter.fit import Fit, fits, to_json
from converter.flatbuffer import Graph, Model, Operator, Tensor, parse
from wire.states import NumericsFamily

TFLM = NumericsFamily.TFLM


def dense(inputs: int = 64) -> Model:
    shapes = [(1, inputs), (10, inputs), (1, 10)]
    spans = [None, (0, 10 * inputs), None]
    tensors = tuple(
        Tensor(index=i, shape=shape, dtype="INT8", span=span, scales=(), zero_points=())
        for i, (shape, span) in enumerate(zip(shapes, spans, strict=True))
    )
    return Model((Graph(tensors, (Operator("FULLY_CONNECTED", (0, 1), (2,)),), (0,), (2,), "i", "o"),), 0)


def test_a_small_model_fits_everywhere_and_every_board_is_judged():
    found = fits(dense(), 2_000, 1_500)
    assert sorted(found) == boards.names()
    assert all(fit.ok for fit in found.values())
    pico = found["rpi-pico"]
    assert pico.ram_bytes == 1_500
    assert pico.flash_bytes == 2_000 + 163_840
    assert pico.reason == "leaves 137,764 bytes of RAM and 522,288 bytes of a slot"


def test_what_is_in_the_way_is_said_in_figures():
    found = fits(dense(), 300_000, 131_073)
    small = found["nano33ble"]
    assert not small.ok
    assert small.reason == (
        "needs 131,073 bytes of RAM for the arena, nano33ble leaves 131,072; "
        "needs 300,000 bytes of flash for the model, a slot of nano33ble has 262,144"
    )
    assert found["nucleo-l4r5zi"].ok
    assert fits(dense(), 262_144, 131_072)["nano33ble"].ok
    assert not fits(dense(), 262_144, 131_072, slot_bytes={TFLM: 262_145})["nano33ble"].ok


def test_a_refused_model_fits_no_board_of_that_family():
    found = fits(dense(), 2_000, None, {TFLM: "TFLM has no operator WHERE"})
    for fit in found.values():
        assert fit.ok is (fit.numerics is not TFLM)
    assert found["rpi-pico"].reason == "TFLM has no operator WHERE"
    assert found["rpi-pico"].latency_ms is None
    unmeasured = fits(dense(), 2_000, None)["rpi-pico"]
    assert not unmeasured.ok
    assert "arena is not known" in unmeasured.reason


def test_latency_is_null_with_a_reason_where_nothing_was_published():
    found = fits(dense(), 2_000, 1_500)
    for name, core in (("esp32-s3", "xtensa-lx7"), ("rpi-4", "linux-aarch64"), ("linux-pc", "linux-x86_64")):
        took = found[name].latency
        assert found[name].latency_ms is None
        assert isinstance(took, latency.NoEstimate)
        assert core in took.reason
    assert found["nucleo-h7a3zi"].latency_ms is not None


def test_json_has_the_keys_that_are_read():
    data = to_json(fits(dense(), 2_000, 1_500))
    for fit in data.values():
        assert {"ok", "reason", "flash_bytes", "ram_bytes", "latency_ms"} <= set(fit)
    assert data["nano33ble"]["latency"]["stack"] == "hale-1.2"
    assert data["esp32-s3"]["latency"].keys() == {"kind", "reason"}
    assert set(Fit.__struct_fields__) == set(data["rpi-4"])


def test_third_party_models_on_boards(shared_models: Path):
    model = (shared_models / "ic/pretrainedResnet_quant.tflite").read_bytes()
    found = fits(parse(model), len(model), 55_984)
    assert found["nano33ble"].ok
    assert not fits(parse(model), len(model), 586_880)["rpi-pico-2"].ok
    published_ms = 1000 / 5.539
    estimate = found["nucleo-l4r5zi"].latency
    assert isinstance(estimate, latency.Estimate)
    assert estimate.low_ms <= published_ms <= estimate.high_ms
