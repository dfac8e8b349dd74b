"""The simulation as one kind of `make faults`: rounds of fifty seeds."""

from __future__ import annotations

from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.simulation.campaign import simulate

_SEEDS = 50


def _round(seed: int, _folder: Path) -> Round:
    found = simulate(range(seed * 10_000, seed * 10_000 + _SEEDS))
    wrong = [f"seed {one.seed}: {one.wrong[0]}" for one in found if one.wrong]
    messages, faults = sum(one.messages for one in found), sum(sum(one.faults.values()) for one in found)
    return Round(_SEEDS, wrong, detail={"messages": messages, "faults": faults})


DRIVERS = (Driver("simulation", _round),)
