"""EPCIS documents as they are captured: the document must be one, and each of its events is good or faulty for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nave.api.epcishash import event_hash
from nave.api.epcisrules import fault, moment
from nave.api.epcisxml import xml_document
from nave.core.errors import NaveError, PermanentError
from nave.core.protocols import Raw
from nave.formats import loads

JSON = frozenset({"application/json", "application/ld+json"})
XML = frozenset({"application/xml", "text/xml"})
_DOCUMENTS = ("EPCISDocument", "EPCISQueryDocument")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a document, counted from 1."""

    number: int
    body: Raw
    fault: str | None

    @property
    def id(self) -> str:
        """Its eventID, which every good event has here."""
        return str(self.body["eventID"])

    @property
    def key(self) -> str:
        """What it is known by: its id, which the declaration that it was an error shares with it."""
        return f"{self.id}#error" if self.body.get("errorDeclaration") else self.id

    def says(self, other: Raw) -> bool:
        """Whether another event has the same content."""
        return event_hash(self.body, _spaces(self.body.get("@context"))) == event_hash(other, _spaces(other.get("@context")))


def document(body: bytes, media: str) -> list[Event]:
    """The events of a whole document; a PermanentError NAVE-K370 where it is none."""
    said = xml_document(body) if media in XML else _json(body)
    return list(_events(said, xml=media in XML))


def single(body: bytes) -> Event:
    """One event by itself, in JSON."""
    said = _json(body)
    return _event(1, said, _spaces(said.get("@context")))


def _json(body: bytes) -> Raw:
    try:
        said = loads(body)
    except NaveError as error:
        raise PermanentError("NAVE-K370", reason=error.text("en")[:200]) from error
    if not isinstance(said, dict):
        raise PermanentError("NAVE-K370", reason="the document is no JSON object")
    return said


def _events(said: Raw, *, xml: bool) -> Iterator[Event]:
    if said.get("type") not in _DOCUMENTS:
        raise PermanentError("NAVE-K370", reason="type is neither EPCISDocument nor EPCISQueryDocument")
    if not xml and not said.get("@context"):
        raise PermanentError("NAVE-K370", reason="@context is missing")
    if not isinstance(said.get("schemaVersion"), str) or moment_or_day(said.get("creationDate")) is None:
        raise PermanentError("NAVE-K370", reason="schemaVersion or creationDate is missing, or of no good form")
    spaces = _spaces(said.get("@context"))
    for number, one in enumerate(_listed(said.get("epcisBody")), 1):
        yield _event(number, one, spaces)


def moment_or_day(text: Any) -> float | None:
    """As `moment`, for a date without a time as well."""
    return moment(f"{text}T00:00:00Z") if isinstance(text, str) and len(text) == 10 else moment(text)


def _listed(body: Any) -> list[Any]:
    held = body
    if isinstance(held, dict) and isinstance(held.get("queryResults"), dict):
        held = held["queryResults"].get("resultsBody")
    if isinstance(held, dict) and "event" in held and "eventList" not in held:
        return [held["event"]]
    listed = held.get("eventList") if isinstance(held, dict) else None
    if not isinstance(listed, list):
        raise PermanentError("NAVE-K370", reason="epcisBody has no eventList")
    return listed


def _spaces(context: Any) -> dict[str, str]:
    """The prefixes that a context defines."""
    parts = context if isinstance(context, list) else [context]
    pairs = [(name, uri) for one in parts if isinstance(one, dict) for name, uri in one.items()]
    return {name: uri for name, uri in pairs if isinstance(name, str) and isinstance(uri, str)}


def _event(number: int, said: Any, spaces: Mapping[str, str]) -> Event:
    wrong = fault(said)
    body: Raw = dict(said) if isinstance(said, dict) else {"event": said}
    if wrong is None:
        own = {**spaces, **_spaces(body.get("@context"))}
        used = {name: own[name] for name in own if _uses(body, f"{name}:")}
        body.pop("@context", None)
        if not body.get("eventID"):
            body["eventID"] = event_hash(body, own)
        if used:
            body["@context"] = [used]
    return Event(number, body, wrong)


def _uses(value: Any, prefix: str) -> bool:
    if isinstance(value, dict):
        return any(name.startswith(prefix) or _uses(one, prefix) for name, one in value.items())
    if isinstance(value, list):
        return any(_uses(one, prefix) for one in value)
    return isinstance(value, str) and value.startswith(prefix)
