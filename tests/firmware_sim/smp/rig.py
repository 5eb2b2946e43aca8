"""A board in this process, asked by the messages of the client's library."""

import hashlib

import numpy as np
from smp import image_management, os_management

import boards
from firmware_sim.smp.answers import Answers
from firmware_sim.smp.board import SimulatedBoard
from firmware_sim.smp.frame import parse
from tests.device_agent.tiny_model import INPUT_SHAPE
from tests.firmware_sim.smp.wrapping import OLD, image

BOARD = "nano33ble"
WINDOWS = np.random.default_rng(5).integers(-128, 128, (6, 1, *INPUT_SHAPE), dtype=np.int8)


class Asked:
    """One board and what it answers; ``reset`` is what the server does after the answer to a reset."""

    def __init__(self, model=OLD, key=None, board=None, flash=None):
        self.board = SimulatedBoard(board or boards.load(BOARD), image(model), key, flash)
        self.answers = Answers(self.board)

    def ask(self, request, response):
        return response.loads(self.answers.answer(parse(request.BYTES)))

    def states(self):
        return self.ask(
            image_management.ImageStatesReadRequest(), image_management.ImageStatesReadResponse
        ).images

    def piece(self, off, data, response=image_management.ImageUploadWriteResponse, **fields):
        return self.ask(image_management.ImageUploadWriteRequest(off=off, data=data, **fields), response)

    def upload(self, data, size=500, begin=0):
        sha = hashlib.sha256(data).digest()
        answer = self.piece(begin, data[begin : begin + size], len=len(data), sha=sha)
        while answer.off < len(data):
            answer = self.piece(answer.off, data[answer.off : answer.off + size])
        return answer

    def mark(self, sha256=None, confirm=False, response=image_management.ImageStatesWriteResponse):
        request = image_management.ImageStatesWriteRequest(hash=sha256, confirm=confirm)
        return self.ask(request, response)

    def reset(self):
        self.ask(os_management.ResetWriteRequest(), os_management.ResetWriteResponse)
        assert self.answers.reset_wanted
        self.answers.restart()

    def outputs(self):
        return b"".join(self.board.infer(window.tobytes()) for window in WINDOWS)


def refused(code):
    """The class that reads an error of the image group, and what it must say."""
    return image_management.ImageManagementErrorV2, image_management.IMG_MGMT_ERR[code]
