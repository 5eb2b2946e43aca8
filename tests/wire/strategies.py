"""Hypothesis strategies for wire messages, derived from their own types, and ways to spoil bytes."""

from __future__ import annotations

import json

from hypothesis import strategies as st
from msgspec import inspect as mi

from wire.manifest import Preprocessing
from wire.messages import Shadow, Telemetry
from wire.sketch import ChannelSketch

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | FINITE | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def instances(kind):
    """Valid instances of a message type."""
    return _of(mi.type_info(kind))


def _of(info):
    match info:
        case mi.StructType(cls=cls) if cls is ChannelSketch:
            return _pairs(FINITE, st.floats(0, 1e300)).flatmap(
                lambda pair: st.integers(0, 2**53).map(lambda n: ChannelSketch(n, *pair))
            )
        case mi.StructType(cls=cls) if cls is Preprocessing:
            return _pairs(FINITE, st.floats(1e-300, 1e300)).map(
                lambda pair: Preprocessing(kind="standardise-v1", mean=pair[0], std=pair[1])
            )
        case mi.StructType(cls=cls, fields=fields) if cls is Shadow:
            counts = st.tuples(*[st.integers(0, 2**51)] * 3)
            others = {f.name: _of(f.type) for f in fields if f.name in ("model", "latency_sum_us")}
            return st.tuples(counts, st.fixed_dictionaries(others)).map(
                lambda pair: Shadow(n=sum(pair[0]), disagreed=pair[0][0], errors=pair[0][1], **pair[1])
            )
        case mi.StructType(cls=cls, fields=fields) if cls is Telemetry:
            counts = st.tuples(*[st.integers(0, 2**53)] * 3).map(sorted)
            others = {f.name: _of(f.type) for f in fields if f.name not in ("correct", "labelled", "n")}
            return st.tuples(counts, st.fixed_dictionaries(others)).map(
                lambda pair: Telemetry(
                    **dict(zip(("correct", "labelled", "n"), pair[0], strict=True)), **pair[1]
                )
            )
        case mi.StructType(cls=cls, fields=fields):
            return st.fixed_dictionaries({f.name: _of(f.type) for f in fields}).map(lambda f: cls(**f))
        case mi.IntType(ge=low, le=high):
            return st.integers(low, high)
        case mi.FloatType(ge=low, gt=above, le=high):
            return st.floats(low if above is None else above, high, exclude_min=above is not None, **_FINITE)
        case mi.StrType(pattern=None, max_length=longest):
            return st.text(st.characters(exclude_categories=["Cs"]), max_size=longest or 50)
        case mi.StrType(pattern=pattern, max_length=longest):
            return st.from_regex(pattern).filter(lambda text: longest is None or len(text) <= longest)
        case mi.BoolType():
            return st.booleans()
        case mi.NoneType():
            return st.none()
        case mi.AnyType():
            return JSON
        case mi.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case mi.LiteralType(values=values):
            return st.sampled_from(values)
        case mi.UnionType(types=types):
            return st.one_of(*map(_of, types))
        case mi.ListType(item_type=item, min_length=least, max_length=most):
            return st.lists(_of(item), min_size=least or 0, max_size=min(most or 8, max(8, least or 0)))
        case mi.VarTupleType(item_type=item, min_length=least):
            return st.lists(_of(item), min_size=least or 0, max_size=max(8, least or 0)).map(tuple)
        case mi.DictType(key_type=key, value_type=value):
            return st.dictionaries(_of(key), _of(value), max_size=8)
    raise NotImplementedError(info)


_FINITE = {"allow_nan": False, "allow_infinity": False}


def _pairs(first, second):
    """Two tuples of the same length."""
    return st.lists(st.tuples(first, second), max_size=8).map(
        lambda rows: (tuple(row[0] for row in rows), tuple(row[1] for row in rows))
    )


@st.composite
def spoiled_bytes(draw, data):
    """``data`` with a few bytes changed, cut out or put in."""
    spoiled = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(spoiled)))
        length = draw(st.integers(0, 12))
        spoiled[at : at + length] = draw(st.binary(max_size=12))
    return bytes(spoiled)


@st.composite
def spoiled_json(draw, data):
    """The JSON document ``data`` with one value replaced, removed, or joined by a strange one."""
    document = json.loads(data)
    node, path = document, []
    while isinstance(node, dict | list) and node and (not path or draw(st.integers(0, 3))):
        key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        path.append((node, key))
        node = node[key]
    parent, key = path[-1]
    what = draw(st.sampled_from(["replace", "remove", "add"]))
    if what == "remove":
        del parent[key]
    elif what == "add" and isinstance(parent, dict):
        parent[draw(st.text(max_size=8))] = draw(STRANGE)
    else:
        parent[key] = draw(STRANGE)
    return document


#: What JSON allows and nobody expects; surrogates and 5,000 digits included.
STRANGE = JSON | st.sampled_from(
    [float("nan"), float("inf"), "\ud800", "a\n", 10**4000, -1, 0, True, "", {}, [], {"": {}}, [[]], "1e999"]
)


def nested(depth):
    """JSON whose lists are ``depth`` deep."""
    return b"[" * depth + b"]" * depth


def to_json(document):
    """Bytes of a document, strange values included."""
    return json.dumps(document).encode()
