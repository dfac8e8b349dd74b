"""What the oracle judges by: the ledgers of sources and targets, folded, and what the hub says of itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from tests.faults.auditing import Audit

SALES, CUSTOMERS = ("web.sales", "shop.sales"), ("web.customers",)
WANTS: Mapping[str, tuple[str, ...]] = {
    "bank.sales": SALES,
    "post.sales": SALES,
    "books.sales": SALES,
    "bank.customers": CUSTOMERS,
}
"""Which target wants what of which channels."""
BLIND = "post.sales"


class Name(NamedTuple):
    """What a source knows a record by."""

    channel: str
    key: str


class Said(NamedTuple):
    """One version of one record as its source wrote it down."""

    amount: str | None
    currency: str | None
    digest: str
    next: str | None


class Effect(NamedTuple):
    """One thing that a target did, in the order in which it did it."""

    target: str
    id: str
    version: int
    name: Name
    seq: int
    said: Said


@dataclass
class Told:
    """All that the sources handed over."""

    said: dict[Name, dict[int, Said]] = field(default_factory=lambda: defaultdict(dict))
    safe: dict[Name, int] = field(default_factory=dict)
    """The highest version of each record that was acknowledged."""
    poison: Counter[str] = field(default_factory=Counter)
    """Poisoned messages that were acknowledged, by channel."""
    poisoned: set[Name] = field(default_factory=set)
    least: Counter[str] = field(default_factory=Counter)
    """Records that the hub must have received, by channel."""
    most: Counter[str] = field(default_factory=Counter)
    """Records that it may have received."""
    open: int = 0
    """Batches without an answer."""
    refused: int = 0


@dataclass(frozen=True)
class Letter:
    """What the hub set aside, as its command shows it."""

    flow: str
    stage: str
    key: str
    code: str
    text: str
    id: str = ""


@dataclass
class Hub:
    """What the hub says of itself when it is idle."""

    sources: Sequence[Mapping[str, Any]]
    sinks: Sequence[Mapping[str, Any]]
    letters: Sequence[Letter]
    golden: Sequence[tuple[Name, int, Said]]
    """Name, seq and content of every golden record."""
    audit: Audit = field(default_factory=Audit)
    given_up: Sequence[Letter] = ()
    """Letters that the clerk wanted to settle and that are not open any more."""


@dataclass
class Evidence:
    """All there is to judge by."""

    told: Told
    effects: Sequence[Effect]
    hub: Hub | None = None

    @cached_property
    def final(self) -> dict[str, dict[Name, Effect]]:
        """What each target has in the end."""
        last: dict[str, dict[Name, Effect]] = {target: {} for target in WANTS}
        for one in self.effects:
            last[one.target][one.name] = one
        return last

    @cached_property
    def letters(self) -> Sequence[Letter]:
        """What the hub set aside, whether a person has settled it since or not."""
        return [*self.hub.letters, *self.hub.given_up] if self.hub else ()

    @cached_property
    def parked(self) -> set[Name]:
        """Records whose outcome at the blind target a person was asked about."""
        ids = {one.id: one.name for one in self.effects}
        return {ids[one.key] for one in self.letters if one.flow == BLIND and one.key in ids}


def told(lines: Iterable[Mapping[str, Any]]) -> Told:
    """Fold the ledgers of all sources."""
    found = Told()
    batches: dict[tuple[str, int], Sequence[Any]] = {}
    for line in lines:
        place = (line["channel"], line["batch"])
        if line["what"] == "sent":
            batches[place] = line["items"]
            _sent(found, line["channel"], line["items"])
        elif line["what"] == "acknowledged":
            _acknowledged(found, line["channel"], batches.pop(place), line)
        else:
            found.refused += 1
            batches.pop(place)
    found.open = len(batches)
    for (channel, _), items in batches.items():
        found.most[channel] += 1_000 * len(items)
    return found


def _sent(found: Told, channel: str, items: Sequence[Any]) -> None:
    for key, version, amount, currency, digest, following, poison in items:
        if poison:
            found.poisoned.add(Name(channel, key))
        else:
            found.said[Name(channel, key)][version] = Said(amount, currency, digest, following)


def _acknowledged(found: Told, channel: str, items: Sequence[Any], line: Mapping[str, Any]) -> None:
    found.least[channel] += len(items)
    found.most[channel] += len(items) * (1 + line["unsure"])
    for key, version, *_, poison in items:
        if poison:
            found.poison[channel] += 1
        else:
            name = Name(channel, key)
            found.safe[name] = max(found.safe.get(name, 0), version)
