"""The values that travel while a batch is taken in: what came, for which entity, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from nave.core.clock import Ids
from nave.core.entities import Document, EntityType
from nave.core.identity import IdentityRules, Name
from nave.core.merge import Contribution, Survivorship
from nave.core.opinions import Tree, contribution
from nave.core.periods import Closed

EVERY = "*"
"""In place of a system: all of them."""


@dataclass(frozen=True)
class EntityRules:
    """All that decides how records of one entity become golden ones, and who hears of it."""

    type: EntityType
    identity: IdentityRules = field(default_factory=IdentityRules)
    survivorship: Survivorship = field(default_factory=Survivorship)
    sinks: tuple[str, ...] = ()
    every_version: bool = False
    writes: Mapping[str, Tree] = field(default_factory=dict)
    """By sink, what its target is written, for targets that are heard as well: an echo is no opinion."""
    once: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By sink, what of that its target is written only when a record is made there."""
    puts_away: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By sink, what its target shows otherwise of a row that is put away because its record became part of another."""
    shows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By sink, the systems whose keys its mapping reads, for sinks of which that is known; `EVERY` where it may be all."""
    placeholders: bool = False
    """Whether its records go out before all they name is there."""
    escalate: float | None = None
    """Seconds after which a person hears of a record that still waits."""
    closed: Closed | None = None
    """The period in which its records are not told again for what others became."""


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
    opinion: str | None = None
    """What of the document is the system's own, as it is stored, where not all of it is."""

    @property
    def counts(self) -> Document:
        """What of the document counts for who it is."""
        return self.document if self.opinion is None else self.contribution("").identifies

    def contribution(self, system: str) -> Contribution:
        """What of the document counts for the golden record."""
        return contribution(system, self.key, self.changed_at, self.document, self.opinion)


class Overtaken(Exception):
    """A record that was known to be unchanged is not any more: another worker was at it."""


class Counts(NamedTuple):
    """What became of the records of a batch."""

    applied: int = 0
    unchanged: int = 0
    superseded: int = 0


class Doubt(NamedTuple):
    """What a new record may have been made by: a create at this sink, of this golden record, whose outcome is not known."""

    sink: str
    record_id: int


class Taken(NamedTuple):
    """The outcome of one batch: counts, by journal entry, and the sinks that have work now."""

    counts: Mapping[int, Counts]
    sinks: frozenset[str]
    doubts: Sequence[tuple[Candidate, Doubt]] = ()
    """What was not taken in, because it may be what Nave itself made; it counts nowhere yet."""


class Known(NamedTuple):
    record_id: int
    version: str
    arrival: int
    place: int
    hash: bytes


def digest(text: str) -> bytes:
    """What change detection compares: 16 bytes of the document's one JSON text."""
    return blake2b(text.encode(), digest_size=16).digest()


class Change(NamedTuple):
    """What is new about source records of one entity, in one transaction."""

    said: Mapping[str, Candidate] = {}
    """What the system says now, by key."""
    known: Mapping[str, Known] = {}
    """What was stored of these keys before."""
    gone: frozenset[Name] = frozenset()
    """Source records that their systems have no more."""
    again: frozenset[Name] = frozenset()
    """Source records of which nothing new is said, and whose golden records are to be made anew."""
    doubtful: Mapping[str, frozenset[str]] = {}
    """By key, fields in which the system may hold something else than the golden record."""
    copies: Mapping[str, int] = {}
    """New keys of records that Nave made in the system, with the golden record that each was made from."""


@dataclass(frozen=True)
class Intake:
    """One batch of one source on its way in; or, without a system, a change that comes from within."""

    rules: EntityRules
    system: str
    source: str
    now: float
    ids: Ids
    cause: str = "apply"
    """Of the versions that it makes."""
    entities: Mapping[str, EntityRules] = field(default_factory=dict)
    """Those whose records are told again where what they refer to became part of another record."""

    @property
    def entity(self) -> str:
        return self.rules.type.name
