from tests.device_agent.conftest import agent, broker, director, keys  # noqa: F401
