"""Random SVDF and LSTM layers, as their converters would write them."""

from __future__ import annotations

import numpy as np

from tests.firmware_sim.model_builder import ModelBuilder

_GATES = 4


def int8s(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.integers(-127, 128, shape, np.int8)


def svdf(
    random: np.random.Generator,
    *,
    batch: int,
    inputs: int,
    units: int,
    rank: int,
    memory: int,
    state: str = "int16",
    state_zero: int = 0,
    spread: float = 1.0,
) -> bytes:
    """``spread``: how far outputs reach, in units of their range."""
    builder, filters = ModelBuilder(), units * rank
    given = builder.tensor((batch, inputs), 0.05, int(random.integers(-128, 128)))
    reach = 32767 if state == "int16" else 127
    kept_scale = 0.05 * 0.01 * 74 * 74 * inputs**0.5 / reach / spread * 3
    weights = builder.constant(int8s(random, filters, inputs), 0.01)
    high = 32767 if state == "int16" else 127
    time_values = random.integers(-high, high + 1, (filters, memory)).astype(state)
    time_scale = 0.5 / high
    time = builder.constant(time_values, time_scale)
    unit = np.float32(kept_scale) * np.float32(time_scale)
    bias = builder.constant(random.integers(-1000, 1000, units, np.int32), float(unit))
    kept = builder.tensor((batch, filters * memory), kept_scale, state_zero, dtype=state, variable=True)
    out_scale = kept_scale * reach * 0.3 * (rank * memory) ** 0.5 / 127 / spread
    made = builder.tensor((batch, units), out_scale, int(random.integers(-128, 128)))
    builder.op("SVDF", [given, weights, time, bias, kept], [made], "SVDFOptions", rank=rank)
    return builder.finish(given, made)


def lstm(
    random: np.random.Generator,
    *,
    batch: int,
    steps: int,
    inputs: int,
    units: int,
    time_major: bool = False,
    cell_power: int = -11,
    clip: float = 0.0,
    spread: float = 1.0,
) -> bytes:
    """``spread``: how far gates reach, in units of sigmoid's range of 8."""
    builder = ModelBuilder()
    shape = (steps, batch) if time_major else (batch, steps)
    given = builder.tensor((*shape, inputs), 0.05, int(random.integers(-128, 128)))
    given_scale = spread / (0.05 * 74 * 74 * inputs**0.5)
    kept_scale, recurrent_scale = 1 / 128, spread / (1 / 128 * 74 * 74 * units**0.5)
    operands = [given]
    operands += [builder.constant(int8s(random, units, inputs), given_scale) for _ in range(_GATES)]
    operands += [builder.constant(int8s(random, units, units), recurrent_scale) for _ in range(_GATES)]
    operands += [-1] * 3
    for _ in range(_GATES):
        bias = random.integers(-20000, 20000, units, np.int32)
        operands.append(builder.constant(bias, 0.05 * given_scale))
    hidden_zero = int(random.integers(-20, 20))
    operands += [-1] * 2
    operands.append(builder.tensor((batch, units), kept_scale, hidden_zero, variable=True))
    operands.append(builder.tensor((batch, units), 2.0**cell_power, 0, dtype="int16", variable=True))
    operands += [-1] * 4
    made = builder.tensor((*shape, units), kept_scale, hidden_zero)
    builder.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        operands,
        [made],
        "UnidirectionalSequenceLSTMOptions",
        fusedActivationFunction=4,
        timeMajor=time_major,
        cellClip=clip,
    )
    return builder.finish(given, made)
