"""`nave trace`: the way of a record through the hub, step by step, found by a key or by any id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.cli import exits, moments
from nave.cli.failures import Stop
from nave.cli.hubs import known, opened_store
from nave.cli.keys import KeyReader
from nave.cli.letters import letter_data, letter_rows
from nave.cli.page import Page
from nave.cli.records import by_id, by_key, identity, name_of, near
from nave.cli.session import Session
from nave.cli.tables import Cell
from nave.config import HubConfig
from nave.core import dead
from nave.core.clock import id_number
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.texts import message
from nave.core.views import Golden, Step, find_named
from nave.core.views import trace as steps_of

_BAD = frozenset({"dead", "letter", "unknown"})
_MOST_LETTERS = 2_000
"""Letters without a key that are looked through; the newest ones."""
_QUIET = ("unit", "sha256", "size", "trace", "said")


@dataclass(frozen=True)
class _Found:
    """All that a name stands for: golden records with their steps, and dead letters that never became part of one."""

    goldens: Sequence[tuple[Golden, list[Step]]]
    letters: Sequence[Any]


def trace(session: Session, *, what: str) -> None:
    """Show the steps of every record that the name stands for."""
    with opened_store(session) as (config, store), store.read() as tx:
        keys = KeyReader(config)
        found = _found(tx, what, config, keys)
    data = {
        "records": [
            {**identity(golden), "steps": [_step_data(one, session.language) for one in steps]}
            for golden, steps in found.goldens
        ],
        "letters": [letter_data(one, session.language, keys) for one in found.letters],
    }
    session.answer(data, _lines(found, session.page, keys), rows="records")


def _found(tx: Transaction, what: str, config: HubConfig, keys: KeyReader) -> _Found:
    entity, _, key = what.partition("/")
    names: list[str] = []
    if key and entity in config.entities:
        goldens, letters = find_named(tx, entity, key), _letters(tx, keys, key, entity)
        names = near(tx, entity, key)
    else:
        goldens, letters = _by_any_name(tx, keys, what)
    if goldens or letters:
        return _Found([(golden, steps_of(tx, golden)) for golden in goldens], letters)
    if not key:
        raise Stop(exits.PROBLEM, "NAVE-E209", name=what[:80])
    known(entity, config.entities, "NAVE-E203")
    raise Stop(exits.PROBLEM, "NAVE-E204", entity=entity, key=key[:80], near=", ".join(names) or "-")


def _by_any_name(tx: Transaction, keys: KeyReader, text: str) -> tuple[list[Golden], list[Any]]:
    """What an id (of a record, a dead letter or a landed batch) or a bare key stands for."""
    number = id_number(text)
    if number is None:
        return by_key(tx, text), _letters(tx, keys, text)
    goldens = by_id(tx, number) or _of_batch(tx, text.upper()) or by_key(tx, text)
    letter = dead.letter(tx, number)
    return goldens, [letter] if letter is not None else []


def _of_batch(tx: Transaction, trace_id: str, most: int = 20) -> list[Golden]:
    """Golden records that a landed batch brought, by its trace id."""
    s, j = t.source_record.c, t.journal.c
    joined = sa.join(t.source_record, t.journal, j.id == s.journal_id)
    rows = tx.rows(sa.select(s.record_id).select_from(joined).where(j.trace == trace_id).distinct().limit(most))
    return [golden for row in rows for golden in by_id(tx, row[0])]


def _letters(tx: Transaction, keys: KeyReader, key: str, entity: str | None = None) -> list[Any]:
    """Dead letters of records that have this key, or this `SYSTEM:KEY`, and did not become part of a golden record."""
    d = t.dead_letter.c
    system, _, own = key.partition(":")
    wanted = sa.select(t.dead_letter).where(d.key.in_([key, own, ""]), d.record_id.is_(None), d.stage == "apply")
    if entity:
        wanted = wanted.where(d.entity == entity)
    rows = tx.rows(wanted.order_by(d.key.desc(), d.id.desc()).limit(_MOST_LETTERS))
    its = [row for row in rows if row.flow.partition(".")[0] == system] if own else []
    return list(dict.fromkeys([*keys.about(rows, key), *keys.about(its, own)]))


def _step_data(step: Step, language: str) -> dict[str, Any]:
    detail = {name: value for name, value in step.detail.items() if name != "said"}
    said = step.detail.get("said")
    if said:
        detail["answer"] = {**said, **({"text": _said(said, language)} if said.get("code") else {})}
    return {"at": moments.machine(step.at), "what": step.what, "where": step.where, "detail": detail}


def _said(said: Mapping[str, Any], language: str) -> str:
    params = {name: value for name, value in said.get("params", {}).items() if name not in ("code", "part", "language")}
    return message(said["code"], "text", language, **params)


def _lines(found: _Found, page: Page, keys: KeyReader) -> Iterator[str]:
    for place, (golden, steps) in enumerate(found.goldens):
        if place:
            yield ""
        yield f"{page.style(name_of(golden), 'bold')}  {page.words('trace.about', version=golden.version)}"
        columns = page.columns("trace", "when", "step", "where", "detail", elastic="detail")
        yield from page.table(columns, [_row(step, page) for step in steps])
    if found.letters:
        if found.goldens:
            yield ""
        yield page.heading("trace.letters")
        yield from letter_rows(found.letters, page, keys)


def _row(step: Step, page: Page) -> tuple[Cell | str, ...]:
    word = Cell(page.words.named("step", step.what), "bad" if step.what in _BAD else "")
    said = step.detail.get("said", {})
    text = f"  {_said(said, page.words.language)}" if said.get("code") else ""
    raw = f"  {said['raw']!r}" if said.get("raw") else ""
    return page.at(step.at), word, step.where, f"{_detail(step.detail)}{text}{raw}"


def _detail(detail: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in detail.items() if value is not None and name not in _QUIET}
    return "  ".join(f"{name}={value}" for name, value in shown.items() if not name.startswith("ce-"))
