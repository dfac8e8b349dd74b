"""What became of each record of a receipt, those of parts among them, as documents for a mapping that tells of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import journal, receipts
from nave.core.dead import open_by_raw, storable
from nave.core.errors import PermanentError
from nave.core.journal import Entry, raw_text
from nave.core.lines import Around, Line, around, line
from nave.core.protocols import Raw
from nave.core.receipts import Batched, Taken
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.told import Told, all_done, done
from nave.workers.flows import Hub, SourceFlow
from nave.workers.receipts import Look, key_texts, line_data

MOST = 20_000
"""Records of one receipt that are told through a mapping: they are looked at together."""
_ITEM = "item"
"""Where a record of a part holds what it was made from, where that is an item of a list."""
_SETTLED = frozenset({"applied", "unchanged", "superseded", "left_out"})
_NOTHING = dict.fromkeys(Told.model_fields)
"""So that lists of objects can be asked for any field."""
_d = t.dead_letter.c


class Thing(NamedTuple):
    """One record, with what its line of a receipt says."""

    line: int
    part: str | None
    said: Mapping[str, Any]
    record: Raw | None

    @property
    def done(self) -> bool | None:
        """Whether the hub has it; None as long as that is open."""
        return done(self.said["state"])


def gathered(hub: Hub, flow: SourceFlow, taken: Taken, look: Look) -> list[Thing] | None:
    """Every record; None where the raw form of some is gone, so that nothing can be told of them any more.

    PermanentError NAVE-K433 for a receipt that is too large.
    """
    with hub.store.read() as tx:
        own = receipts.batches(tx, taken)
        parts = {name: receipts.part_batches(tx, taken, name) for name in flow.parts}
    count = sum(one.records for listed in (own, *parts.values()) for one in listed)
    if count > MOST:
        raise PermanentError("NAVE-K433", name=taken.text, count=count, most=MOST)
    entries = _entries(hub.store, [one.id for listed in (own, *parts.values()) for one in listed])
    if entries is None or look.summary.forgotten:
        return None
    raws = {place: raw for one in own for (place, _), raw in _placed(entries[one.id])}
    things = [Thing(one["line"], None, one, raws.get(one["line"])) for one in look.lines()]
    for name, listed in parts.items():
        things += _of_part(hub, hub.sources[name], taken, [(one, entries[one.id]) for one in listed])
    return sorted(things, key=lambda one: one.line)


def _placed(entry: Entry) -> Iterable[tuple[Any, Raw]]:
    return zip(entry.places, entry.records, strict=True)


def _entries(store: Store, numbers: Sequence[int]) -> dict[int, Entry] | None:
    found: dict[int, Entry] = {}
    with store.read() as tx:
        for number in numbers:
            entry = journal.load(tx, number)
            if entry is None:
                return None
            found[number] = entry
    return found


def _of_part(hub: Hub, part: SourceFlow, taken: Taken, listed: Sequence[tuple[Batched, Entry]]) -> Iterator[Thing]:
    """Each record once, as the last batch that holds it has it: a replay is a batch of its own."""
    latest: dict[tuple[int, bytes], tuple[Line, Raw]] = {}
    for batch, entry in listed:
        for one, raw, text in _judged(hub.store, part, taken, batch, entry):
            same = (one.place, hashlib.blake2b(text.encode(), digest_size=16).digest())
            before = latest.get(same)
            repaired = before is not None and before[0].state == "repaired" and one.state in _SETTLED
            latest[same] = before if before is not None and repaired else (one, raw)
    name = part.name.rpartition(".")[2]
    for one, raw in latest.values():
        yield Thing(one.place, name, line_data(one), raw.get(_ITEM) if "parent" in raw else raw)


def _judged(store: Store, part: SourceFlow, taken: Taken, batch: Batched, entry: Entry) -> Iterator[tuple[Line, Raw, str]]:
    keys = key_texts(part, entry.records)
    texts = [storable(raw_text(raw)) for raw in entry.records]
    with store.read() as tx:
        known = around(tx, taken, batch, part.rules.type.name, keys)
        rows = tx.rows(sa.select(t.dead_letter).where(_d.journal_id == batch.id).order_by(_d.id))
    letters = {row.raw: row for row in rows}
    found = [
        (line(batch, place, key, None, _only(known, place, letters.get(text))), raw, text)
        for (place, _), key, text, raw in zip(entry.places, keys, texts, entry.records, strict=True)
        if taken.holds(place)
    ]
    with store.read() as tx:  # what came again, word for word, has the letter it had
        before = open_by_raw(tx, part.name, [text for one, _, text in found if one.state == "left_out"])
    for one, raw, text in found:
        again = before.get(text) if one.state == "left_out" else None
        yield (one if again is None else line(batch, one.place, one.key, None, _only(known, one.place, again))), raw, text


def _only(known: Around, place: int, letter: Any | None) -> Around:
    """Records of a part share the place of the line that holds them, so each is looked at with its own letter."""
    return known._replace(letters={} if letter is None else {place: letter})


def documents(look: Look, things: Sequence[Thing], *, by_line: bool) -> list[tuple[int, dict[str, Any]]]:
    """What a mapping is given, with the line it is about, 0 for the whole; what was left out on purpose is not told."""
    if not by_line:
        return [(0, _document(look, things))]
    by: dict[int, list[Thing]] = {}
    for one in things:
        by.setdefault(one.line, []).append(one)
    return [(number, _document(look, mine, number)) for number, mine in by.items()]


def _document(look: Look, things: Sequence[Thing], number: int | None = None) -> dict[str, Any]:
    told = [one for one in things if one.said["state"] != "left_out"]
    own = next((one for one in things if one.part is None), None) if number is not None else None
    whole = look.top["refused_whole"]
    finished = all_done([one.done for one in told])
    complete = look.top["read"] != "reading" and finished is not None
    shared = {name: look.top[name] for name in ("receipt", "source", "file", "number", "at")}
    document = shared | {
        "complete": complete,
        "done": (finished and whole is None) if complete else None,
        "refused_whole": whole,
        "line": number,
        "key": own.said.get("key") if own else None,
        "record": own.record if own else None,
        "objects": [_object(one) for one in told],
    }
    return {name: value for name, value in document.items() if value is not None}


def _object(one: Thing) -> dict[str, Any]:
    return {**_NOTHING, **one.said, "part": one.part, "done": one.done, "record": one.record}
