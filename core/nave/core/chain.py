"""The chain of the audit: each entry vouches for the one before it, and heads that lie elsewhere vouch for its end.

A chain alone does not show that its end was cut off, or that all of it was made anew: whoever can write the store can do
both. A head, kept where they cannot write, does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import NamedTuple

START = bytes(32)
"""What the first entry finds before it."""


class Entry(NamedTuple):
    """What was done by whom; `detail` is JSON, as it was written."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    detail: str


class Sealed(NamedTuple):
    """An entry in the chain: its number there, from 1 on without gaps, and its hash."""

    place: int
    hash: bytes
    entry: Entry


class Flaw(NamedTuple):
    """Where the audit is not what it was; `code` is of the catalogue."""

    code: str
    place: int
    last: int = 0
    """Where a flaw covers several places, the last of them."""


def link(before: bytes, place: int, entry: Entry) -> bytes:
    """SHA-256 of the hash before it, and of a JSON list of the place and all that the entry says (numbers as `repr`)."""
    text = json.dumps([place, *entry], ensure_ascii=True, separators=(",", ":"))
    return sha256(before + text.encode()).digest()


def flaws(chain: Iterable[Sealed], heads: Mapping[int, bytes]) -> Iterator[Flaw]:
    """Every place at which entries, in the order of their places, do not fit each other or the heads (hashes by place)."""
    before, last = START, 0
    known = True  # whether `before` is the hash of the entry before
    for one in chain:
        if one.place != last + 1:
            yield Flaw("NAVE-E141", last + 1, one.place - 1)
            known = False
        if known and link(before, one.place, one.entry) != one.hash:
            yield Flaw("NAVE-E140", one.place, one.place)
        elif heads.get(one.place, one.hash) != one.hash:
            yield Flaw("NAVE-E143", one.place, one.place)
        before, last, known = one.hash, one.place, True
    if heads and max(heads) > last:
        yield Flaw("NAVE-E142", last + 1, max(heads))
