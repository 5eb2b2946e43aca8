"""What tests of several packages share: keys, one really trained run folder, and its signed bundle."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

SHARED_MODELS = Path(__file__).parents[2] / "shared" / "models"
"""Third-party models beside the checkout; nothing of them is committed."""
EXPIRES = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@pytest.fixture(scope="session")
def trust_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``tinyfleet trust init`` makes: release.key, director.key, image-root.json, director-root.json."""
    from tinyfleet.commands.trust import init

    folder = tmp_path_factory.mktemp("trust") / "keys"
    init(folder, as_json=True)
    return folder


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the watch task: two train subjects, three epochs. Real, and not very good."""
    from trainer.network import Hyperparameters
    from trainer.training import train

    folder = tmp_path_factory.mktemp("trainer") / "run"
    train("watch", folder, groups=2, seed=7, hyper=Hyperparameters(epochs=3))
    return folder


@pytest.fixture(scope="session")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory, run_folder: Path, trust_dir: Path) -> Path:
    """The signed bundle ``watch`` v1 of ``run_folder``, for every target."""
    from converter.conversion import convert
    from wire.trust import load_key

    folder = tmp_path_factory.mktemp("converter") / "bundle"
    signer = load_key((trust_dir / "release.key").read_bytes())
    convert(run_folder, folder, signer=signer, expires=EXPIRES)
    return folder


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Third-party models; skips where they are not."""
    if not SHARED_MODELS.is_dir():
        pytest.skip("no third-party models: there is no ../shared/models beside the checkout")
    return SHARED_MODELS


#: Minutes each; what they are made of has tests of its own, and ``make soak`` does the whole.
_SLOW = ["test_demo_drift_end_to_end.py", "trainer/search/test_search_end_to_end.py"]
collect_ignore = [] if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else _SLOW
