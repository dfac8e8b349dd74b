"""What became of each line of a file or a request, batch by batch, in bounded memory; and the same as data."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from nave.core import journal, receipts
from nave.core.clock import id_text, moment
from nave.core.dead import open_by_raw, storable
from nave.core.journal import raw_text
from nave.core.lines import OPEN, STATES, Around, Line, around, line
from nave.core.receipts import Batched, Taken
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.texts import LANGUAGES, message
from nave.workers.flows import Keyed, SourceFlow
from nave.workers.prepare import raw_hash

_CHANGING = OPEN | {"refused"}
_RESERVED = frozenset({"code", "part", "language"})


@dataclass
class Summary:
    """What the lines of a receipt came to, all in all."""

    states: Counter[str] = field(default_factory=Counter)
    forgotten: bool = False
    """The raw form of some batches is gone: of these only what was booked is told, not line by line."""

    def complete(self, taken: Taken) -> bool:
        """Whether every line has come to something."""
        return taken.state != t.Reading.READING and not any(self.states[name] for name in OPEN)

    def begun(self, taken: Taken) -> bool:
        """Whether every line was taken up, though some may be held, or wait for others."""
        return taken.state != t.Reading.READING and not self.states["pending"]

    def judged(self, taken: Taken) -> bool:
        """Whether every line was looked at, though some may still wait for others."""
        return taken.state != t.Reading.READING and not self.states["pending"] and not self.states["held"]

    def final(self, taken: Taken) -> bool:
        """Whether nothing will change any more: nothing is refused that could still be repaired."""
        return self.complete(taken) and not self.states["refused"]


def lines(store: Store, flow: SourceFlow | None, taken: Taken, summary: Summary) -> Iterator[Line]:
    """Every line in order, counted into `summary` on the way; without a flow, lines are told without keys."""
    with store.read() as tx:
        listed = receipts.batches(tx, taken)
    for batch in listed:
        for one in _of_batch(store, flow, taken, batch, summary):
            summary.states[one.state] += 1
            yield one


@dataclass(frozen=True)
class Look:
    """What a file or a request came to, seen once from its first line to its last."""

    summary: Summary
    top: dict[str, Any]
    refused: list[int]
    """The letters of its refused lines."""
    spool: IO[bytes]
    things: Sequence[Any] | None = None
    """Each record by itself, those of parts among them, where somebody is told through a mapping."""

    def final(self, taken: Taken) -> bool:
        """Whether nothing will change any more."""
        return self.summary.final(taken) and all(one.said["state"] not in _CHANGING for one in self.things or ())

    def lines(self) -> Iterator[dict[str, Any]]:
        """Line by line, from the first."""
        self.spool.seek(0)
        return (json.loads(line) for line in self.spool)

    @property
    def digest(self) -> str:
        """Of all that is told."""
        found = hashlib.sha256(json.dumps(self.top, sort_keys=True).encode())
        self.spool.seek(0)
        while piece := self.spool.read(2**20):
            found.update(piece)
        return found.hexdigest()


def spooled(store: Store, flow: SourceFlow, taken: Taken, spool: IO[bytes], most: int) -> Look:
    """Put every line into the spool, so that it can be read more than once; `most` letters of refused ones are told."""
    summary = Summary()
    refused: list[int] = []
    for one in lines(store, flow, taken, summary):
        spool.write(json.dumps(line_data(one), ensure_ascii=False).encode() + b"\n")
        if one.state == "refused" and one.letter is not None and not one.elsewhere and len(refused) < most:
            refused.append(one.letter.id)
    with store.read() as tx:
        top = head(taken, summary, receipts.refusal(tx, taken))
    return Look(summary, top, refused, spool)


def _of_batch(store: Store, flow: SourceFlow | None, taken: Taken, batch: Batched, summary: Summary) -> list[Line]:
    with store.read() as tx:
        entry = journal.load(tx, batch.id)
    if entry is None:
        summary.forgotten = True
        if taken.lines is not None:  # what was booked is of all who shared the batch
            return []
        booked = {"applied": batch.applied, "unchanged": batch.unchanged, "superseded": batch.superseded}
        summary.states.update(booked)
        return []
    keys = key_texts(flow, entry.records)
    entity = flow.rules.type.name if flow else ""
    with store.read() as tx:
        known = around(tx, taken, batch, entity, keys)
    raws = entry.raws if flow else ()
    found = [
        line(batch, place, keys[nth], raw_hash(flow, raws[nth]) if flow and raws else None, known)
        for nth, (place, _) in enumerate(entry.places)
    ]
    found = _told_before(store, taken.source, batch, found, entry.records, known)
    there = {one.place for one in found}
    unread = [place for place in known.letters if place not in there]
    found += [line(batch, place, "", None, known) for place in unread]
    return sorted((one for one in found if taken.holds(one.place)), key=lambda one: one.place)


def _told_before(
    store: Store, source: str, batch: Batched, found: list[Line], records: list[Any], known: Around
) -> list[Line]:
    """A bad line that came again, word for word, has no second letter: it is refused by the one it had."""
    texts = {nth: storable(raw_text(records[nth])) for nth, one in enumerate(found) if one.state == "left_out"}
    if not texts:
        return found
    with store.read() as tx:
        letters = open_by_raw(tx, source, texts.values())
    again = {nth: letters[text] for nth, text in texts.items() if text in letters}
    return [_by_letter(batch, one, again.get(nth), known) for nth, one in enumerate(found)]


def _by_letter(batch: Batched, one: Line, letter: Any | None, known: Around) -> Line:
    if letter is None:
        return one
    return line(batch, one.place, one.key, None, known._replace(letters={one.place: letter}))._replace(elsewhere=True)


def key_texts(flow: SourceFlow | None, records: list[Any]) -> list[str]:
    """The key of each record, empty where it cannot be told."""
    if flow is None or not isinstance(flow.mapping, Keyed):
        return [""] * len(records)
    return [key if isinstance(key, str) else "" for key in flow.mapping.keys(records)]


def said(letter: Any, language: str, part: str = "text") -> str:
    """What a letter's error says."""
    params = {name: value for name, value in json.loads(letter.params).items() if name not in _RESERVED}
    return message(letter.code, part, language, **params)


def head(taken: Taken, summary: Summary, refusal: Any | None = None) -> dict[str, Any]:
    """The receipt without its lines."""
    counts = {name: summary.states[name] for name in STATES}
    return {
        "receipt": taken.text,
        "source": taken.source,
        "file": taken.name or None,
        "sha256": taken.origin.get("sha256"),
        "size": taken.origin.get("size"),
        "number": taken.number,
        "at": _time(taken.at),
        "read": taken.state.name.lower(),
        "complete": summary.complete(taken),
        "lines_total": sum(counts.values()),
        "counts": counts,
        "refused_whole": _refused(refusal) if refusal is not None else None,
        "lines_forgotten": summary.forgotten,
    }


def _time(seconds: float) -> str:
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refused(letter: Any) -> dict[str, Any]:
    return {
        "code": letter.code,
        "field": letter.field,
        **{f"text_{language}": said(letter, language) for language in LANGUAGES},
    }


def line_data(one: Line) -> dict[str, Any]:
    """A line for programs; what says nothing is left out."""
    found: dict[str, Any] = {"line": one.place, "key": one.key, "state": one.state, "waits_for": one.waits_for}
    if one.letter is not None:
        found |= _refused(one.letter) | {"by": one.letter.settled_by, "letter": id_text(one.letter.id)}
    return {name: value for name, value in found.items() if value not in (None, "")}


def page(store: Store, flow: SourceFlow | None, taken: Taken, *, after: int = 0, limit: int = 1000) -> Mapping[str, Any]:
    """A receipt as data, with `limit` of its lines behind line `after`; what is more is named by `next`."""
    summary = Summary()
    shown: list[dict[str, Any]] = []
    more = False
    for one in lines(store, flow, taken, summary):
        if one.place > after and len(shown) < limit:
            shown.append(line_data(one))
        else:
            more = more or one.place > after
    with store.read() as tx:
        refused = receipts.refusal(tx, taken)
    following = shown[-1]["line"] if more and shown else None
    return {**head(taken, summary, refused), "lines": shown, "next": following}
