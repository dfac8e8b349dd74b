"""Runs seeds: each history from an empty store to its end, what went wrong in it, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import sqlalchemy as sa
import structlog

from nave.core.store import Store, open_store
from nave.core.store.schema import metadata
from nave.workers import keep
from tests.simulation.healing import heal
from tests.simulation.history import History
from tests.simulation.worker import Time

TAIL = 40
"""Lines of the trace that a failure shows."""


@dataclass(frozen=True)
class Outcome:
    """What became of one seed."""

    seed: int
    wrong: tuple[str, ...]
    messages: int
    faults: Mapping[str, int]
    hash: str
    tail: tuple[str, ...]

    def told(self) -> str:
        """For a person: what broke, the end of the trace, and how to run it again."""
        shown = "\n".join([f"seed {self.seed}: {len(self.wrong)} promises broken", *self.wrong[:5], "", *self.tail])
        return f"{shown}\n\nreplay: python -m tests.simulation --seed {self.seed} --trace"


@contextmanager
def memory_store() -> Iterator[Store]:
    """A store that many seeds use, one after the other."""
    store = open_store("sqlite://")
    try:
        yield store
    finally:
        store.close()


def run(store: Store, seed: int) -> tuple[Outcome, list[str]]:
    """One history, and its whole trace."""
    _empty(store)
    time = Time()
    with _silent(), _steady(time):
        history = History(store, seed, time)
        try:
            history.trouble()
            if not history.wrong:
                history.wrong += heal(history)
        except Exception as error:
            history.wrong.append(f"the simulation itself: {type(error).__name__}: {error}")
        finally:
            history.end()
    fate = history.fate
    wrong = tuple(dict.fromkeys(history.wrong))
    outcome = Outcome(seed, wrong, len(history.ledger.said), dict(fate.faults), fate.hash, tuple(fate.lines[-TAIL:]))
    return outcome, fate.lines


def _empty(store: Store) -> None:
    with store.write() as tx:
        for table in metadata.tables.values():
            tx.execute(sa.delete(table))


@contextmanager
def _steady(time: Time) -> Iterator[None]:
    """What a process takes for the time since its start is the simulation's too."""

    def now() -> float:
        return time.now

    with mock.patch.object(keep, "steady", new=now):
        yield


@contextmanager
def _silent() -> Iterator[None]:
    """The hub's log of a thousand faults is of no use here: the trace says it all."""
    before = structlog.get_config()
    structlog.configure(processors=[_dropped])
    try:
        yield
    finally:
        structlog.configure(**before)


def _dropped(_logger: object, _name: str, _event: object) -> str:
    raise structlog.DropEvent
