"""What a board answers to each request of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from firmware_sim.smp.board import SimulatedBoard
from firmware_sim.smp.frame import MAX_MESSAGE_BYTES, Request, reply
from firmware_sim.smp.image_group import Body, ImageGroup, ImageRefusedError
from firmware_sim.smp.messages import IMAGE_GROUP, MODEL_GROUP, OS_GROUP, Echo, Error, Infer, Info
from wire.errors import FleetError

_READ, _WRITE = False, True


class Answers:
    """Of one board; ``reset_wanted`` is for whoever has sent the answer to a reset."""

    def __init__(self, board: SimulatedBoard) -> None:
        self.reset_wanted = False
        self._board = board
        self._images = ImageGroup(board)
        self._known: Final[dict[tuple[bool, int, int], Callable[[Request], Body]]] = {
            (_READ, OS_GROUP, 0): _echo,
            (_WRITE, OS_GROUP, 0): _echo,
            (_WRITE, OS_GROUP, 5): self._reset,
            (_READ, OS_GROUP, 6): lambda _: {"buf_size": MAX_MESSAGE_BYTES, "buf_count": 1},
            (_READ, OS_GROUP, 7): self._info,
            (_READ, OS_GROUP, 8): lambda _: {"bootloader": "tinyfleet"},
            (_READ, IMAGE_GROUP, 0): lambda _: self._images.states(),
            (_WRITE, IMAGE_GROUP, 0): self._images.set_state,
            (_WRITE, IMAGE_GROUP, 1): self._images.upload,
            (_WRITE, IMAGE_GROUP, 5): self._images.erase,
            (_WRITE, MODEL_GROUP, 0): self._infer,
        }

    def answer(self, request: Request) -> bytes:
        """Always an answer: the result, or the error in the form of the request's version."""
        known = self._known.get((request.write, request.group, request.command))
        if known is None:
            return reply(request, {"rc": int(Error.NOT_SUPPORTED)})
        try:
            return reply(request, known(request))
        except ImageRefusedError as refused:
            if request.version == 0:
                return reply(request, {"rc": int(Error.INVALID), "rsn": refused.message})
            return reply(request, {"err": {"group": request.group, "rc": int(refused.error)}})
        except FleetError as error:
            return reply(request, {"rc": int(Error.INVALID), "rsn": error.message})

    def restart(self) -> None:
        """Reset the board; what was half uploaded is forgotten."""
        self.reset_wanted = False
        self._images.forget()
        self._board.reset()

    def _reset(self, _request: Request) -> Body:
        self.reset_wanted = True
        return {}

    def _info(self, request: Request) -> Body:
        board = self._board.board
        said = {"s": "tinyfleet", "n": board.name, "p": board.target, "i": board.title}
        wanted = request.read(Info).format
        return {"output": " ".join(said[letter] for letter in said if letter in wanted or wanted == "a")}

    def _infer(self, request: Request) -> Body:
        return {"output": self._board.infer(request.read(Infer).input)}


def _echo(request: Request) -> Body:
    return {"r": request.read(Echo).d}
