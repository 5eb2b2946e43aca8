"""What we tell people to install is what the programs accept."""

import configparser
from pathlib import Path

import boards
from device_agent.config import ProgramConfig, load_config
from wire.broker import BrokerAddress

DEPLOY = Path(__file__).parents[1] / "deploy"


def test_the_example_configuration_is_valid() -> None:
    config = load_config(DEPLOY / "agent.toml")
    assert isinstance(config.sensor, ProgramConfig)
    assert BrokerAddress.parse(config.broker).tls
    assert config.board in boards.names()


def test_the_service_keeps_its_state_where_the_configuration_says() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "tinyfleet-agent.service")
    state_dir = load_config(DEPLOY / "agent.toml").state_dir
    assert state_dir == f"/var/lib/{unit['Service']['StateDirectory']}"
    assert unit["Service"]["Type"] == "notify"


def test_every_board_names_its_source_and_leaves_room_for_two_slots() -> None:
    for name in boards.names():
        board = boards.load(name)
        assert board.source
        assert board.model_ram_bytes < board.ram_bytes
        assert 2 * board.slot_bytes < board.flash_bytes
