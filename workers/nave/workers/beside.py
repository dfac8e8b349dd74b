"""A hub inside another application's process: publishes, and takes changes, in the application's own transactions."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session

from nave.config import HubConfig, load
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.journal import Landed, Landing, land, prepare_landing
from nave.core.protocols import Batch, Outbound, Outcome, Raw, Receipt
from nave.formats import loads
from nave.workers.alone import Alone
from nave.workers.build import build_hub, compile_hub
from nave.workers.deliver import deliver_step
from nave.workers.flows import Hub as Flows
from nave.workers.flows import SinkFlow
from nave.workers.lent import Lender, Loan, Within
from nave.workers.loops import PARTS, Run
from nave.workers.outcomes import Bug

NAME = "beside"
_BATCH = 1000
_INFO = "nave.published"
_encoder = msgspec.json.Encoder(decimal_format="number")

Effect = Callable[[Outbound], str | None]
"""What the application does with one change; it may give back the key under which it keeps the record.

A PermanentError makes the change a dead letter, a RetryableError has it brought again later.
"""


class Hub:
    """One hub in this process. Threads may share it; a process that forks opens its own behind the fork."""

    def __init__(self, config: HubConfig, hub: Flows) -> None:
        self._config = config
        self._hub = hub
        self._lender = Lender(hub.store)
        self._effects: dict[str, Effect] = {}
        self._run: _Threads | None = None
        self._alone: Alone | None = None

    @classmethod
    def open(cls, folder: str | Path, *, environ: Mapping[str, str] | None = None) -> Hub:
        """The hub of a folder, with its store open and nothing at work; a ConfigError says what is wrong with it."""
        loaded = load(Path(folder).absolute(), environ=os.environ if environ is None else environ)
        compiled = compile_hub(loaded.partial)
        wrong = [one for one in [*loaded.problems, *compiled.problems] if one.severity == "error"]
        if loaded.config is None or wrong:
            said = "; ".join(f"{one.file}:{one.line}: {one.code}: {one.text()}" for one in wrong[:3])
            raise ConfigError("NAVE-K356", folder=folder, problems=said)
        return cls(loaded.config, build_hub(loaded.config, compiled))

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop what was started, and let the store go."""
        if self._run is not None:
            self._run.close()
        else:
            self._hub.hints.close()
        self._hub.store.close()
        if self._alone is not None:
            self._alone.end()

    def publish(
        self, on: Any, source: str, records: Iterable[Mapping[str, Any]], *, origin: Mapping[str, str | int] | None = None
    ) -> list[Landed]:
        """Write records into the journal in the open transaction of `on`; they are there when, and if, it commits.

        `on` is a SQLAlchemy connection or session, or a connection or cursor of psycopg or sqlite3. A PermanentError
        refuses what the door would refuse, a RetryableError says that too much waits: both before anything is written.
        Publish behind the write that locks the row, so that two changes of one record are heard in their order.
        """
        landings = self._prepared(source, records, {"unit": "event", **(origin or {})})
        if landings and not self._hub.depth.room(source):
            raise self._hub.depth.refusal(source) or RetryableError("NAVE-E004", after=1.0, waiting=len(landings))
        if not landings:
            return []
        with self._lender.lent(on) as loan:
            landed = [land(loan.tx, one, self._hub.clock, self._hub.ids) for one in landings]
        for one in landings:
            self._hub.depth.landed(source, len(one.batch.records), len(one.body))
        _when_committed(on, self.announce)
        return landed

    def announce(self) -> None:
        """Say that something was committed: best effort, and only to save the second after which it is found anyway.

        Sessions of SQLAlchemy do it by themselves; behind the commit of any other transaction the application may.
        """
        self._hub.hints.announce(["apply"])

    def changes(self, on: Any, sink: str, limit: int = 100) -> list[Outbound]:
        """Changes that the sink has not had, in the shape of its mapping; had, when and if the transaction of `on` commits.

        What the application makes of them in the same transaction has its effect exactly once. Each record is there once,
        in its latest version. Until the end of the transaction nobody else gets these records, so it should be short.
        """
        found: list[Outbound] = []
        self.take(on, sink, lambda one: found.append(one), limit)
        return found

    def take(self, on: Any, sink: str, effect: Effect, limit: int = 100) -> int:
        """As `changes`, but calls `effect` with each, behind a savepoint; how many there were.

        Where it raises a PermanentError its writes are undone and the change is a dead letter; a RetryableError has it
        brought again later. Anything else comes out here, and the application rolls back.
        """
        flow = replace(self._sink(sink), batch=limit, idempotent=True)
        with self._lender.lent(on) as loan:
            hub = replace(self._hub, store=Within(loan.tx, self._hub.store.embedded), left={})
            called = _Called(effect, loan)
            done = deliver_step(hub, flow, called)
            if called.broken is not None:
                raise called.broken
        return done.claimed if done else 0

    def subscribe(self, sink: str, effect: Effect) -> None:
        """Call `effect` with each change from `start` on, in a thread of the hub's: at least once, in order per record."""
        self._sink(sink)
        if self._run is not None or sink in self._effects:
            raise ConfigError("NAVE-K357", sink=sink, reason="twice" if sink in self._effects else "started")
        self._effects[sink] = effect

    def start(self, *, whole: bool = True, poll: float = 1.0) -> None:
        """Work in threads of this process until `close`: all of the hub, or without `whole` only what was subscribed to.

        On SQLite one process works on a hub: a ConfigError where another one does.
        """
        if self._hub.store.embedded:
            self._alone = Alone(self._hub.folder)
        sinks = {name: self._bound(flow) for name, flow in self._hub.sinks.items()}
        self._hub = replace(self._hub, sinks=sinks)
        self._run = _Threads(self._hub, poll=poll)
        with _interpreter_as_it_was():
            self._run.start(alone=True, parts=PARTS if whole else frozenset())
        if not whole:
            self._run.deliver_to(self._effects)

    def _bound(self, flow: SinkFlow) -> SinkFlow:
        effect = self._effects.get(flow.name)
        return flow if effect is None else replace(flow, open=partial(_Called, effect))

    def _sink(self, name: str) -> SinkFlow:
        config = self._config.sinks.get(name)
        if config is None or config.connection.spec.name != NAME or name not in self._hub.sinks:
            mine = [one.name for one in self._config.sinks.values() if one.connection.spec.name == NAME]
            raise ConfigError("NAVE-K357", sink=name[:80], reason=", ".join(sorted(mine)) or "-")
        return self._hub.sinks[name]

    def _prepared(self, source: str, records: Iterable[Mapping[str, Any]], origin: Mapping[str, str | int]) -> list[Landing]:
        """Everything that can be refused is refused here, before the database is touched."""
        config = self._config.sources.get(source)
        if config is None or config.connection.spec.name != NAME:
            mine = [one.name for one in self._config.sources.values() if one.connection.spec.name == NAME]
            raise ConfigError("NAVE-K353", source=source[:80], reason=", ".join(sorted(mine)) or "-")
        whole = list(_checked(source, records, getattr(config.options, "max_size", 16 * 2**20)))
        cut = [whole[start : start + _BATCH] for start in range(0, len(whole), _BATCH)]
        batches = [Batch(some, [(number, None) for number in range(1, len(some) + 1)], origin) for some in cut]
        return [prepare_landing(source, config.entity, batch, self._hub.ids) for batch in batches]


class _Threads(Run):
    """A run that may also leave everything but some deliveries to other processes."""

    def deliver_to(self, sinks: Iterable[str]) -> None:
        """Deliver to these sinks."""
        for name in sinks:
            self._spawn(f"deliver {name}", partial(self._deliver, self.hub.sinks[name]))


class _Called:
    """The application's callable as a sink."""

    def __init__(self, effect: Effect, loan: Loan | None = None) -> None:
        """With a loan it is called in a transaction of the application's: what nobody thought of breaks that off."""
        self._effect = effect
        self._loan = loan
        self.broken: Exception | None = None

    def __enter__(self) -> _Called:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Call it with each; one that fails keeps no other back."""
        with nullcontext() if self._loan is None else self._loan.outside():
            return [self._receipt(record) for record in records]

    def _receipt(self, record: Outbound) -> Receipt:
        if self.broken is not None:
            return Receipt(Outcome.RETRY, tried=False)
        try:
            return Receipt(Outcome.ACCEPTED, remote_key=self._call(record))
        except (RetryableError, ConfigError) as error:
            return Receipt(Outcome.RETRY, error=error)
        except UnknownOutcome as error:
            return Receipt(Outcome.UNKNOWN, error=error)
        except NaveError as error:
            return Receipt(Outcome.REJECTED, error=error)
        except Exception as error:
            if self._loan is None:
                return Bug(Outcome.REJECTED, cause=error)
            self.broken = error
            return Receipt(Outcome.RETRY, tried=False)

    def _call(self, record: Outbound) -> str | None:
        if self._loan is None:
            return self._effect(record)
        with self._loan.tx.savepoint():
            return self._effect(record)


def _checked(source: str, records: Iterable[Mapping[str, Any]], most: int) -> Iterator[Raw]:
    """The records as the door would have read them: plain values, within the limits of JSON from outside."""
    size = 0
    for number, record in enumerate(records, 1):
        try:
            text = _encoder.encode(record)
            size += len(text)
            if size > most:
                raise PermanentError("NAVE-K355", size=size, source=source, limit=most)
            value = loads(text)
        except (TypeError, ValueError, RecursionError, UnicodeError) as error:
            raise PermanentError("NAVE-K354", number=number, source=source, reason=str(error)[:200]) from error
        except PermanentError as error:
            if error.code == "NAVE-K355":
                raise
            raise PermanentError("NAVE-K354", number=number, source=source, reason=str(error)) from error
        if not isinstance(value, dict):
            raise PermanentError("NAVE-K354", number=number, source=source, reason=type(record).__name__)
        yield value


def _when_committed(on: Any, tell: Callable[[], None]) -> None:
    """Only sessions say when a commit is done; connections do so before it, which would be too early."""
    session = on() if isinstance(on, scoped_session) else on
    if not isinstance(session, Session):
        return
    if _INFO not in session.info:
        sa.event.listen(session, "after_commit", _tell)
    session.info[_INFO] = tell


def _tell(session: Session) -> None:
    tell, session.info[_INFO] = session.info[_INFO], None
    if tell is not None:
        tell()


@contextmanager
def _interpreter_as_it_was() -> Iterator[None]:
    """A run settles the interpreter for itself, but here it is a guest."""
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
