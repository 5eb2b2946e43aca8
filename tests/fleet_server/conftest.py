"""A fleet server on loopback with small signed bundles. The server never runs a model, so any bytes do."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from fleet_server.app import create_app
from fleet_server.director import open_director
from fleet_server.fleet import Fleet
from fleet_server.registry import open_registry
from fleet_server.settings import Settings
from fleet_server.store import Store
from tests.fleet_server.site import Site
from tinyfleet.bench import small_bundle
from wire import trust
from wire.trust import Artifact

EXPIRES = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trust folder as ``tinyfleet trust init`` makes it."""
    folder = tmp_path_factory.mktemp("trust")
    release, director = trust.new_key(), trust.new_key()
    (folder / "release.key").write_bytes(release)
    (folder / "director.key").write_bytes(director)
    release_key, director_key = trust.load_key(release), trust.load_key(director)
    (folder / "image-root.json").write_bytes(trust.make_root(release_key, release_key.public_key, EXPIRES))
    (folder / "director-root.json").write_bytes(
        trust.make_root(release_key, director_key.public_key, EXPIRES)
    )
    return folder


Bundle = tuple[Artifact, dict[str, bytes]]


@pytest.fixture(scope="session")
def make_bundle(keys: Path) -> Callable[..., Bundle]:
    """``make_bundle(version, ram_bytes=...)`` -> (artifact, files)."""
    key = trust.load_key((keys / "release.key").read_bytes())

    def make(version: int = 1, **how: Any) -> Bundle:
        return small_bundle.make_bundle(version, key, EXPIRES, **how)

    return make


@pytest.fixture
def settings(tmp_path: Path, keys: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", trust_dir=keys, broker_port=0, tick_s=0.05)


@pytest.fixture
def fleet(settings: Settings) -> Iterator[Fleet]:
    """A running server with an embedded broker."""
    running = Fleet(settings).start()
    yield running
    running.stop()


@pytest.fixture
def site(tmp_path: Path, keys: Path, make_bundle: Callable) -> Iterator[Site]:
    store = Store(tmp_path / "fleet.db")
    director = open_director(keys, timedelta(days=7))
    yield Site(store, director, open_registry(store, tmp_path, keys), make_bundle)
    store.close()


@pytest.fixture
def client(fleet: Fleet) -> Iterator[httpx.Client]:
    """A client with the admin token, of a real server on a free port."""
    server = uvicorn.Server(uvicorn.Config(create_app(fleet), port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the HTTP server ended"
        assert time.monotonic() < deadline, "the HTTP server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    token = fleet.token_file.read_text().strip()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as opened:
        yield opened
    server.should_exit = True
    thread.join()
