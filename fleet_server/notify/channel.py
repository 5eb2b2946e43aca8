"""What a way of telling people is to the sender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fleet_server.notify.routing import Routing
from wire.errors import LinkError
from wire.messages import AlertNotice


class Channel(Protocol):
    """One way; it may be asked again for what it has done already."""

    @property
    def routing(self) -> Routing:
        """What it is told, and how patiently."""

    @property
    def shown(self) -> str:
        """Where it leads, without anything secret."""

    @property
    def batch(self) -> int:
        """Most notices of one message."""

    async def send(self, notices: Sequence[AlertNotice]) -> str:
        """Send them; returns what is to be known besides. LinkError when they may not have arrived."""


def failure(why: str) -> LinkError:
    """That a channel did not take a notice; ``why`` must hold nothing secret."""
    return LinkError("not_delivered", why[:240], "it is tried again")
