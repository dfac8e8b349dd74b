"""The values that travel while a batch is taken in: what came, for which entity, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from nave.core.clock import Ids
from nave.core.entities import Document, EntityType
from nave.core.identity import IdentityRules
from nave.core.merge import Survivorship


@dataclass(frozen=True)
class EntityRules:
    """All that decides how records of one entity become golden ones, and who hears of it."""

    type: EntityType
    identity: IdentityRules = field(default_factory=IdentityRules)
    survivorship: Survivorship = field(default_factory=Survivorship)
    sinks: tuple[str, ...] = ()
    every_version: bool = False


class Candidate(NamedTuple):
    """One mapped, valid record of one system, as it comes out of the journal."""

    key: str
    version: str
    changed_at: float
    hash: bytes
    text: str
    document: Document
    """What `text` says, typed or plain: they encode alike."""
    journal_id: int
    arrival: int
    place: int
    """Its number in what it came in: of two statements of one batch, the later one is the newer."""
    nth: int
    """Where it stands in its batch, from 0."""
    raw_hash: bytes | None = None
    """Of its raw form, under its mapping; one that is as it was by this alone comes without text and document."""


class Overtaken(Exception):
    """A record that was known to be unchanged is not any more: another worker was at it."""


class Counts(NamedTuple):
    """What became of the records of a batch."""

    applied: int = 0
    unchanged: int = 0
    superseded: int = 0


class Taken(NamedTuple):
    """The outcome of one batch: counts, by journal entry, and the sinks that have work now."""

    counts: Mapping[int, Counts]
    sinks: frozenset[str]


Name = tuple[str, str]
"""(system, key)"""


class Known(NamedTuple):
    record_id: int
    version: str
    arrival: int
    place: int
    hash: bytes


def digest(text: str) -> bytes:
    """What change detection compares: 16 bytes of the document's one JSON text."""
    return blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True)
class Intake:
    """One batch of one source on its way in."""

    rules: EntityRules
    system: str
    source: str
    now: float
    ids: Ids

    @property
    def entity(self) -> str:
        return self.rules.type.name
