"""Sends records to a peer that misbehaves as the hub would send them, and compares what is said with what was done."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from nave.connectors.conformance.behaviours import Behaviour, Text
from nave.connectors.conformance.ledger import FIRST, outgoing
from nave.connectors.conformance.listening import bound
from nave.connectors.conformance.report import Verdict
from nave.connectors.conformance.ways import At, SinkWay
from nave.connectors.conformance.words import NOTHING, joined, worded
from nave.core.errors import ConfigError, NaveError
from nave.core.protocols import ConnectorSpec, Outbound, Outcome, Receipt, Setting, Sink

SHORT, LONG = 1.0, 30.0
"""Seconds of a connector's time limits: where only they end a call, and everywhere else."""
_ROUNDS = 4
_LOOK = 0.1
_UNFILLED = re.compile(r"\{[a-z_]+\}")


class Peer(Protocol):
    """The far side of one run."""

    def misbehave(self, behaviour: Behaviour, begins: int = 0) -> None:
        """From now on, or after so many calls."""

    def heal(self) -> None:
        """Behave from now on."""

    def cut(self) -> None:
        """Let go of everybody: the run takes too long."""

    def effects(self) -> Mapping[str, int]:
        """Key -> how often it took effect."""


@dataclass
class Sent:
    """What a connector said of what it sent."""

    done: dict[str, Receipt] = field(default_factory=dict)
    refused: dict[str, Receipt] = field(default_factory=dict)
    unknown: dict[str, Outbound] = field(default_factory=dict)
    waiting: list[Outbound] = field(default_factory=list)
    errors: list[NaveError] = field(default_factory=list)
    strange: list[BaseException] = field(default_factory=list)
    """Errors that are none of the hub's."""

    def write(self, sink: Sink, records: Sequence[Outbound]) -> None:
        """One call, and what it means for each record."""
        if not records:
            return
        try:
            receipts = sink.write(records)
        except NaveError as error:
            self.errors.append(error)
            self.waiting += records
            return
        if len(receipts) != len(records):
            raise AssertionError(f"{len(receipts)} receipts for {len(records)} records")
        for record, receipt in zip(records, receipts, strict=True):
            self._book(record, receipt)

    def _book(self, record: Outbound, receipt: Receipt) -> None:
        if receipt.error is not None:
            self.errors.append(receipt.error)
        if receipt.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE):
            self.done[record.key] = receipt
        elif receipt.outcome is Outcome.REJECTED:
            self.refused[record.key] = receipt
        elif receipt.outcome is Outcome.UNKNOWN:
            self.unknown[record.key] = record
        else:
            self.waiting.append(record)

    def taken(self) -> list[Outbound]:
        """Those that wait, to be tried again."""
        waiting, self.waiting = self.waiting, []
        return waiting


def deliver(
    sent: Sent, spec: ConnectorSpec, way: SinkWay, at: At, peer: Peer, behaviour: Behaviour, begins: int = 0
) -> None:
    """Some records while it misbehaves, more once it behaves, on the same connections where that is possible; then again
    what is to be tried again, after the probe has been asked about what is unknown."""
    first, rest = outgoing()[:FIRST], outgoing()[FIRST:]
    peer.misbehave(behaviour, begins)
    try:
        with troubled(at, behaviour) as there, opened(spec, way, there) as sink:
            sent.write(sink, first)
            peer.heal()
            if not (behaviour.hangs or behaviour.away):
                rest_now, rest = rest, []
                sent.write(sink, [*sent.taken(), *rest_now])
    except NaveError as error:
        sent.errors.append(error)
    peer.heal()
    known = {*sent.done, *sent.refused, *sent.unknown, *(record.key for record in sent.waiting)}
    sent.waiting += [record for record in outgoing() if record.key not in known]
    patient = replace(at, seconds=LONG)
    for _ in range(_ROUNDS):
        ask(sent, spec, way, patient)
        if not sent.waiting:
            return
        try:
            with opened(spec, way, patient) as sink:
                sent.write(sink, sent.taken())
        except NaveError as error:
            sent.errors.append(error)


def ask(sent: Sent, spec: ConnectorSpec, way: SinkWay, at: At) -> None:
    """Settle what is unknown with the connector's probe, where the way has one."""
    if not (way.probes and spec.probe and spec.sink_options and sent.unknown):
        return
    connection = spec.options.model_validate(way.connection(at))
    with spec.probe(connection, spec.sink_options.model_validate(way.options(at)), _setting(at)) as probe:
        for key, record in list(sent.unknown.items()):
            try:
                receipt = probe(record)
            except NaveError as error:
                sent.errors.append(error)
                continue
            del sent.unknown[key]
            if receipt is None:
                sent.waiting.append(record)
            else:
                sent.done[key] = receipt


@contextmanager
def opened(spec: ConnectorSpec, way: SinkWay, at: At) -> Iterator[Sink]:
    """The sink of a way."""
    assert spec.sink is not None
    assert spec.sink_options is not None
    options = spec.sink_options.model_validate(way.options(at))
    with spec.sink(spec.options.model_validate(way.connection(at)), options, _setting(at)) as sink:
        yield sink


@contextmanager
def troubled(at: At, behaviour: Behaviour) -> Iterator[At]:
    """Where the peer is while it misbehaves, with time limits that suit."""
    if not behaviour.away:
        yield replace(at, seconds=SHORT if behaviour.hangs else LONG)
        return
    with bound() as sock:
        yield replace(at, seconds=LONG, port=sock.getsockname()[1])


def _setting(at: At) -> Setting:
    return Setting("conform.records", at.folder)


def judge_sent(
    sent: Sent, way: SinkWay, peer: Peer, behaviour: Behaviour, *, ended: bool
) -> tuple[dict[str, Verdict], Text]:
    """The four verdicts, and the reason for the first broken promise, or the first error."""
    effects = _settled(sent, way, peer)
    lost, why = _lost(sent, way, effects, behaviour)
    twice = [key for key, count in effects.items() if count > 1]
    clear, unclear = cleared(sent.errors, sent.strange, behaviour)
    verdicts = {
        "lost": lost,
        "twice": Verdict.NO if twice else Verdict.YES,
        "clear": clear,
        "ends": Verdict.YES if ended else Verdict.NO,
    }
    doubled = worded("doubled", key=twice[0], count=effects[twice[0]]) if twice else NOTHING
    first = worded("error", error=sent.errors[0]) if sent.errors else NOTHING
    return verdicts, joined((why, doubled, unclear, first))


def _settled(sent: Sent, way: SinkWay, peer: Peer) -> Mapping[str, int]:
    """The effects, once all that is said to be done is among them, or the peer's time for that is over."""
    end = time.monotonic() + way.settles
    while True:
        effects = peer.effects()
        if sent.done.keys() <= effects.keys() or time.monotonic() >= end:
            return effects
        time.sleep(_LOOK)


def _lost(sent: Sent, way: SinkWay, effects: Mapping[str, int], behaviour: Behaviour) -> tuple[Verdict, Text]:
    for record in outgoing():
        key = record.key
        if key in sent.done:
            if key not in effects:
                return Verdict.NO, worded("absent", key=key)
            name = sent.done[key].remote_key
            if way.names and behaviour.name != "other" and name not in (None, f"R{key}"):
                return Verdict.NO, worded("mistaken", key=key, name=name)
        elif key in sent.refused:
            if not behaviour.refuses:
                return Verdict.NO, worded("refused", key=key)
        elif key not in sent.unknown:
            return Verdict.NO, worded("open", key=key)
    return (Verdict.NEEDS_A_PROBE if sent.unknown else Verdict.YES), NOTHING


def cleared(errors: Sequence[NaveError], strange: Sequence[BaseException], behaviour: Behaviour) -> tuple[Verdict, Text]:
    """Whether what went wrong was said, in the hub's own errors, in both languages, with what to do."""
    if strange:
        return Verdict.NO, worded("strange", error=f"{type(strange[0]).__name__}: {str(strange[0])[:200]}")
    for error in errors:
        if isinstance(error, ConfigError) and not behaviour.refuses:
            return Verdict.NO, worded("stops", error=error)
        for language in ("en", "zh"):
            if _UNFILLED.search(error.text(language)) or not error.help(language):
                return Verdict.NO, worded("bare", error=error)
    if behaviour.tells and not errors:
        return Verdict.NO, worded("mute")
    if behaviour.paced and not any((getattr(error, "after", None) or 0) > 1 for error in errors):
        return Verdict.NO, worded("unheard")
    return (Verdict.YES if errors else Verdict.NOT_APPLICABLE), NOTHING
