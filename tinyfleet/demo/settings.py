"""What the demo runs with."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from wire.errors import InputError

Scenario = Literal["rollouts", "drift"]
_MARKER: Final = ".tinyfleet-demo"


@dataclass(frozen=True)
class DemoSettings:
    """One demo: its folder, its size and its pace."""

    folder: Path
    port: int
    seed: int = 1
    scenario: Scenario = "rollouts"
    mcus: int = 20
    agents: int = 2
    rate_hz: float = 10.0
    """Windows per second and device: the data are of 1 window a second, replayed faster."""
    report_every_s: float = 2.0
    soak_s: float = 4.0
    deadline_s: float = 60.0
    watch_s: float = 30.0
    """Soak of the stages whose accuracy is compared: 300 answers a device."""
    control: float = 0.4
    """Share of those stages that stays on the old version: a small fleet needs much of it to compare with."""
    drift_deg: float = 50.0
    """By how much the watches turn on their wrists when they slip."""
    remount_deg: float = 45.0
    """In the scenario ``drift``: by how much some sensors are put back otherwise."""
    remount_share: float = 0.45
    """Of the microcontrollers: two in five of all devices."""
    look_s: float = 10.0
    """Of the drift detector: a hundred windows a device."""
    max_old_drop: float = 0.05
    """Of accuracy on the old data, when a version is trained for the new."""
    samples: int = 32
    """Raw windows that each device keeps to be asked for."""

    @property
    def trust(self) -> Path:
        """Keys and roots."""
        return self.folder / "trust"

    @property
    def url(self) -> str:
        """The dashboard's address."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, version: int) -> Path:
        """Run folder of a version."""
        return self.folder / "runs" / f"watch-v{version}"

    def bundle(self, version: int) -> Path:
        """Bundle of a version; in the scenario ``drift``, retraining makes v5."""
        if self.scenario == "drift" and version == 5:
            return self.folder / "retrained" / "bundle"
        return self.folder / "bundles" / f"watch-v{version}"


def prepare_folder(folder: Path) -> Path:
    """An empty folder for the demo; a former demo's is emptied, anything else is left alone."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise InputError(
            "folder_in_use", f"{folder} is not empty and not a former demo", "give another --dir"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARKER).touch()
    return folder.absolute()


def free_port(wanted: int) -> int:
    """``wanted``, or a free one when it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise InputError("no_port", "no free port on the loopback interface", "close something")
