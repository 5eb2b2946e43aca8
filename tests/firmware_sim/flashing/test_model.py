"""What is flashed of a bundle: its image where it has one, else what its model compiles to."""

from types import SimpleNamespace

import pytest

from firmware_sim.flashing import model
from tests.firmware_sim.smp.wrapping import NEW, OLD, image
from wire.errors import NotFoundError, WireError


def bundle(monkeypatch, **files):
    named = {name.replace("_", "."): data for name, data in files.items()}
    monkeypatch.setattr(model, "read_bundle", lambda _: SimpleNamespace(files=named))


def test_a_bundles_image_is_taken_as_it_is(monkeypatch, tmp_path):
    bundle(monkeypatch, model_tflite=OLD, model_img=image(NEW))
    assert model.read_image(tmp_path) == image(NEW)


def test_without_one_its_model_is_compiled(monkeypatch, tmp_path):
    bundle(monkeypatch, model_tflite=OLD)
    assert model.read_image(tmp_path) == image(OLD)


def test_a_damaged_image_is_refused(tmp_path):
    file = tmp_path / "model.img"
    file.write_bytes(image(OLD)[:-4] + b"\0\0\0\0" + b"\1")
    with pytest.raises(WireError, match="damaged"):
        model.read_image(file)


def test_no_model_at_all_is_not_found(tmp_path):
    with pytest.raises(NotFoundError):
        model.read_image(tmp_path / "none.tflite")
