from collections.abc import Iterator

import pytest

from tests.device_agent.conftest import agent, broker, director, keys  # noqa: F401
from tests.firmware_sim.oracle import Oracle


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """tflite-micro, in a child process."""
    made = Oracle()
    yield made
    made.close()
