"""The cycle table beside a board: CMSIS-NN's kernels, counted here, against microTVM with them there."""

import pytest

from firmware_sim import cmsis_check, cmsis_code, cycles
from tests.converter import crafted
from wire.errors import InputError, RefusedError


@pytest.fixture(scope="module")
def kws(shared_models):
    return cmsis_check.check("kws", (shared_models / "kws" / "kws_ref_model.tflite").read_bytes())


def test_the_other_kernels_give_tflite_micros_bytes(kws):
    assert kws.bit_exact_with_tflm


def test_the_estimate_is_as_far_from_the_board_as_the_table_says(kws):
    assert kws.published_ms == 99.8
    assert f"{kws.ratio:.2f}" in cycles.table_of("cortex-m4").error
    assert kws.cycles_low < kws.cycles_estimated < kws.cycles_high


def test_a_model_without_a_published_result_is_refused():
    with pytest.raises(RefusedError, match="no published result for mine"):
        cmsis_check.check("mine", crafted.model())


def test_an_operator_that_is_not_checked_is_refused_by_name():
    from converter.image.graph import read

    def to_fill(tree):
        tree.operatorCodes[0].builtinCode = tree.operatorCodes[0].deprecatedBuiltinCode = 94

    with pytest.raises(RefusedError, match="FILL"):
        cmsis_code.code(read(crafted.model(to_fill)))


def test_without_the_kernels_package_the_error_names_it(monkeypatch):
    monkeypatch.setattr(cmsis_check.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="bakenn is not installed"):
        cmsis_check._vendor()
