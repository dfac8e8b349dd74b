"""Reads from a peer that begins to misbehave in the middle, as the hub would, and compares what landed with what was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from nave.connectors.conformance.behaviours import Behaviour, Text
from nave.connectors.conformance.ledger import LISTED
from nave.connectors.conformance.report import Verdict
from nave.connectors.conformance.sinks import LONG, Peer, cleared, troubled
from nave.connectors.conformance.ways import At, SourceWay
from nave.connectors.conformance.words import NOTHING, joined, worded
from nave.core.errors import NaveError
from nave.core.protocols import ConnectorSpec, Setting, Source

_ROUNDS = 4
THERE = tuple((one["code"], one["name"]) for one in LISTED)


@dataclass
class Landed:
    """What a connector gave."""

    position: str | None = None
    records: list[tuple[str, str]] = field(default_factory=list)
    """All of them, from every read."""
    last: list[tuple[str, str]] = field(default_factory=list)
    """Those of the read that came to its end."""
    finished: bool = False
    errors: list[NaveError] = field(default_factory=list)
    strange: list[BaseException] = field(default_factory=list)

    def missing(self) -> list[tuple[str, str]]:
        """What is not here yet."""
        return [one for one in THERE if one not in self.records]


def read(landed: Landed, spec: ConnectorSpec, way: SourceWay, at: At, peer: Peer, behaviour: Behaviour, begins: int) -> None:
    """Until a read comes to its end: the first while it misbehaves, the others once it behaves."""
    peer.misbehave(behaviour, begins)
    with troubled(at, behaviour) as there:
        _once(landed, spec, way, there)
    peer.heal()
    for _ in range(_ROUNDS):
        if landed.finished and not (way.again and landed.missing()):
            return
        _once(landed, spec, way, replace(at, seconds=LONG))


def _once(landed: Landed, spec: ConnectorSpec, way: SourceWay, at: At) -> None:
    landed.last, landed.finished = [], False
    try:
        with _opened(spec, way, at) as source:
            for batch in source.read(landed.position):
                told = [way.told(record) for record in batch.records]
                landed.records += told
                landed.last += told
                landed.errors += [refused.error for refused in batch.refused]
                landed.position = batch.position if batch.position is not None else landed.position
    except NaveError as error:
        landed.errors.append(error)
    else:
        landed.finished = True


@contextmanager
def _opened(spec: ConnectorSpec, way: SourceWay, at: At) -> Iterator[Source]:
    assert spec.source is not None
    assert spec.source_options is not None
    options = spec.source_options.model_validate(way.options(at))
    setting = Setting("conform.records", at.folder)
    with spec.source(spec.options.model_validate(way.connection(at)), options, setting) as source:
        yield source


def judge_landed(landed: Landed, behaviour: Behaviour, *, ended: bool) -> tuple[dict[str, Verdict], Text]:
    """The four verdicts, and the reason for the first broken promise, or the first error."""
    missing = landed.missing()
    wrong = [one for one in landed.records if one not in THERE]
    clear, unclear = cleared(landed.errors, landed.strange, behaviour)
    verdicts = {
        "lost": Verdict.YES if landed.finished and not missing and not wrong else Verdict.NO,
        "twice": Verdict.NO if _repeats(landed.last) else Verdict.YES,
        "clear": clear,
        "ends": Verdict.YES if ended else Verdict.NO,
    }
    first = worded("error", error=landed.errors[0]) if landed.errors else NOTHING
    why = worded("skipped", key=missing[0][0]) if missing else worded("garbled", key=wrong[0]) if wrong else NOTHING
    return verdicts, joined((why, unclear, first))


def _repeats(records: Sequence[tuple[str, str]]) -> bool:
    """Within one read; that a later read gives a record again changes nothing in the hub."""
    return len(set(records)) < len(records)
