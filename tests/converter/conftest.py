"""Models as others would bring them, made once a session: TensorFlow takes seconds to start."""

from pathlib import Path

import pytest

from tests.converter import foreign


@pytest.fixture(scope="session")
def foreign_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See ``tests.converter.foreign``."""
    return foreign.make(tmp_path_factory.mktemp("foreign"))
