"""A step of strided copies, after filling the output where they leave gaps: all that moves values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from converter.image.graph import Array, Node, Tensor
from converter.image.operands import int8_only, loops
from converter.image.step import Places, Step
from converter.image.view import offset

KIND: Final = 9
_AXES: Final = 5
"""Of the firmware's loops over one copy."""


class Copy(NamedTuple):
    """From a part of one tensor to a part of another, as views (view.py) of the same shape."""

    source: Tensor
    taken: Array
    target: Tensor
    given: Array


class _Piece(NamedTuple):
    """A copy as the firmware has it."""

    source: Tensor
    target: Tensor
    taken_at: int
    given_at: int
    words: list[int]
    """Counts, steps in the source, steps in the target."""

    @property
    def stays(self) -> bool:
        """Whether it would change nothing if both tensors were at one place."""
        taken, given = self.words[_AXES : 2 * _AXES], self.words[2 * _AXES :]
        return self.taken_at == self.given_at and taken == given


def copies(node: Node, moves: Sequence[Copy], fill: int | None = None) -> Step:
    """The step; ``fill`` is for outputs that the copies do not cover. RefusedError."""
    int8_only(node, *(move.source for move in moves), *node.outputs)
    if any(move.taken.shape != move.given.shape for move in moves):
        raise node.refused(f"has an output of {node.output.shape} that does not follow from its operands")
    pieces = [_piece(node, move) for move in moves if move.taken.size]
    made = node.output

    def words(places: Places) -> list[int]:
        rest = [piece for piece in pieces if not (piece.stays and _together(places, piece))]
        filled = [] if fill is None else [made.size, fill]
        return [
            places.tensor(made.index),
            *(filled or [0, 0]),
            len(rest),
            *(word for piece in rest for word in _words(places, piece)),
        ]

    computed = tuple(dict.fromkeys(piece.source.index for piece in pieces if piece.source.values is None))
    alone = len(pieces) == 1 and pieces[0].stays and fill is None
    return Step(
        kind=KIND,
        name=node.name,
        reads=computed,
        writes=tuple(tensor.index for tensor in node.outputs),
        words=words,
        over=computed if alone and pieces[0].source.size == made.size else (),
    )


def _piece(node: Node, move: Copy) -> _Piece:
    try:
        found = loops(move.given.shape, [move.taken.strides, move.given.strides], _AXES)
    except ValueError as error:
        raise node.refused(str(error)) from error
    words = [word for row in found for word in row]
    return _Piece(move.source, move.target, offset(move.taken), offset(move.given), words)


def _together(places: Places, piece: _Piece) -> bool:
    """Whether both tensors are at one place."""
    return piece.source.values is None and places.tensor(piece.source.index) == places.tensor(
        piece.target.index
    )


def _words(places: Places, piece: _Piece) -> list[int]:
    target = places.tensor(piece.target.index) + piece.given_at
    if piece.source.values is None:
        return [places.tensor(piece.source.index) + piece.taken_at, target, *piece.words]
    return [~(places.constant(piece.source.values) + piece.taken_at), target, *piece.words]
