"""How a kind of fault is driven: a function of a seed and a folder that does one round and says what came of it.

A module of this folder that brings kinds has a tuple `DRIVERS`; `__main__.py` names the modules.

    def _round(seed: int, folder: Path) -> Round: ...
    DRIVERS = (Driver("clock-jump", _round),)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Round:
    """What one round tried, and every promise that it saw broken."""

    count: int
    problems: list[str] = field(default_factory=list)
    failed: int | None = None
    """How many of `count` failed; one per problem where it is not said."""
    detail: dict[str, Any] = field(default_factory=dict)
    also: dict[str, int] = field(default_factory=dict)
    """Other kinds that this round tried on the way, and how often."""


@dataclass(frozen=True, slots=True)
class Driver:
    """One kind of `report.KINDS` (or a new one), and what does one round of it."""

    kind: str
    run: Callable[[int, Path], Round]
    where: str = "sqlite"
    """What it ran on; kinds with several drivers take turns."""
    available: Callable[[], bool] = lambda: True
    """False where a server or a command is missing."""
