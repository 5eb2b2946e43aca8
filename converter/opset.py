"""The operators that TFLM resolves: what tflite-micro's wheel answers when it is asked for each.

``tests/converter/test_opset.py`` asks the installed wheels again and compares.
"""

from __future__ import annotations

from typing import Final

#: Builtin operators by name, with the highest version that LiteRT's definitions know. TFLM itself looks
#: at no version.
BUILTINS: Final[dict[str, int]] = {
    "ADD": 6, "AVERAGE_POOL_2D": 3, "CONCATENATION": 7, "CONV_2D": 8, "DEPTHWISE_CONV_2D": 7,
    "DEPTH_TO_SPACE": 2, "DEQUANTIZE": 9, "EMBEDDING_LOOKUP": 5, "FLOOR": 1, "FULLY_CONNECTED": 14,
    "L2_NORMALIZATION": 2, "L2_POOL_2D": 1, "LOGISTIC": 3, "MAX_POOL_2D": 3, "MUL": 8, "RELU": 3,
    "RELU6": 3, "RESHAPE": 1, "RESIZE_BILINEAR": 4, "SOFTMAX": 4, "SPACE_TO_DEPTH": 2, "SVDF": 4, "TANH": 3,
    "PAD": 6, "GATHER": 8, "BATCH_TO_SPACE_ND": 4, "SPACE_TO_BATCH_ND": 4, "TRANSPOSE": 9, "MEAN": 3,
    "SUB": 5, "DIV": 2, "SQUEEZE": 2, "UNIDIRECTIONAL_SEQUENCE_LSTM": 4, "STRIDED_SLICE": 8, "EXP": 2,
    "SPLIT": 5, "LOG_SOFTMAX": 2, "CAST": 9, "PRELU": 1, "MAXIMUM": 4, "ARG_MAX": 3, "MINIMUM": 4,
    "LESS": 3, "NEG": 1, "PADV2": 6, "GREATER": 2, "GREATER_EQUAL": 3, "LESS_EQUAL": 2, "SLICE": 8,
    "SIN": 2, "TRANSPOSE_CONV": 5, "EXPAND_DIMS": 1, "EQUAL": 5, "NOT_EQUAL": 4, "LOG": 2, "SUM": 2,
    "SQRT": 2, "RSQRT": 3, "SHAPE": 1, "ARG_MIN": 3, "REDUCE_MAX": 3, "PACK": 5, "LOGICAL_OR": 1,
    "LOGICAL_AND": 1, "LOGICAL_NOT": 1, "UNPACK": 6, "REDUCE_MIN": 3, "FLOOR_DIV": 3, "SQUARE": 1,
    "ZEROS_LIKE": 1, "FILL": 5, "FLOOR_MOD": 2, "RESIZE_NEAREST_NEIGHBOR": 4, "LEAKY_RELU": 2,
    "SQUARED_DIFFERENCE": 2, "MIRROR_PAD": 3, "ABS": 5, "SPLIT_V": 3, "CEIL": 1, "REVERSE_V2": 4,
    "ADD_N": 1, "GATHER_ND": 6, "COS": 2, "ELU": 1, "QUANTIZE": 6, "ROUND": 1, "HARD_SWISH": 1, "IF": 1,
    "WHILE": 1, "SELECT_V2": 2, "BATCH_MATMUL": 4, "CUMSUM": 1, "CALL_ONCE": 1, "BROADCAST_TO": 4,
    "REDUCE_ALL": 1, "VAR_HANDLE": 1, "READ_VARIABLE": 1, "ASSIGN_VARIABLE": 1, "BROADCAST_ARGS": 1,
    "DYNAMIC_UPDATE_SLICE": 6,
}  # fmt: skip
#: Custom operators that are part of TFLM (``python_ops_resolver``); with BUILTINS and Ethos-U's, which
#: resolves nothing on a host, these are its 118 registrations.
CUSTOM: Final = frozenset({
    "CIRCULAR_BUFFER", "SignalDelay", "SignalEnergy", "SignalFftAutoScale", "SignalFilterBank",
    "SignalFilterBankLog", "SignalFilterBankSpectralSubtraction", "SignalFilterBankSquareRoot",
    "SignalFramer", "SignalIrfft", "SignalOverlapAdd", "SignalPCAN", "SignalRfft", "SignalStacker",
    "SignalWindow", "TFLM_DECODE", "TFLite_Detection_PostProcess",
})  # fmt: skip
CONTROL_FLOW: Final = frozenset({"IF", "WHILE", "CALL_ONCE"})
