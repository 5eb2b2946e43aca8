"""TFLM's fixed-point arithmetic in whole numbers, for what is computed when an image is compiled.

Sources: tensorflow/lite/kernels/internal/quantization_util.cc, gemmlowp/fixedpoint/fixedpoint.h.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

INT32_MAX: Final = 2**31 - 1
INT32_MIN: Final = -(2**31)


class Multiplier(NamedTuple):
    """``scale * 2**(shift - 31)``."""

    scale: int
    """Q31 significand, 0 or from 2**30."""
    shift: int


def multiplier(real: float) -> Multiplier:
    """QuantizeMultiplier: the nearest fixed-point number to ``real`` >= 0."""
    if real == 0.0:
        return Multiplier(0, 0)
    fraction, shift = math.frexp(real)
    scale = round_away(fraction * 2**31)
    if scale == 2**31:
        scale, shift = 2**30, shift + 1
    return Multiplier(0, 0) if shift < -31 else Multiplier(scale, shift)


def round_away(value: float) -> int:
    """C's ``round``: halves away from zero."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def activation_range(activation: int, scale: float, zero: int) -> tuple[int, int]:
    """Least and largest int8 under a fused activation (schema: ActivationFunctionType); ValueError if other.

    CalculateActivationRangeQuantized: the bounds are rounded in float32.
    """

    def quantised(value: float) -> int:
        return zero + round_away(float(np.float32(value) / np.float32(scale)))

    bounds = {
        0: (None, None),
        1: (0.0, None),
        2: (-1.0, 1.0),
        3: (0.0, 6.0),
    }
    if activation not in bounds:
        raise ValueError(f"fused activation {activation}")
    low, high = bounds[activation]
    return (
        -128 if low is None else max(-128, quantised(low)),
        127 if high is None else min(127, quantised(high)),
    )


def saturated(value: int) -> int:
    """``value`` as an int32."""
    return max(INT32_MIN, min(INT32_MAX, value))


def multiply_high(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul."""
    return INT32_MAX if a == b == INT32_MIN else (a * b + 2**30) >> 31


def divide_by_power(value: int, exponent: int) -> int:
    """RoundingDivideByPOT: halves away from zero."""
    mask = (1 << exponent) - 1
    half = (mask >> 1) + (value < 0)
    return (value >> exponent) + ((value & mask) > half)


_INTERVAL_END: Final = 1895147668
"""exp(-1/8), Q31."""
_THIRD: Final = 715827883
_POWERS: Final = (
    (-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242),
)  # fmt: skip
"""k and exp(-2**k), Q31."""
_FRACTION_BITS: Final = 26
"""Of the argument: 5 integer bits."""


def exp_of_negative(raw: int) -> int:
    """exp_on_negative_values: ``raw`` <= 0 in Q5.26, the result in Q31."""
    if raw == 0:
        return INT32_MAX
    quarter = 1 << (_FRACTION_BITS - 2)
    within = (raw & (quarter - 1)) - quarter
    result = _exp_within(saturated(within << 5))
    rest = within - raw
    for power, factor in _POWERS:
        if rest & (1 << (_FRACTION_BITS + power)):
            result = multiply_high(result, factor)
    return result


def _exp_within(raw: int) -> int:
    """Taylor's series around -1/8, for [-1/4, 0) in Q31."""
    x = raw + (1 << 28)
    x2 = multiply_high(x, x)
    x3 = multiply_high(x2, x)
    x4 = multiply_high(x2, x2)
    higher = divide_by_power(multiply_high(divide_by_power(x4, 2) + x3, _THIRD) + x2, 1)
    return saturated(_INTERVAL_END + multiply_high(_INTERVAL_END, x + higher))
