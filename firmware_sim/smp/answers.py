"""What a board answers to each request of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from firmware_sim.smp import mcuboot
from firmware_sim.smp.board import SimulatedBoard
from firmware_sim.smp.boot import Pending, confirm, try_next
from firmware_sim.smp.frame import MAX_MESSAGE_BYTES, Request, reply
from firmware_sim.smp.messages import (
    IMAGE_GROUP,
    MODEL_GROUP,
    OS_GROUP,
    Echo,
    Erase,
    Error,
    ImageError,
    Infer,
    Info,
    StateWrite,
    Upload,
)
from firmware_sim.smp.upload import Upload as Session
from wire.errors import FleetError, RefusedError, WireError

Body = Mapping[str, object]
_READ, _WRITE = False, True


class ImageRefusedError(RefusedError):
    """Told to the client as an error of the image group."""

    def __init__(self, error: ImageError, message: str) -> None:
        super().__init__(error.name.lower(), message, "see docs/flashing.md")
        self.error = error


class Answers:
    """Of one board; ``reset_wanted`` is for whoever has sent the answer to a reset."""

    def __init__(self, board: SimulatedBoard) -> None:
        self.reset_wanted = False
        self._board = board
        self._upload: Session | None = None
        self._known: Final[dict[tuple[bool, int, int], Callable[[Request], Body]]] = {
            (_WRITE, OS_GROUP, 0): lambda request: {"r": request.read(Echo).d},
            (_READ, OS_GROUP, 0): lambda request: {"r": request.read(Echo).d},
            (_WRITE, OS_GROUP, 5): self._reset,
            (_READ, OS_GROUP, 6): lambda _: {"buf_size": MAX_MESSAGE_BYTES, "buf_count": 1},
            (_READ, OS_GROUP, 7): self._info,
            (_READ, OS_GROUP, 8): lambda _: {"bootloader": "tinyfleet"},
            (_READ, IMAGE_GROUP, 0): lambda _: self._states(),
            (_WRITE, IMAGE_GROUP, 0): self._set_state,
            (_WRITE, IMAGE_GROUP, 1): self._take,
            (_WRITE, IMAGE_GROUP, 5): self._erase,
            (_WRITE, MODEL_GROUP, 0): lambda request: {
                "output": self._board.infer(request.read(Infer).input)
            },
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
        self._upload = None
        self._board.reset()

    def _reset(self, _request: Request) -> Body:
        self.reset_wanted = True
        return {}

    def _info(self, request: Request) -> Body:
        said = {
            "s": "tinyfleet",
            "n": self._board.board.name,
            "p": self._board.board.target,
            "i": self._board.board.title,
        }
        wanted = request.read(Info).format
        return {"output": " ".join(said[letter] for letter in said if letter in wanted or wanted == "a")}

    def _states(self) -> Body:
        return {"images": [state for slot in range(2) if (state := self._state(slot))]}

    def _state(self, slot: int) -> dict[str, object] | None:
        try:
            image = self._board.image(slot)
        except FleetError:
            return None
        record = self._board.record
        active = slot == record.active
        pending = not active and record.pending is not Pending.NOTHING
        return {
            "slot": slot,
            "version": image.version,
            "hash": image.sha256,
            "bootable": True,
            "active": active,
            # While the active one is on trial, the other is what stays.
            "confirmed": record.confirmed if active else not record.confirmed,
            "pending": pending,
            "permanent": pending and record.pending is Pending.PERMANENT,
        }

    def _set_state(self, request: Request) -> Body:
        wanted = request.read(StateWrite)
        slots = self._board.slots
        slot = slots.record.active if wanted.hash is None else self._slot_of(wanted.hash)
        if wanted.hash is None and not wanted.confirm:
            raise WireError("malformed", "a test needs the image's hash", "see: image state-read")
        if slot == slots.record.active:
            if not wanted.confirm:
                raise ImageRefusedError(ImageError.TEST_TO_ACTIVE_DENIED, "that image answers already")
            slots.record = confirm(slots.record)
        else:
            if slots.record.other_is_needed:
                raise ImageRefusedError(ImageError.IMAGE_ALREADY_PENDING, "an update is under way")
            slots.record = try_next(slots.record, permanent=wanted.confirm)
        return self._states()

    def _slot_of(self, sha256: bytes) -> int:
        for state in (self._state(0), self._state(1)):
            if state is not None and state["hash"] == sha256:
                return int(str(state["slot"]))
        raise ImageRefusedError(ImageError.HASH_NOT_FOUND, "no slot has a sound image of that hash")

    def _take(self, request: Request) -> Body:
        piece = request.read(Upload)
        if piece.off == 0:
            self._begin(piece)
        session = self._upload
        if session is None:
            # As after a reset: the client begins again.
            return {"off": 0}
        if session.offset == piece.off and piece.off + len(piece.data) > session.length:
            raise ImageRefusedError(ImageError.IMAGE_DATA_OVERRUN, "more than the length that was announced")
        session.take(piece.off, piece.data)
        if not session.complete:
            return {"off": session.offset}
        self._upload = None
        return {"off": session.offset} | ({} if session.matches is None else {"match": session.matches})

    def _begin(self, piece: Upload) -> None:
        self._check_first(piece)
        session = self._upload
        goes_on = session is not None and piece.sha is not None
        if session is not None and goes_on and (session.sha256, session.length) == (piece.sha, piece.len):
            return
        self._upload = Session(self._board.slots, self._board.record.other, piece.len or 0, piece.sha)

    def _check_first(self, piece: Upload) -> None:
        if piece.image != 0:
            raise ImageRefusedError(ImageError.INVALID_SLOT, "there is one image, 0")
        if not piece.len:
            raise ImageRefusedError(ImageError.INVALID_LENGTH, "the first piece needs the image's length")
        if piece.len > self._board.slots.slot_bytes:
            raise ImageRefusedError(ImageError.IMAGE_TOO_LARGE, "the image is larger than a slot")
        if not mcuboot.is_wrapped(piece.data):
            raise ImageRefusedError(ImageError.INVALID_IMAGE_HEADER_MAGIC, "not an image of MCUboot's")
        if self._board.record.other_is_needed:
            raise ImageRefusedError(ImageError.NO_FREE_SLOT, "the other slot is needed: confirm or reset")

    def _erase(self, request: Request) -> Body:
        record = self._board.record
        slot = request.read(Erase).slot
        if slot not in {None, record.other}:
            raise ImageRefusedError(ImageError.INVALID_SLOT, "only the slot that does not answer")
        if record.other_is_needed:
            raise ImageRefusedError(ImageError.NO_FREE_SLOT, "the other slot is needed: confirm or reset")
        self._upload = None
        self._board.slots.erase(record.other)
        return {}
