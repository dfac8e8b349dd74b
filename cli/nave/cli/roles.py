"""`nave serve`, `nave worker`, `nave schedule`: the parts of a hub as processes of their own, any number of each."""

from __future__ import annotations

import os

from nave.cli import exits
from nave.cli.hubs import opened_hub
from nave.cli.lock import held
from nave.cli.run import both, running
from nave.cli.session import Session
from nave.cli.supervise import refuse_embedded, unless_orphaned
from nave.workers.loops import Run


def serve(session: Session) -> int:
    """Only the doors: take events in and land them."""
    return _work(session, "serve", frozenset(), http=True)


def worker(session: Session, *, poll: float) -> int:
    """Apply what is landed, deliver what is due, and look after what was left behind."""
    return _work(session, "worker", frozenset({"apply", "deliver", "sweep"}), poll=poll)


def schedule(session: Session, *, poll: float) -> int:
    """Read the sources when it is time; a second one stands by, and takes over when the first is gone."""
    return _work(session, "schedule", frozenset({"read"}), poll=poll)


def _work(session: Session, role: str, parts: frozenset[str], *, poll: float = 1.0, http: bool = False) -> int:
    with opened_hub(session) as (config, hub):
        refuse_embedded(hub.store)
        work = Run(hub, poll=poll)
        with held(hub.folder, shared=True), running(work, config, http=http, parts=parts, alone=False) as (ending, url):
            closed = "_closed" if http and url is None else ""
            what = session.words(f"roles.{role}{closed}", url=url)
            session.remark("roles.started", hub=config.name, what=what, pid=os.getpid())
            work.wait(both(ending.check, unless_orphaned(session.environ)))
        session.remark("run.ended")
    return exits.INTERRUPTED if ending.interrupted else exits.FINE
