"""How a connector is pointed at the kit's peer: one small value per way of using it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nave.connectors.conformance.behaviours import Text
from nave.core.protocols import Raw


@dataclass(frozen=True, slots=True)
class At:
    """Where the peer of one run is."""

    host: str
    port: int
    seconds: float
    """What the connector's time limits are to be set to."""
    folder: Path
    """The hub's folder for this run."""
    name: str = "conform"
    """Different in each run: for tables, queues and folders of its own."""

    @property
    def url(self) -> str:
        """The peer's address, for HTTP."""
        return f"http://{self.host}:{self.port}"


Options = Callable[[At], Mapping[str, Any]]
"""The options as a hub's files would hold them."""


@dataclass(frozen=True, slots=True)
class SinkWay:
    """One way of sending."""

    name: str
    title: Text
    connection: Options
    options: Options
    keyed: bool = True
    """The peer takes an idempotency key once only; false: each request that reaches it has an effect."""
    probes: bool = False
    """The options say how to ask for a record."""
    names: bool = False
    """Answers hold a key of the peer's own, and the receipt is to have it."""
    begins: int = 0
    """How many calls go well before the peer misbehaves; only where the kit is the peer."""
    cannot: Mapping[str, Text] = field(default_factory=dict)
    """Names of behaviours that make no sense here, and why; only where the kit is the peer."""
    settles: float = 0.0
    """Seconds that what the peer took may need until it is seen: mail is delivered behind the answer."""


def by_code(record: Raw) -> tuple[str, str]:
    """Code and name of a record that the peer's list gave."""
    return str(record.get("code")), str(record.get("name"))


@dataclass(frozen=True, slots=True)
class SourceWay:
    """One way of reading."""

    name: str
    title: Text
    connection: Options
    options: Options
    told: Callable[[Raw], tuple[str, str]] = by_code
    """(code, name) of a record as the source gave it."""
    begins: int = 1
    """How many calls go well before the peer misbehaves."""
    again: bool = False
    """What was not taken is still there: a read that ends before all is here is followed by another."""
