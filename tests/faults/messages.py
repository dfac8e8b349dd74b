"""What the sources of a fault run say: sales with amounts, customers in a ring, and the order in which they say it.

A share of the messages is repeated, told in another order, or late; some are poison. What is true in the end follows
from the versions alone: per key, the highest one.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

WEB, SHOP, CUSTOMERS = "web.sales", "shop.sales", "web.customers"
CHANNELS = (WEB, SHOP, CUSTOMERS)
_CURRENCIES = ("CNY", "EUR", "USD")
_REORDER = 1_000


@dataclass(frozen=True, slots=True)
class Message:
    """One statement of a source about one key; with `poison`, something that no hub can take."""

    channel: str
    key: str
    version: int
    fields: dict[str, Any]
    poison: str = ""

    @property
    def line(self) -> list[Any]:
        """As the source's ledger has it."""
        known = self.fields.get
        return [self.key, self.version, known("amount"), known("currency"), known("digest"), known("next"), self.poison]


def digest(channel: str, key: str, version: int, rest: Sequence[object]) -> str:
    """16 hexadecimal digits of all that a message says; made by the source, made again from what a target received."""
    return sha256("|".join(map(str, (channel, key, version, *rest))).encode()).hexdigest()[:16]


def sale(channel: str, key: str, version: int, customer: str, amount: Decimal, currency: str) -> Message:
    """What was sold to whom for how much."""
    rest = (customer, amount, currency)
    fields = {"number": key, "customer": customer, "amount": str(amount), "currency": currency, "seq": version}
    return Message(channel, key, version, {**fields, "digest": digest(channel, key, version, rest)})


def customer(key: str, version: int, following: str) -> Message:
    """A customer, and who comes next in the ring of all customers."""
    rest = (f"Customer {key}", following)
    fields = {"code": key, "name": rest[0], "next": following, "seq": version}
    return Message(CUSTOMERS, key, version, {**fields, "digest": digest(CUSTOMERS, key, version, rest)})


class _World:
    """Keeps the newest version of each key while messages are made."""

    def __init__(self, chance: random.Random, count: int, versions: int) -> None:
        self.chance = chance
        self.sales = max(20, count // versions)
        self.customers = max(8, count // 100)
        self.versions: Counter[tuple[str, str]] = Counter()
        self.next = {number: (number + 1) % self.customers for number in range(self.customers)}

    def all(self, count: int) -> Iterator[Message]:
        """The ring first, then sales, and now and then a change of the ring."""
        made = 0
        for number in range(self.customers):
            yield self._customer(number)
            made += 1
        while made < count:
            found = self._moved() if self.chance.random() < 0.02 else [self._sale()]
            yield from found
            made += len(found)

    def _version(self, channel: str, key: str) -> int:
        self.versions[channel, key] += 1
        return self.versions[channel, key]

    def _customer(self, number: int) -> Message:
        key = f"C{number}"
        return customer(key, self._version(CUSTOMERS, key), f"C{self.next[number]}")

    def _moved(self) -> list[Message]:
        """a -> b -> c -> d becomes a -> c -> b -> d."""
        a = self.chance.randrange(self.customers)
        b = self.next[a]
        c = self.next[b]
        self.next[a], self.next[c], self.next[b] = c, b, self.next[c]
        return [self._customer(number) for number in (a, c, b)]

    def _sale(self) -> Message:
        channel = WEB if self.chance.random() < 0.75 else SHOP
        key = f"S{self.chance.randrange(self.sales)}"
        amount = Decimal(self.chance.randrange(-50_000, 1_000_000)).scaleb(-2)
        who = f"C{self.chance.randrange(self.customers)}"
        return sale(channel, key, self._version(channel, key), who, amount, self.chance.choice(_CURRENCIES))


def stream(seed: int, count: int, *, faulty: float = 0.2, poison: float = 0.0, versions: int = 10) -> list[Message]:
    """At least `count` messages in the order in which they are handed over, about `versions` of each sale.

    Of `faulty`, a third each is repeated 1 to 5 times, moved by up to 1,000 places, or late by anything up to the end;
    `poison` of them come on top.
    """
    chance = random.Random(seed)
    placed: list[tuple[float, Message]] = []
    for place, message in enumerate(_World(chance, count, versions).all(count)):
        if chance.random() < poison:
            placed.append((place, _poisoned(chance, place)))
        kind = chance.random() / faulty if faulty else 1.0
        placed += [(at, message) for at in _places(chance, kind, place, count)]
    return [message for _, message in sorted(placed, key=lambda one: one[0])]


def _places(chance: random.Random, kind: float, place: int, count: int) -> list[float]:
    if kind < 1 / 3:
        return [place] + [place + chance.uniform(0, _REORDER) for _ in range(chance.randint(1, 5))]
    if kind < 2 / 3:
        return [place + chance.uniform(0, _REORDER)]
    if kind < 1:
        return [chance.uniform(place, count)]
    return [place]


_POISON: tuple[tuple[str, Callable[[dict[str, Any]], object]], ...] = (
    ("no key", lambda fields: {**fields, "number": None}),
    ("amount is text", lambda fields: {**fields, "amount": "much"}),
    ("no such currency", lambda fields: {**fields, "currency": "yuan"}),
    ("version is a list", lambda fields: {**fields, "seq": [1, 2]}),
    ("key is an object", lambda fields: {**fields, "number": {"a": 1}}),
    ("amount of a thousand digits", lambda fields: {**fields, "amount": "9" * 900}),
)


def _poisoned(chance: random.Random, place: int) -> Message:
    """Something that the door takes, for it is JSON, and the mapping cannot."""
    why, spoil = chance.choice(_POISON)
    channel = chance.choice((WEB, SHOP))
    good = sale(channel, f"P{place}", 1, "C0", Decimal("1.00"), "CNY")
    spoilt = spoil(good.fields)
    assert isinstance(spoilt, dict)
    return Message(channel, good.key, 1, spoilt, why)


UNREADABLE: tuple[tuple[str, bytes], ...] = (
    ("no JSON", b"{"),
    ("NaN", b'{"number": "U1", "amount": NaN}'),
    ("a key twice", b'{"number": "U1", "number": "U2"}'),
    ("depth", b'{"a":' * 200 + b"1" + b"}" * 200),
    ("no object", b'"just text"'),
    ("bad UTF-8", b'{"number": "\xff\xfe"}'),
    ("digits", b'{"number": "U1", "amount": ' + b"9" * 5000 + b"}"),
    ("too many", json.dumps([{"number": "U"}] * 1_001).encode()),
    ("too large", b'{"number": "' + b"x" * (17 * 2**20) + b'"}'),
)
"""Bodies that the door must refuse for good: never 202, never 5xx."""
