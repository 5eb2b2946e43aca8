"""What tests of the converter share."""

from collections.abc import Iterator

import pytest

from tests.models.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A child process that runs models in TFLM and LiteRT."""
    made = Sandbox()
    yield made
    made.close()
