from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device_agent.agent_rig import Agent, Broker, Director
from tests.device_agent.small_bundle import Keys
from wire.states import Presence


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not on PATH")
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "trust")


@pytest.fixture
def director(broker: Broker, keys: Keys) -> Iterator[Director]:
    director = Director(broker, keys)
    director.server(Presence.ONLINE)
    yield director
    director.close()


@pytest.fixture
def agent(tmp_path: Path, keys: Keys, broker: Broker) -> Iterator[Agent]:
    agent = Agent(tmp_path, keys, broker)
    yield agent
    agent.stop()
