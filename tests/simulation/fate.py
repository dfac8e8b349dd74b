"""Chance and its record: one seeded generator makes every decision, and every decision is a line of the trace."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")

RATES: Mapping[str, float] = {
    # at a point of a step: before a transaction, after it, around a call to a target
    "crash": 0.004,
    "pause": 0.12,
    "freeze": 0.006,
    # at a transaction
    "store refuses": 0.006,
    "dies in the commit": 0.006,
    "commit's answer lost": 0.006,
    # at a target
    "target away": 0.05,
    "answer lost, done": 0.04,
    "answer lost, not done": 0.03,
    "connection cut half way": 0.03,
    "connector breaks": 0.01,
    "answers missing": 0.02,
    "target slow": 0.05,
    "record: later": 0.02,
    "record: unknown, done": 0.02,
    "record: unknown, not done": 0.02,
    "probe fails": 0.1,
    # at a hint
    "hint dropped": 0.2,
    "hint late": 0.2,
    "hint twice": 0.1,
    # at a source
    "message twice": 0.08,
    "message late": 0.12,
    "sender's answer lost": 0.05,
    # to everybody
    "killed": 0.006,
    "clock jumps": 0.004,
}
"""How often each fault strikes where it can."""

BENIGN = frozenset({"pause", "hint late", "message late"})
"""What is no fault, but the way things interleave."""


@dataclass
class Fate:
    """The dice of one seed."""

    seed: int
    calm: bool = False
    """No more faults, from here on."""
    lines: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def strikes(self, fault: str) -> bool:
        """Whether this fault happens here and now."""
        if self.calm or self.dice.random() >= RATES[fault]:
            return False
        if fault not in BENIGN:
            self.faults[fault] += 1
        if fault != "pause":
            self.note(f"! {fault}")
        return True

    def one_of(self, things: Sequence[T]) -> T:
        """Any of them."""
        return self.dice.choice(things)

    def between(self, low: float, high: float) -> float:
        """Some number of seconds."""
        return self.dice.uniform(low, high)

    def note(self, line: str) -> None:
        """One more line of the trace."""
        self.lines.append(line)

    @property
    def hash(self) -> str:
        """The same for the same seed and code, in any process."""
        return sha256("\n".join(self.lines).encode()).hexdigest()
