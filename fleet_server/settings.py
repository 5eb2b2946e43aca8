"""The server's settings: flags over environment (``TINYFLEET_...``) over defaults."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet_server.loopback import is_loopback


class Settings(BaseSettings):
    """Everything that ``tinyfleet serve`` can be told."""

    model_config = SettingsConfigDict(env_prefix="TINYFLEET_", extra="ignore")

    data_dir: Path = Path("tinyfleet-data")
    """Database, bundles, the embedded broker's state and the admin token."""
    trust_dir: Path = Path("trust")
    """director.key, director-root.json and image-root.json, as ``tinyfleet trust init`` makes them."""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    broker_url: str | None = None
    """External broker; None starts an embedded one on the loopback interface."""
    broker_port: int = Field(default=1883, ge=0, le=65535)
    """Port of the embedded broker; 0 lets the system choose."""
    tick_s: float = Field(default=0.5, gt=0, le=60)
    """How often rollouts are looked at, seconds."""
    drift_file: Path | None = None
    """TOML file with what counts as drift; None: see fleet_server.drift.policy."""
    notify_file: Path | None = None
    """TOML file with who is told of alerts, see docs/alerts.md; None: nobody."""
    silent_after_s: float = Field(default=86400.0, ge=0)
    """A device that says nothing for so long is an alert; 0: never."""
    silent_where: str | None = None
    """A filter (docs/filters.md): which devices should never be silent for long. None: all."""
    assignment_days: int = Field(default=7, ge=1, le=365)
    """Life of a signed assignment; it is signed again when half of it is over."""

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        if is_loopback(host):
            return host
        raise ValueError(
            "only loopback addresses are served without TLS; put a TLS proxy in front and keep 127.0.0.1"
        )
