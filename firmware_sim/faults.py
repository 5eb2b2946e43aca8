"""What goes wrong in a simulated fleet, all of it by choice and by seed."""

from __future__ import annotations

from typing import NamedTuple

from firmware_sim.weak_link import Weakness
from firmware_sim.worn_sensor import Wear


class Faults(NamedTuple):
    """Nothing, without being asked."""

    power_cuts: float = 0.0
    """Probability with which the power goes at a flash operation, or inside it."""
    clock_skew_s: float = 0.0
    """Each device's clock is wrong by a constant, up to so much in either direction."""
    wear: Wear = Wear()
    wear_at_signal: bool = False
    """The wear sets in at SIGUSR1, on all devices at once, instead of at the start."""
    wear_share: float = 1.0
    """Share of the devices whose sensors wear, spread evenly over boards and wearers."""
    link: Weakness = Weakness()
