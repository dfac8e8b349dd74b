"""`nave review list`, `show` and `log`: what waits for a person, two records side by side, and what was decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import known, opened_hub, opened_store
from nave.cli.naming import shown, the_records
from nave.cli.page import Page
from nave.cli.records import MASK
from nave.cli.session import Session
from nave.cli.show import plain
from nave.cli.tables import Cell
from nave.config import EntityRules, HubConfig
from nave.core.actions import Action, action_data, actions
from nave.core.clock import id_text
from nave.core.reviewing import Comparison, Told, Waiting, compare, comparison_data, in_short, waiting, waiting_data


def list_pairs(session: Session, *, entity: str | None, limit: int) -> None:
    """Pairs that may be the same thing, the likeliest first, entity by entity."""
    with opened_hub(session) as (config, hub):
        named = [known(entity, config.entities, "NAVE-E203")] if entity else sorted(hub.entities)
        scored = [name for name in named if hub.entities[name].identity.scored is not None]
        found: list[Waiting] = []
        more = False
        with hub.store.read() as tx:
            for name in scored:
                page = waiting(tx, hub.entities[name], limit - len(found), None) if len(found) < limit else None
                found += page.pairs if page else []
                more = more or page is None or page.cursor is not None
    data = {"pairs": [waiting_data(one, config.entities[one.entity].sensitive) for one in found], "more": more}
    session.answer(data, _list_lines(session, config, found, scored), rows="pairs")
    if session.human and more:
        session.remark("review.more")


def _list_lines(session: Session, config: HubConfig, found: Sequence[Waiting], scored: Sequence[str]) -> Iterator[str]:
    page = session.page
    if not found:
        yield page.words("review.none" if scored else "review.not_scored")
        return
    columns = page.columns(
        "review", "entity", "score", "one", "two", "why", "since", right="score", elastic="one two", spare="since entity"
    )
    rows = []
    for one in found:
        sides = [f"{shown(side.name)}  {_short(side, config.entities[one.entity])}" for side in (one.a, one.b)]
        why = page.words(f"review.why.{one.why}", link=f"{one.link:g}")
        rows.append((one.entity, _score(one.score), *sides, why, page.at(one.since)))
    yield from page.table(columns, rows)


def _short(side: Told, rules: EntityRules) -> str:
    """What it is called, the key left out: that is there already."""
    fields = [name for name in rules.entity.model.model_fields if name not in rules.sensitive]
    return "  ".join(str(value) for value in in_short(side.document, fields).values() if value != side.name[1])


def _score(score: float) -> str:
    return f"{score:.4f}"


def show_pair(session: Session, *, one: str, other: str) -> None:
    """Two source records, field by field, with the score's bars, and the golden records they belong to."""
    with opened_hub(session) as (config, hub), hub.store.read() as tx:
        entity, (a, b) = the_records(tx, config, (one, other))
        found = compare(tx, hub.entities[entity], a, b)
    if found is None:
        raise Stop(exits.USAGE, "NAVE-E102", name=one[:80], names=shown(a))
    hidden = config.entities[entity].sensitive
    session.answer(comparison_data(found, hidden), _comparison_lines(found, hidden, session.page), rows="fields")


def _comparison_lines(found: Comparison, hidden: frozenset[str], page: Page) -> Iterator[str]:
    titles = (page.words("review.field").upper(), "", shown(found.a.name), shown(found.b.name))
    columns = page.columns("review", "field", "one", "one", "two", elastic="one two")
    named = [_titled(column, title) for column, title in zip(columns, titles, strict=True)]
    yield from page.table(named, list(_field_rows(found, hidden)))
    yield ""
    yield from _belonging(found, page)
    if found.shared:
        yield page.words("review.shared", rule=", ".join(found.shared))
    for one in found.decisions:
        verdict = page.words(f"verdict.{one.verdict}")
        yield page.words("review.decided", verdict=verdict, actor=one.actor, at=page.at(one.at), reason=one.reason or "-")
    if found.steps:
        yield ""
        yield from _waterfall(found, hidden, page)


def _titled(column: Any, title: str) -> Any:
    from dataclasses import replace

    return replace(column, title=title)


def _field_rows(found: Comparison, hidden: frozenset[str]) -> Iterator[tuple[Cell | str, ...]]:
    for line in found.lines:
        mark = Cell("≠", "warning") if line.differs else Cell("=", "dim")
        yield line.field, mark, _value(line.field, line.left, hidden), _value(line.field, line.right, hidden)


def _value(field: str, value: Any, hidden: frozenset[str]) -> str:
    if value is None:
        return "-"
    return MASK if field in hidden else plain(value)


def _belonging(found: Comparison, page: Page) -> Iterator[str]:
    if found.together:
        yield page.heading("review.together", id=id_text(found.a.record_id))
    else:
        yield page.heading("review.clusters")
    columns = page.columns("review", "record", "keys", elastic="keys")
    goldens = {one.id: one for one in found.goldens}
    rows = [
        (id_text(number), ", ".join(shown((key.system, key.key)) for key in one.keys)) for number, one in goldens.items()
    ]
    yield from page.table(columns, rows)


def _waterfall(found: Comparison, hidden: frozenset[str], page: Page) -> Iterator[str]:
    yield page.heading("review.waterfall", score=_score(found.score or 0.0))
    columns = page.columns(
        "review",
        "field",
        "comparison",
        "level",
        "one",
        "two",
        "bits",
        "probability",
        right="bits probability",
        elastic="one two",
    )
    rows = [
        (
            step.field or page.words("review.prior"),
            step.comparison if step.field else "",
            step.level,
            MASK if step.field in hidden and step.left else step.left,
            MASK if step.field in hidden and step.right else step.right,
            f"{step.bits:+.2f}",
            _score(step.probability),
        )
        for step in found.steps
    ]
    yield from page.table(columns, rows)


def log(session: Session, *, limit: int) -> None:
    """What people decided, the newest first."""
    with opened_store(session) as (_, store), store.read() as tx:
        found = actions(tx, limit)
    session.answer({"actions": [action_data(one) for one in found]}, _log_lines(found, session.page), rows="actions")


def _log_lines(found: Sequence[Action], page: Page) -> Iterator[str]:
    if not found:
        yield page.words("review.log_empty")
        return
    columns = page.columns(
        "review", "id", "when", "actor", "what", "subject", "state", "reason", elastic="subject reason", spare="when"
    )
    rows = [
        (
            id_text(one.id),
            page.at(one.at),
            one.actor,
            page.words.named("review.action", one.what),
            _subject(one),
            _state_cell(one, page),
            one.detail.get("reason") or "",
        )
        for one in found
    ]
    yield from page.table(columns, rows)


def _subject(one: Action) -> str:
    """Both records where the decision is about two; the first of them where it is about more."""
    says = one.detail.get("says", ())
    if len(says) == 1:
        return f"{one.detail['entity']}/{says[0][1]} {says[0][2]}"
    return f"{one.subject} ({id_text(one.detail['of'])})" if one.detail.get("of") else one.subject


def _state_cell(one: Action, page: Page) -> Cell:
    state = one.state
    if one.kept:
        key = "review.state.kept" if state == "standing" else "review.kept_only"
        return Cell(page.words(key, count=len(one.kept)), "warning")
    return Cell(page.words(f"review.state.{state}")) if state else Cell("")
