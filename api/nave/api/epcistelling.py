"""Tells subscribers of EPCIS queries what they asked for, report by report, each at least once and under a number.

What a report covers is noted before it goes out. So after a crash, or when nobody answered, the same events go once more
under the same number, and what came meanwhile goes under the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import sqlalchemy as sa

from nave.api.epcisfound import results
from nave.api.epcisnamed import Named, Subscription, compiled, query_of
from nave.api.epcisquery import following
from nave.api.epcisrules import moment
from nave.api.epcisstore import newest
from nave.api.epcisterms import next_time
from nave.core.clock import id_text
from nave.core.errors import NaveError, RetryableError
from nave.core.protocols import Raw
from nave.core.store import Transaction
from nave.core.store import schema as t

_s = t.epcis_subscription.c
_PROGRESS = ("reached", "until", "round_at", "report", "last", "begun_at", "most", "look_at", "attempts", "error", "told_at")


@dataclass(frozen=True, slots=True)
class Report:
    """One document for one subscriber."""

    system: str
    subscription: str
    number: int
    """With the subscription's id the same each time that it is sent."""
    dest: str
    secret: str | None = field(repr=False)
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Teller:
    """Looks after subscriptions, one at a time; `step` may be called from several threads for different ones."""

    named: Named
    zones: Mapping[str, str]
    """By system, the zone in which its schedules are meant."""
    post: Callable[[Report], NaveError | None]
    """Make the call; why it was not taken, if it was not."""
    pause: Callable[[int], float]
    """Seconds to wait after so many failures in a row."""

    def due(self) -> list[Subscription]:
        """Those whom to look after now."""
        return self.named.due(sorted(self.zones), self.named.clock())

    def step(self, seen: Subscription) -> None:
        """Go on with one subscription by one report at most; what is left to do for it is due again."""
        begun = self._begun(seen)
        if begun is None:
            return
        now, events = begun
        error = self._sent(now, events)
        done = self._told(now) if error is None else self._failed(now, events, error)
        with self.named.store.write() as tx:
            _noted(tx, now, done)

    def _sent(self, now: Subscription, events: list[Raw]) -> NaveError | None:
        """Why a report was not taken, if it was not; nothing goes out without the signature that was asked for."""
        try:
            secret = None if now.secret is None else self.named.seal.open(now.secret)
        except NaveError as error:
            return error
        return self.post(_report(now, events, secret))

    def _begun(self, seen: Subscription) -> tuple[Subscription, list[Raw]] | None:
        """The report to send with its events, noted; None where there is nothing to tell for now, which is noted as well,
        or where somebody else changed something, or ended the subscription."""
        with self.named.store.read() as tx:
            definition = query_of(tx, seen.system, seen.query)
            if definition is None:
                return None
            now = self._in_round(tx, seen)
            asked = compiled(definition)
            if (since := moment(now.terms.get("initialRecordTime"))) is not None:
                asked.where.append(t.epcis_event.c.recorded >= since)
            if now.last is not None:  # what is under way is told again as it was
                return now, following(tx, now.system, asked, (now.reached, now.last), now.most)[0]
            until = newest(tx, now.system) if now.until is None else now.until
            events, last = following(tx, now.system, asked, (now.reached, until), now.most)
        tells = bool(events) or self._tells_of_nothing(now, last)
        now = self._beginning(now, last) if tells else self._passing(now, last)
        with self.named.store.write() as tx:
            return (now, events) if _noted(tx, seen, now) and tells else None

    def _beginning(self, now: Subscription, last: int) -> Subscription:
        return replace(now, report=now.report + 1, last=last, begun_at=self.named.clock())

    def _passing(self, now: Subscription, last: int) -> Subscription:
        """What was looked at in vain is not looked at again."""
        now = replace(now, reached=last)
        return self._round_ended(now) if last == now.until else now

    def _in_round(self, tx: Transaction, seen: Subscription) -> Subscription:
        """By the clock, all that is there when it strikes is one round, which may take several reports."""
        if seen.schedule is None or seen.until is not None or seen.last is not None:
            return seen
        return replace(seen, until=max(newest(tx, seen.system), seen.reached), round_at=self.named.clock())

    def _tells_of_nothing(self, now: Subscription, last: int) -> bool:
        asked = now.terms.get("reportIfEmpty") and last == now.until
        return bool(asked and (now.told_at is None or now.told_at < (now.round_at or 0.0)))

    def _told(self, now: Subscription) -> Subscription:
        done = replace(now, reached=now.last or now.reached, last=None, begun_at=None, attempts=0, error=None)
        done = replace(done, told_at=self.named.clock(), look_at=self.named.clock())
        return self._round_ended(done) if done.until is not None and done.reached >= done.until else done

    def _round_ended(self, now: Subscription) -> Subscription:
        assert now.schedule is not None
        again = next_time(now.schedule, self.zones[now.system], self.named.clock())
        return replace(now, until=None, round_at=None, look_at=again)

    def _failed(self, now: Subscription, events: list[Raw], error: NaveError) -> Subscription:
        if error.params.get("status") == 413 and len(events) > 1:  # fewer at a time, from now on
            return replace(now, most=len(events) // 2, last=None, begun_at=None)
        asked = error.after if isinstance(error, RetryableError) and error.after else 0.0
        pause = max(self.pause(now.attempts + 1), asked)
        told = msgspec.json.encode({"code": error.code, "params": error.params}, enc_hook=str).decode()
        return replace(now, attempts=now.attempts + 1, error=told, look_at=self.named.clock() + pause)


def _report(now: Subscription, events: list[Raw], secret: str | None) -> Report:
    number = id_text(now.id)
    document = results(events, now.begun_at or 0.0, now.query, number)
    return Report(now.system, number, now.report, now.dest, secret, document)


def _noted(tx: Transaction, seen: Subscription, now: Subscription) -> bool:
    """Note how far a subscription has come, unless somebody else did since it was seen."""
    same = (_s.id == seen.id, _s.report == seen.report, _s.reached == seen.reached, _s.attempts == seen.attempts)
    under_way = _s.last.is_(None) if seen.last is None else _s.last == seen.last
    values = {name: getattr(now, name) for name in _PROGRESS}
    return bool(tx.execute(sa.update(t.epcis_subscription).where(*same, under_way).values(values)).rowcount)
