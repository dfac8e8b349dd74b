"""Keeps a loop from knocking again where its login was refused: the account behind it may be locked after a few tries."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import BaseModel, SecretStr

from nave.core import stops
from nave.core.clock import Clock, steady
from nave.core.errors import LoginError, NaveError
from nave.core.stops import Stop
from nave.core.store import Store

_log = structlog.get_logger()
_SELDOM = 5
"""Whoever was let in needs to know of no other process's trouble at once."""

Mark = Callable[[str | None], str]
"""What tells a configuration from others: a new mark for None, or one to compare with an old mark."""


def unmarked(_old: str | None) -> str:
    """For flows without a configuration: all are alike."""
    return ""


def mark_of(*options: BaseModel | None) -> Mark:
    """The mark of a connection and its options, secrets among them, which nobody can read out of it again."""

    def mark(old: str | None) -> str:
        salt = old.partition(":")[0] if old else secrets.token_hex(16)
        text = json.dumps([one.model_dump() if one else None for one in options], default=_plain, sort_keys=True)
        return f"{salt}:{hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**13, r=8, p=1, dklen=16).hex()}"

    return mark


def _plain(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


@dataclass
class Turnstile:
    """Lets the one thread of a flow through, or not. Errors of the store are the caller's."""

    store: Store
    clock: Clock
    flow: str
    mark: Mark = unmarked
    look: float = 1.0
    """Seconds between two looks into the store while it is stopped; else it is looked more seldom."""
    _found: Stop | None = field(default=None, init=False)
    _looked: float = field(default=float("-inf"), init=False)
    _trying: bool = field(default=False, init=False)
    _unwritten: NaveError | None = field(default=None, init=False)

    def wait(self) -> float:
        """Seconds after which it is worth to ask again; 0 to go on."""
        if self._unwritten is not None:
            self._write(self._unwritten)
        first = self._looked == float("-inf")
        if first or steady() - self._looked >= (self.look if self._found else _SELDOM * self.look):
            self._look(first)
        return 0.0 if self._found is None or self._trying else max(self.look, 0.01)

    def refuse(self, error: LoginError) -> None:
        """Its login was refused."""
        _log.error("flow.stopped", flow=self.flow, reason=str(error), minutes=round(stops.PAUSE_SECONDS / 60))
        self._unwritten = error
        with suppress(NaveError):  # a store that is away: before the next try it is written all the same
            self._write(error)

    def welcome(self) -> None:
        """It was let in."""
        if self._found is not None:
            with self.store.write() as tx:
                stops.go_on(tx, self.flow)
            _log.warning("flow.resumed", flow=self.flow)
            self._found, self._trying = None, False

    def _write(self, error: NaveError) -> None:
        with self.store.write() as tx:
            stops.stop(tx, self.flow, error, self.mark(None), self.clock())
        self._unwritten, self._trying, self._looked = None, False, steady()
        self._found = self._stored()

    def _look(self, first: bool) -> None:
        self._looked = steady()
        self._found = self._stored()
        if self._found is None or self._trying:
            self._trying = self._trying and self._found is not None
            return
        if first and (new := self.mark(self._found.mark)) != self._found.mark:
            with self.store.write() as tx:
                stops.let_try(tx, self.flow, new)
        self._try()

    def _try(self) -> None:
        found = self._stored()
        if found is not None and found.until <= self.clock():
            with self.store.write() as tx:
                self._trying = stops.take_try(tx, self.flow, self.clock())

    def _stored(self) -> Stop | None:
        with self.store.read() as tx:
            return next(iter(stops.stopped(tx, [self.flow])), None)
