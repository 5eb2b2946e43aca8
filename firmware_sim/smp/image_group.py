"""The image group: what the slots hold, uploads, and which image the next reset tries."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.smp import mcuboot, messages
from firmware_sim.smp.board import SimulatedBoard
from firmware_sim.smp.boot import Pending, confirm, try_next
from firmware_sim.smp.frame import Request
from firmware_sim.smp.messages import ImageError
from firmware_sim.smp.upload import Upload
from wire.errors import FleetError, RefusedError, WireError

Body = Mapping[str, object]


class ImageRefusedError(RefusedError):
    """Told to the client as an error of the image group."""

    def __init__(self, error: ImageError, message: str) -> None:
        super().__init__(error.name.lower(), message, "see docs/flashing.md")
        self.error = error


class ImageGroup:
    """Of one board."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self._upload: Upload | None = None

    def forget(self) -> None:
        """An upload that is under way, as a reset does."""
        self._upload = None

    def states(self) -> Body:
        """Of each slot with a sound image."""
        return {"images": [state for slot in range(2) if (state := self._state(slot))]}

    def set_state(self, request: Request) -> Body:
        """Test or confirm; answers with the states."""
        wanted = request.read(messages.StateWrite)
        slots = self._board.slots
        if wanted.hash is None and not wanted.confirm:
            raise WireError("malformed", "a test needs the image's hash", "see: image state-read")
        slot = slots.record.active if wanted.hash is None else self._slot_of(wanted.hash)
        if slot != slots.record.active:
            if slots.record.other_is_needed:
                raise ImageRefusedError(ImageError.IMAGE_ALREADY_PENDING, "an update is under way")
            slots.record = try_next(slots.record, permanent=wanted.confirm)
        elif wanted.confirm:
            slots.record = confirm(slots.record)
        else:
            raise ImageRefusedError(ImageError.TEST_TO_ACTIVE_DENIED, "that image answers already")
        return self.states()

    def upload(self, request: Request) -> Body:
        """Take a piece; answers with the offset that is wanted next."""
        piece = request.read(messages.Upload)
        if piece.off == 0:
            self._begin(piece)
        upload = self._upload
        if upload is None:
            # As after a reset: the client begins again.
            return {"off": 0}
        if upload.offset == piece.off and piece.off + len(piece.data) > upload.length:
            raise ImageRefusedError(ImageError.IMAGE_DATA_OVERRUN, "more than the length that was announced")
        upload.take(piece.off, piece.data)
        if not upload.complete:
            return {"off": upload.offset}
        self._upload = None
        self._board.end_upload(upload)
        return {"off": upload.offset} | ({} if upload.matches is None else {"match": upload.matches})

    def erase(self, request: Request) -> Body:
        """The slot that does not answer, unless it is needed."""
        if request.read(messages.Erase).slot not in {None, self._board.record.other}:
            raise ImageRefusedError(ImageError.INVALID_SLOT, "only the slot that does not answer")
        self._check_free()
        self._upload = None
        self._board.erase()
        return {}

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

    def _slot_of(self, sha256: bytes) -> int:
        for slot in range(2):
            state = self._state(slot)
            if state is not None and state["hash"] == sha256:
                return slot
        raise ImageRefusedError(ImageError.HASH_NOT_FOUND, "no slot has a sound image of that hash")

    def _begin(self, piece: messages.Upload) -> None:
        if piece.image != 0:
            raise ImageRefusedError(ImageError.INVALID_SLOT, "there is one image, 0")
        if not piece.len:
            raise ImageRefusedError(ImageError.INVALID_LENGTH, "the first piece needs the image's length")
        if piece.len > self._board.slots.slot_bytes:
            raise ImageRefusedError(ImageError.IMAGE_TOO_LARGE, "the image is larger than a slot")
        if not mcuboot.is_wrapped(piece.data):
            raise ImageRefusedError(ImageError.INVALID_IMAGE_HEADER_MAGIC, "not an image of MCUboot's")
        self._check_free()
        known = self._upload
        if known is None or piece.sha is None or (known.sha256, known.length) != (piece.sha, piece.len):
            self._upload = self._board.begin_upload(piece.len, piece.sha)

    def _check_free(self) -> None:
        if self._board.record.other_is_needed:
            raise ImageRefusedError(ImageError.NO_FREE_SLOT, "the other slot is needed: confirm or reset")
