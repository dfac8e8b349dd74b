"""`nave demo`: the example plant from nothing to everything in its place, and the proof that it is right."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nave.cli import exits
from nave.cli.books import Books, as_data, as_lines, books
from nave.cli.failures import Stop
from nave.cli.hubs import opened_hub
from nave.cli.lock import held
from nave.cli.page import Page
from nave.cli.progress import Meter, metered
from nave.cli.records import name_of
from nave.cli.run import running
from nave.cli.session import Session
from nave.cli.verified import Verified, verified
from nave.cli.why import Reasons, explained, reason_lines
from nave.config import HUB_FILE, HubConfig
from nave.config.plant import CrmTarget, generate, push_events, write_example
from nave.core.store import Transaction
from nave.core.views import Golden, in_most_systems
from nave.workers.flows import Hub
from nave.workers.loops import Run

_LEDGER = "data/crm/ledger.jsonl"
_SENT = "data/crm/sent"
"""There once the CRM's events were taken in, so that a second run does not send them again."""
_PORTS = range(19_100, 20_100)
"""Below the range that outgoing connections take theirs from."""
_SHOWN = 3


@dataclass(frozen=True)
class _Outcome:
    """What a run of the plant came to."""

    books: Books
    landed: int
    changed: int
    """Records whose golden form changed in this run."""
    customers: Sequence[Golden]
    reasons: Reasons | None
    verified: Verified


def demo(session: Session, *, folder: Path, size: int, seed: int) -> int:
    """Make the plant if it is not there, run it until nothing is left to do, and show what happened."""
    fresh = _prepare(session, folder, size, seed)
    with CrmTarget(folder / _LEDGER) as target:
        environ = {**session.environ, "CRM_URL": target.url, "NAVE_LISTEN": f"127.0.0.1:{_free_port()}"}
        outcome = _work(replace(session, hub=folder, environ=environ))
    session.answer(_data(folder, outcome), _lines(session.page, folder, outcome, fresh=fresh), rows="sources")
    return exits.PROBLEM if outcome.verified.differences else exits.FINE


def _prepare(session: Session, folder: Path, size: int, seed: int) -> bool:
    """Write the plant into an empty folder; whether that was necessary."""
    if (folder / HUB_FILE).is_file() and (folder / "data" / "truth").is_dir():
        session.remark("demo.again", folder=folder)
        return False
    if folder.exists() and any(folder.iterdir()):
        raise Stop(exits.REFUSED, "NAVE-E220", folder=folder)
    session.remark("demo.making", folder=folder, size=size)
    folder.mkdir(parents=True, exist_ok=True)
    write_example(folder)
    generate(folder, size=size, seed=seed)
    return True


def _free_port() -> int:
    for port in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Stop(exits.UNREACHED, "NAVE-A017", host="127.0.0.1", port=_PORTS.start, reason="no free port")


def _work(session: Session) -> _Outcome:
    with opened_hub(session) as (config, hub), held(hub.folder):
        before = books(hub.store, hub.sources, hub.sinks)
        with metered(session, hub) as meter:
            _until_idle(session, config, hub, meter)
        after = books(hub.store, hub.sources, hub.sinks)
        return _outcome(config, hub, before, after)


def _until_idle(session: Session, config: HubConfig, hub: Hub, meter: Meter) -> None:
    work = Run(hub, poll=0.2, until_idle=True, progress=meter.count)
    with running(work, config, http=True) as (ending, url):
        sent = hub.folder / _SENT
        if url and not sent.exists():
            push_events(hub.folder, url)
            sent.touch()

        def tick() -> None:
            ending.check()
            meter.tick()

        work.wait(tick)
    if ending.by is not None:
        raise KeyboardInterrupt


def _outcome(config: HubConfig, hub: Hub, before: Books, after: Books) -> _Outcome:
    def total(found: Books, *names: str) -> int:
        return sum(int(getattr(one, name)) for one in found.sources for name in names)

    with hub.store.read() as tx:
        customers = in_most_systems(tx, "customer", _SHOWN)
        return _Outcome(
            after,
            landed=total(after, "received") - total(before, "received"),
            changed=total(after, "applied", "waiting") - total(before, "applied", "waiting"),
            customers=customers,
            reasons=_reasons(tx, config, hub, customers),
            verified=verified(tx, config),
        )


def _reasons(tx: Transaction, config: HubConfig, hub: Hub, customers: Sequence[Golden]) -> Reasons | None:
    """Why a customer has its name, of one whose systems do not agree, if there is one among those shown."""
    found = [explained(tx, hub, config, one, "name") for one in customers]
    telling = [one for one in found if _disputed(one)]
    return next(iter([*telling, *found]), None)


def _disputed(reasons: Reasons) -> bool:
    return any(loser.value != one.value for one in reasons.fields for loser in one.losers)


def _data(folder: Path, outcome: _Outcome) -> dict[str, Any]:
    checked = outcome.verified
    return {
        "folder": str(folder),
        "landed": outcome.landed,
        "changed": outcome.changed,
        **as_data(outcome.books),
        "verified": {
            "fields": checked.fields,
            "equal": checked.equal,
            "letters": checked.letters,
            "differences": [str(one) for one in checked.differences],
        },
    }


def _lines(page: Page, folder: Path, outcome: _Outcome, *, fresh: bool) -> Iterator[str]:
    words = page.words
    if not fresh and not outcome.changed:
        yield words("demo.nothing")
        yield ""
    yield from as_lines(outcome.books, page)
    yield ""
    yield page.heading("demo.customers")
    for one in outcome.customers:
        known = ", ".join(f"{key.system} {key.key}" for key in one.keys)
        yield from page.pairs([(name_of(one), f"{one.document['name']}  ←  {known}")])
    if outcome.reasons:
        name = name_of(outcome.reasons.golden)
        yield ""
        yield page.style(f"nave why {name}.name", "bold")
        yield from reason_lines(outcome.reasons, name, page)
    yield ""
    yield from _proof(page, outcome.verified)
    yield ""
    yield from page.pairs(list(_next(page, folder, outcome).items()), indent=0)


def _proof(page: Page, checked: Verified) -> Iterator[str]:
    good = not checked.differences
    verdict = page.style("ok  ", "good") if good else page.style("FAIL", "bad")
    counts = {"equal": f"{checked.equal:,}", "fields": f"{checked.fields:,}", "letters": checked.letters}
    yield f"{verdict}  {page.words('demo.proof' if good else 'demo.proof_bad', **counts)}"
    for one in checked.differences[:10]:
        yield f"      {one}"


def _next(page: Page, folder: Path, outcome: _Outcome) -> Mapping[str, str]:
    """Where everything is, and what to type next."""
    words = page.words
    name = name_of(outcome.customers[0]) if outcome.customers else "customer/KEY"
    return {
        words("demo.files"): f"{folder}/systems  {folder}/mappings  {folder}/entities",
        words("demo.database"): f"{folder}/nave.db",
        words("demo.next"): f"cd {folder}",
        " ": f"nave show {name}",
        "  ": "nave dead list",
        "   ": "nave waiting",
        "    ": "nave run",
    }
