from tests.firmware_sim.conftest import oracle  # noqa: F401
