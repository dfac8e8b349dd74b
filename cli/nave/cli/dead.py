"""`nave dead list` and `nave dead show`: what could not go on, where it was, why, and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.cli import moments
from nave.cli.cells import printable
from nave.cli.hubs import opened_store
from nave.cli.keys import KeyReader
from nave.cli.letters import letter_data, letter_rows, said, state_of, the_letter, where
from nave.cli.page import Page
from nave.cli.session import Session
from nave.core import dead
from nave.core.clock import id_text
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.texts import message


@dataclass(frozen=True, slots=True)
class _Group:
    """Letters of one flow that died of the same."""

    code: str
    flow: str
    count: int
    oldest: float


def list_letters(session: Session, *, flow: str | None, code: str | None, limit: int) -> None:
    """Open letters, the oldest first, behind their groups by code and flow."""
    with opened_store(session) as (config, store), store.read() as tx:
        groups = _groups(tx, flow, code)
        letters = dead.open_letters(tx, flow, code, limit)
    keys = KeyReader(config)
    data = {
        "open": sum(group.count for group in groups),
        "groups": [
            {"code": one.code, "flow": one.flow, "count": one.count, "oldest": moments.machine(one.oldest)} for one in groups
        ],
        "letters": [letter_data(one, session.language, keys) for one in letters],
    }
    session.answer(data, _list_lines(groups, letters, session.page, keys), rows="letters")


def _groups(tx: Transaction, flow: str | None, code: str | None) -> list[_Group]:
    d = t.dead_letter.c
    counted = sa.select(d.code, d.flow, sa.func.count(), sa.func.min(d.at))
    counted = counted.where(d.state == t.Letter.OPEN)
    if flow:
        counted = counted.where(d.flow == flow)
    if code:
        counted = counted.where(d.code == code)
    rows = tx.rows(counted.group_by(d.code, d.flow).order_by(sa.func.count().desc(), d.code, d.flow))
    return [_Group(*row) for row in rows]


def _list_lines(groups: Sequence[_Group], letters: Sequence[Any], page: Page, keys: KeyReader) -> Iterator[str]:
    if not groups:
        yield page.words("dead.none")
        return
    columns = page.columns(
        "dead",
        "count",
        "code",
        "flow",
        "oldest",
        "about",
        right="count",
        elastic="about",
        spare="oldest",
        least={"about": 30},
    )
    rows = [(one.count, one.code, one.flow, page.at(one.oldest), _about(one.code, page)) for one in groups]
    yield from page.table(columns, rows)
    yield ""
    yield from letter_rows(letters, page, keys)
    total = sum(one.count for one in groups)
    if total > len(letters):
        yield page.style(page.words("dead.more", shown=len(letters), total=f"{total:,}"), "dim")


def _about(code: str, page: Page) -> str:
    """What a code says, whatever the single letter's values are."""
    return re.sub(r"\{\w+\}", "…", message(code, "text", page.words.language))


def show_letter(session: Session, *, number: str) -> None:
    """One letter, whole."""
    with opened_store(session) as (config, store), store.read() as tx:
        letter = the_letter(tx, number)
    keys = KeyReader(config)
    data = {
        **letter_data(letter, session.language, keys),
        "help": said(letter, "help", session.language),
        "detail": letter.detail or None,
        "settled_by": letter.settled_by,
        "settled_at": moments.machine(letter.settled_at),
        "raw": _raw(letter),
    }
    session.answer({"letter": data}, _show_lines(letter, keys.key(letter), session.page))


def _raw(letter: Any) -> Any:
    """The record as data where it is JSON, else its text: numbers keep every digit."""
    try:
        return json.loads(letter.raw, parse_float=str)
    except ValueError:
        return letter.raw


def _show_lines(letter: Any, key: str, page: Page) -> Iterator[str]:
    words, language = page.words, page.words.language
    error = page.style(f"{words('error.error')}[{letter.code}]", "bad")
    yield f"{error}: {printable(said(letter, 'text', language))}"
    if help_ := said(letter, "help", language):
        yield f"  {words('error.help')}: {help_}"
    pairs = [
        (words("dead.id"), id_text(letter.id)),
        (words("dead.state"), _state(letter, page)),
        (words("dead.flow"), f"{letter.flow} ({words.named('stage', letter.stage)})"),
        (words("dead.record"), f"{letter.entity}/{key}" if key else letter.entity),
        (words("dead.where"), where(letter, page)),
        (words("dead.at"), page.at(letter.at)),
    ]
    yield from page.pairs([pair for pair in pairs if pair[1]])
    yield ""
    yield page.heading("dead.raw")
    yield from _raw_lines(letter)
    if letter.detail:
        yield ""
        yield page.heading("dead.detail")
        yield from letter.detail.rstrip().split("\n")
    if letter.state == t.Letter.OPEN:
        yield ""
        yield page.style(words("dead.next", id=id_text(letter.id)), "dim")


def _state(letter: Any, page: Page) -> str:
    state = page.words(f"letter.{state_of(letter)}")
    if letter.settled_by:
        return page.words("dead.settled", state=state, who=letter.settled_by, at=page.at(letter.settled_at))
    return state


def _raw_lines(letter: Any) -> Iterator[str]:
    raw = _raw(letter)
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False, indent=2)
    yield from (f"  {printable(line)}" for line in text.rstrip("\n").split("\n"))
