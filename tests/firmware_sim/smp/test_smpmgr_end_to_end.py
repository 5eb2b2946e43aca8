"""smpmgr, smpclient and imgtool as their users have them, against a board started as a user would."""

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
from smp import message
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.mcuboot import IMAGE_TLV, ImageInfo
from smpclient.requests.image_management import _ImageGroupBase
from smpclient.transport.udp import SMPUDPTransport

from converter.execution import execute
from tests.device_agent.tiny_model import INPUT_SHAPE
from tests.firmware_sim.smp.wrapping import BIN, NEW, OLD, free_address, image, wrap
from wire.states import NumericsFamily

WINDOWS = np.random.default_rng(6).integers(-128, 128, (8, *INPUT_SHAPE), dtype=np.int8)


class InferResponse(message.WriteResponse):
    _GROUP_ID: ClassVar = 84
    _COMMAND_ID: ClassVar = 0
    output: bytes


class Infer(message.WriteRequest, _ImageGroupBase):
    _GROUP_ID: ClassVar = 84
    _COMMAND_ID: ClassVar = 0
    _Response: ClassVar = InferResponse
    input: bytes


class Board:
    """A process of ``tinyfleet sim board``, and what smpmgr says of it."""

    def __init__(self, address):
        self.address = address

    def smpmgr(self, *words):
        command = [str(BIN / "smpmgr"), "--ip", self.address, "--timeout", "20", *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env={"COLUMNS": "200"}
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert "Error" not in done.stdout
        return done.stdout

    def active(self):
        """Version and confirmation of the image that answers."""
        states = self.smpmgr("image", "state-read").split("ImageState(")[1:]
        (state,) = [text for text in states if "active=True" in text]
        return state.split("version='")[1].split("'")[0], "confirmed=True" in state

    def outputs(self, windows):
        return asyncio.run(self._outputs(windows))

    async def _outputs(self, windows):
        async with SMPClient(SMPUDPTransport(mtu=8000), self.address, timeout_s=20) as client:
            answers = [await client.request(Infer(input=window.tobytes())) for window in windows]
        assert all(map(success, answers))
        return b"".join(answer.output for answer in answers)


@contextmanager
def powered(model_file, board):
    address = free_address()
    command = [sys.executable, "-m", "tinyfleet", "sim", "board", str(model_file), "--board", board]
    process = subprocess.Popen([*command, "--smp", address], stderr=subprocess.PIPE, text=True)
    try:
        lines = iter(process.stderr.readline, "")
        assert any("listens at" in line for line in lines), "the board did not start"
        yield Board(address)
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stderr.close()


def update(board, file):
    """Upload, mark for a test, reset."""
    board.smpmgr("image", "upload", file)
    tried(board, file)


def tried(board, file):
    sha256 = ImageInfo.load_file(str(file)).get_tlv(IMAGE_TLV.SHA256).value
    board.smpmgr("image", "state-write", sha256.hex())
    board.smpmgr("os", "reset")


def test_end_to_end_smpmgr_uploads_tests_confirms_and_resets(tmp_path):
    flashed = tmp_path / "old.tflite"
    flashed.write_bytes(OLD)
    signed = wrap(tmp_path, image(NEW), "2.0.0")
    old, new = [execute(NumericsFamily.TFLM, model, WINDOWS).outputs.tobytes() for model in (OLD, NEW)]
    with powered(flashed, "rpi-pico") as board:
        assert "hello" in board.smpmgr("os", "echo", "hello")
        assert board.outputs(WINDOWS) == old
        update(board, signed)
        assert board.outputs(WINDOWS) == new
        board.smpmgr("os", "reset")
        assert board.outputs(WINDOWS) == old
        tried(board, signed)
        board.smpmgr("image", "state-write", "--confirm")
        board.smpmgr("os", "reset")
        assert board.active() == ("2.0.0", True)
        assert board.outputs(WINDOWS) == new


def test_end_to_end_smpmgr_finishes_a_broken_upload(tmp_path):
    flashed = tmp_path / "old.tflite"
    flashed.write_bytes(OLD)
    signed = wrap(tmp_path, image(NEW), "2.0.0")
    data = signed.read_bytes()
    with powered(flashed, "nano33ble") as board:
        offset = asyncio.run(first_piece(board.address, data))
        assert 0 < offset < len(data)
        board.smpmgr("image", "upload", signed)
        assert "version='2.0.0'" in board.smpmgr("image", "state-read")


async def first_piece(address, data):
    """smpclient's upload, broken off after its first piece."""
    async with SMPClient(SMPUDPTransport(mtu=600), address, timeout_s=20) as client:
        return await anext(client.upload(data))


def test_end_to_end_a_keyword_spotter_arrives_by_smpmgr_and_answers_bit_exactly(shared_models, tmp_path):
    model = (shared_models / "kws" / "kws_ref_model.tflite").read_bytes()
    windows = np.random.default_rng(7).integers(-128, 128, (4, 49, 10, 1), dtype=np.int8)
    flashed = tmp_path / "old.tflite"
    flashed.write_bytes(OLD)
    with powered(flashed, "nucleo-l4r5zi") as board:
        update(board, wrap(tmp_path, image(model), "7.0.0"))
        assert board.active() == ("7.0.0", False)
        assert board.outputs(windows) == execute(NumericsFamily.TFLM, model, windows).outputs.tobytes()
