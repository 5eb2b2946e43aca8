"""What tests of the converter share, made once a session: TensorFlow takes seconds to start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.converter import foreign
from tests.models.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A child process that runs models in TFLM and LiteRT."""
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture(scope="session")
def foreign_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models as others would bring them; see ``tests.converter.foreign``."""
    return foreign.make(tmp_path_factory.mktemp("foreign"))
