"""`nave run`: everything, until a signal ends it or, for batch jobs, until nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

from nave.cli import exits
from nave.cli.books import Books, as_data, as_lines, books
from nave.cli.doors import opened_doors
from nave.cli.failures import WrongUsage
from nave.cli.hubs import opened_hub
from nave.cli.lock import held
from nave.cli.progress import metered
from nave.cli.session import Session
from nave.cli.signals import Asked, Ending, ending_by_signal
from nave.cli.supervise import supervise
from nave.config import HubConfig
from nave.workers.flows import Hub
from nave.workers.loops import PARTS, Run
from nave.workers.read import Progress

_SECONDS_TO_END = 4.5


def run(session: Session, *, until_idle: bool, poll: float, no_http: bool, workers: int | None) -> int:
    """Run the hub; with `until_idle` the books are the answer, and 4 says that not everything got through.

    In this one process, or, where a number of `workers` is given, in processes of their own that it looks after.
    """
    if workers is not None:
        if until_idle:
            raise WrongUsage("usage.workers_until_idle")
        return supervise(session, workers=workers, poll=poll, http=not no_http)
    with opened_hub(session) as (config, hub), held(hub.folder):
        if not until_idle:
            return _serve(session, config, Run(hub, poll=poll), http=not no_http)
        with _metered_run(session, hub, poll) as (work, tick), running(work, config, http=not no_http) as (ending, _):
            work.wait(both(ending.check, tick))
        found, failed = books(hub.store, hub.sources, hub.sinks), failed_readers(work)
    _tell(session, config, found, failed)
    if ending.by is not None:
        return exits.INTERRUPTED
    return exits.PARTLY if found.troubled or failed else exits.FINE


def _serve(session: Session, config: HubConfig, work: Run, *, http: bool) -> int:
    """Work until a signal comes."""
    with running(work, config, http=http) as (ending, url):
        counts = {"sources": len(work.hub.sources), "sinks": len(work.hub.sinks)}
        session.remark("run.started" if url else "run.started_closed", hub=config.name, url=url, **counts)
        work.wait(ending.check)
    session.remark("run.ended")
    return exits.INTERRUPTED if ending.interrupted else exits.FINE


@contextmanager
def _metered_run(session: Session, hub: Hub, poll: float) -> Iterator[tuple[Run, Callable[[], None]]]:
    with metered(session, hub) as meter:
        progress: Progress = meter.count
        yield Run(hub, poll=poll, until_idle=True, progress=progress), meter.tick


def both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    """Two things to do at each tick."""

    def tick() -> None:
        first()
        second()

    return tick


@contextmanager
def running(
    work: Run, config: HubConfig, *, http: bool, listen: str | None = None, parts: frozenset[str] = PARTS, alone: bool = True
) -> Iterator[tuple[Ending, str | None]]:
    """All loops at work, and the door open at the URL that is given, while the block runs; then a clean end.

    The block ends early, without an error, when it calls `ending.check` after a signal. The door closes before the
    loops stop, so that what it took in is landed; all in all within five seconds.
    """
    with ending_by_signal() as ending, suppress(Asked):
        work.start(alone=alone, parts=parts)
        begun = [time.monotonic()]
        try:
            with opened_doors(work, config, listen) if http else nullcontext() as url:
                try:
                    yield ending, url
                finally:
                    begun[0] = time.monotonic()
        finally:
            work.close(max(0.5, _SECONDS_TO_END - (time.monotonic() - begun[0])))


def failed_readers(work: Run) -> dict[str, str]:
    """Sources that could not be read at the last try, and why."""
    return {name: str(reader.error) for name, reader in work.readers.items() if reader.error is not None}


def _tell(session: Session, config: HubConfig, found: Books, failed: dict[str, str]) -> None:
    data = {"hub": config.name, **as_data(found), "unreadable": failed}
    session.answer(data, as_lines(found, session.page), rows="sources")
    for name, reason in failed.items():
        session.remark("run.unreadable", source=name, reason=reason)
    dead = sum(one.dead for one in found.sources) + sum(one.dead for one in found.sinks)
    if session.human and dead:
        session.note(session.words.counted("run.dead", dead))
