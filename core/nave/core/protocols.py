"""What a connector is to the hub: values that cross the border, and the two small protocols it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from nave.core.errors import NaveError

Raw = dict[str, Any]
"""One record as its system gave it: text, whole numbers, Decimal, bool, None, and lists and dicts of these."""

Place = tuple[int, int | None]
"""Where a record was: its number (line, element or row, counted from 1) and its byte offset where there is one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that could not be read, whole, beside the neighbours that could."""

    place: Place
    raw: str
    error: NaveError


class End(Enum):
    """What the last batch of one input (a file, a query) says of it."""

    WHOLE = "whole"
    """All there is has been told."""
    TORN = "torn"
    """Something of it could not be read."""


@dataclass(frozen=True, slots=True)
class Batch:
    """1 to 1,000 raw records to land together, and how far the source has been read once they are."""

    records: Sequence[Raw]
    places: Sequence[Place]
    origin: Mapping[str, str | int]
    """Shared by all records: `file`, `unit` (line, element, row, event), `table`, `sheet`, whatever finds them again."""
    position: str | None = None
    """The checkpoint after this batch, in the source's own terms; None keeps the one before."""
    refused: Sequence[Refused] = ()
    end: End | None = None
    """With the last batch of an input, whether it was whole; None where more of it follows, or nobody can tell."""
    first: bool = False
    """Whether its input begins with it; one that was begun before, and is resumed, does not."""


class Source(AbstractContextManager["Source"], Protocol):
    """A configured way in."""

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield batches strictly after `after`; resuming skips nothing, and ends when there is no more for now.

        The caller commits each batch, with its position, before it asks for the next: whatever a source does after a
        `yield` (archive the file, acknowledge the message) happens after the commit.
        """


@runtime_checkable
class Following(Source, Protocol):
    """A source that need not be asked again and again: it waits for what comes next, and gives it at once."""

    def follow(self, after: str | None, going: Callable[[], bool]) -> Iterator[Batch]:
        """As `read`, but ends only when `going` says no; it is asked about once a second, while all is well."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One record in the shape of the target."""

    key: str
    """The golden id as text: stable for life, the same in every attempt."""
    version: int
    """Rises with every change; a target keeps the highest it has seen."""
    values: Mapping[str, Any]
    remote_key: str | None = None
    """The key the target gave back earlier, if any."""
    retired: bool = False
    """The record became part of another, which the target hears of by itself: remove this one, or leave it as it is."""

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt to bring the same version to the target."""
        return f"{self.key}-{self.version}"


class Outcome(Enum):
    """What the far side said of one record."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    RETRY = "retry"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer of a target for one record; `error` says why for anything but accepted and duplicate."""

    outcome: Outcome
    remote_key: str | None = None
    error: NaveError | None = None
    raw: str = ""
    tried: bool = True
    """False where nothing was sent: what keeps the record back is no fault of its own, and it pays no try for it."""


class Sink(AbstractContextManager["Sink"], Protocol):
    """A configured way out."""

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Write idempotently, one receipt per record in order; raise RetryableError when nothing at all was reached."""


class Extent(Enum):
    """How much one input of a source says."""

    PART = "part"
    """What changed; only that."""
    MAY_BE_ALL = "may be all"
    """All there is, if its owner says so: a file."""
    ALL = "all"
    """All there is, each time: a query without a watermark."""


Probe = Callable[[Outbound], Receipt | None]
"""Ask the target whether it has this record at this version: a receipt if it has, None if it surely has not."""


Weigh = Callable[[str, BinaryIO], Mapping[str, str | int]]
"""Looks through a file, by name and from its first byte: more for its origin, or a PermanentError that refuses it whole."""


Holder = Callable[[str], str | None]
"""Of a key that a target gave back, the golden id (`Outbound.key`) of the record that has it; None where none has."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a connector runs: what every source and sink is told besides its own options."""

    name: str
    """The full name of the source or sink: `erp.customers`."""
    folder: Path
    """The hub's folder; relative paths in options start here."""
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    weigh: Weigh | None = None
    """Asked about each file before anything of it is taken in."""
    holder: Holder | None = None
    """Of a sink: whose a row is that it finds by something else than the key that the target gave back."""


class Shelf(Protocol):
    """A source's drop folder as the hub puts files back into it. `inner` is a folder below it, or empty for itself.

    A NaveError says that it cannot be reached or written to.
    """

    def put(self, inner: str, name: str, content: BinaryIO) -> None:
        """Write a file that appears whole or not at all, in place of one of that name."""

    def digest(self, inner: str, name: str) -> str | None:
        """The SHA-256 of what lies under that name; None where there is no file."""

    def remove(self, inner: str, name: str) -> None:
        """Remove the file if it is there."""

    def head(self, inner: str, name: str, size: int, most: int) -> bytes | None:
        """The first `most` bytes of a file that has `size` of them; None where there is no such file."""


class Fate(NamedTuple):
    """What became of a record that a source brought."""

    record: Raw
    state: str
    """done, failed or waiting."""
    said: Mapping[str, str]
    """By language, why; nothing for what is done."""


class Reporting(Protocol):
    """Tells a source's system, in its own place, what became of the records of a batch."""

    def report(self, batch: str, fates: Sequence[Fate]) -> None:
        """Tell of those that have come to something; the same again changes nothing. A NaveError where it cannot be told.

        `batch` is what the batch's origin has under that name.
        """


class Capturing(Protocol):
    """Makes a system note what changes in one of its tables, or has it stop that."""

    def statements(self, table: str, key: Sequence[str], *, gone: bool) -> Sequence[str]:
        """What would be run, to be shown; nothing where it is so already. Without `key`, the table's own one."""

    def run(self, statements: Sequence[str]) -> None:
        """Run what was shown."""


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """All Nave knows of a connector before opening it. What is `None` cannot be done.

    The factories take (connection options, source or sink options, setting); the reference page, the JSON Schema and
    the checks of a hub folder are made from the three models, which refuse unknown keys.
    """

    name: str
    summary: str
    options: type[BaseModel]
    source_options: type[BaseModel] | None = None
    sink_options: type[BaseModel] | None = None
    source: Callable[[Any, Any, Setting], Source] | None = None
    sink: Callable[[Any, Any, Setting], Sink] | None = None
    probe: Callable[[Any, Any, Setting], AbstractContextManager[Probe]] | None = None
    check: Callable[[Any, Setting], None] | None = None
    """Reach the far side once, harmlessly; raise a NaveError that says what to do."""
    pushed: bool = False
    """Records come through one of the hub's doors instead of being read."""
    follows: bool = False
    """Its sources are `Following`: without times of their own they are read as records come."""
    watch: Callable[[Any, Any, Setting], Path] | None = None
    """The folder whose changes are worth an early look, for sources that have one."""
    pending: Callable[[Any, Any, Setting], bool] | None = None
    """Whether something is there that is not yet ready to be read: a batch run waits for it."""
    reread: Callable[[Any, Any, Setting, str], bool] | None = None
    """Offer a refused input, by the name in its dead letter, for reading again; false where it is gone."""
    extent: Callable[[Any], Extent] = lambda _options: Extent.PART
    """How much a source with these options says at once; what may be a snapshot ends its inputs (`Batch.end`)."""
    capture: Callable[[Any, Setting], AbstractContextManager[Capturing]] | None = None
    """Have a system's tables note what changes in them (`nave connector install-capture`)."""
    once: Callable[[Any], frozenset[str]] = lambda _options: frozenset()
    """Fields that a sink with these options fills when it makes a row, and leaves as they are from then on."""
    puts_away: Callable[[Any], frozenset[str]] = lambda _options: frozenset()
    """Fields that it changes of a row to put it away, as a retired one."""
    look: Callable[[Any, Any, Setting], Source] | None = None
    """A source that only looks (`nave connector sample`): what it reads stays over there as it was, unclaimed, unmarked."""
    shelf: Callable[[Any, Any, Setting], AbstractContextManager[Shelf]] | None = None
    """The folder that a source's files are dropped into, to put receipts and rejects back there."""
    report: Callable[[Any, Any, Setting], Callable[[], AbstractContextManager[Reporting]] | None] | None = None
    """How to tell a source's system what became of each record, if its options ask for that: its batches have names then."""
