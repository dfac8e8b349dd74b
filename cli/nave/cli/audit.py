"""`nave audit`: who did what, and whether the record of it is what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nave.cli import exits, moments
from nave.cli.failures import error_line
from nave.cli.hubs import opened_store
from nave.cli.page import Page
from nave.cli.session import Session
from nave.config import HubConfig
from nave.config.problems import MASK
from nave.core import audit
from nave.core.chain import Entry, Flaw, flaws
from nave.core.clock import id_text
from nave.core.entities import decode
from nave.core.heads import Heads
from nave.core.texts import message

_Listed = Sequence[tuple[Entry, int | None]]


def list_entries(session: Session, *, limit: int, actor: str | None, action: str | None, subject: str | None) -> None:
    """Entries, the newest first."""
    with opened_store(session) as (config, store), store.read() as tx:
        found = audit.entries(tx, limit, actor=actor, action=action, subject=subject)
    told = [(one, place, _told(one, config)) for one, place in found]
    data = [
        {
            "id": id_text(one.id),
            "place": place,
            "at": moments.machine(one.at),
            "actor": one.actor,
            "action": one.action,
            "subject": one.subject,
            "detail": detail,
        }
        for one, place, detail in told
    ]
    session.answer({"entries": data}, _list_lines(told, session.page), rows="entries")


def _told(one: Entry, config: HubConfig) -> dict[str, Any]:
    """What was done exactly; a value that the company calls sensitive is masked."""
    detail: dict[str, Any] = decode(one.detail)
    rules = config.entities.get(one.subject.partition("/")[0])
    hidden = rules is not None and detail.get("field") in rules.sensitive
    return {**detail, "value": MASK} if hidden and "value" in detail else detail


def _list_lines(told: Sequence[tuple[Entry, int | None, Mapping[str, Any]]], page: Page) -> Iterator[str]:
    if not told:
        yield page.words("audit.none")
        return
    columns = page.columns(
        "audit", "place", "at", "actor", "action", "subject", "detail", right="place", elastic="detail", spare="place"
    )
    rows: list[Any] = [
        (place or "", page.at(one.at), one.actor, one.action, one.subject, _text(detail)) for one, place, detail in told
    ]
    yield from page.table(columns, rows)


def _text(detail: Mapping[str, Any]) -> str:
    """The reason that was given; else what else is known."""
    if detail.get("reason"):
        return str(detail["reason"])
    return ", ".join(f"{name}: {value}" for name, value in detail.items() if value not in (None, [], ""))


def verify(session: Session) -> int:
    """Hold the chain against itself and against its heads; the exit status says whether all is well."""
    with opened_store(session) as (config, store):
        file = config.heads()
        heads = file.read()  # before the store is looked at, which may only know more
        with store.read() as tx:
            found = [*heads.flaws, *flaws(audit.chain(tx), heads.by_place)]
            end, left = audit.last(tx), audit.unsealed(tx)
    for one in found if session.form != "json" else ():
        session.note(error_line(session, one.code, _flaw_text(one, session.language)))
        session.note(f"  {session.words('error.help')}: {message(one.code, 'help', session.language)}")
    data = {
        "sealed": end.place,
        "unsealed": left,
        "heads": len(heads.by_place),
        "vouched": _vouched(heads),
        "signed": bool(config.audit.keys),
        "lost": heads.lost,
        "flaws": [
            {"code": one.code, "text": _flaw_text(one, session.language), "place": one.place, "last": one.last}
            for one in found
        ],
    }
    session.answer(data, _verdict_lines(data, str(file.path.name), session.page))
    return exits.PROBLEM if found else exits.FINE


def _vouched(heads: Heads) -> int:
    return max(heads.by_place, default=0)


def _flaw_text(flaw: Flaw, language: str) -> str:
    return message(flaw.code, "text", language, place=flaw.place, last=flaw.last)


def _verdict_lines(data: Mapping[str, Any], file: str, page: Page) -> Iterator[str]:
    words = page.words
    if data["flaws"]:
        yield page.style(words.counted("audit.flawed", len(data["flaws"])), "bad")
    else:
        yield page.style(words.counted("audit.whole", data["sealed"]), "good")
    if data["heads"]:
        key = "audit.vouched.signed" if data["signed"] else "audit.vouched"
        yield words(key, place=f"{data['vouched']:,}", file=file)
    elif data["sealed"]:
        yield page.style(words("audit.unvouched", file=file), "warning")
    if data["unsealed"]:
        yield words.counted("audit.unsealed", data["unsealed"])
    if data["lost"]:
        yield words.counted("audit.lost", data["lost"])
