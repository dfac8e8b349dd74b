"""Lays out what a decision about identity would do, or did."""

from __future__ import annotations

from collections.abc import Iterator

from nave.cli.naming import shown
from nave.cli.page import Page
from nave.cli.records import MASK
from nave.cli.show import plain
from nave.cli.tables import Cell
from nave.core.clock import id_text
from nave.core.impact import Heard, Impact, Part, relabelled

_STYLES = {"new": "good", "gone": "warning", "create": "good", "withdraw": "warning", "kept": "warning", "without": "bad"}


class _Sheet:
    """One impact on one page."""

    def __init__(self, impact: Impact, page: Page, hidden: frozenset[str], *, done: bool) -> None:
        self.impact = impact
        self.page = page
        self.hidden = hidden
        self.called = impact.labels(done=done)

    def name(self, number: int | None) -> str:
        return "" if number is None else self.called.get(number) or id_text(number)

    def value(self, field: str, value: object) -> str:
        if value is None:
            return "-"
        return MASK if field in self.hidden else plain(value)


def impact_lines(impact: Impact, page: Page, hidden: frozenset[str], *, done: bool) -> Iterator[str]:
    """Records, fields, keys, targets, documents, and what is kept back; parts with nothing in them are left out."""
    sheet = _Sheet(impact, page, hidden, done=done)
    parts = (_records, _fields, _moves, _targets, _papers, _kept, _decided, _pins, _unmet)
    shown_before = False
    for part in parts:
        lines = list(part(sheet))
        if lines and shown_before:
            yield ""
        yield from lines
        shown_before = shown_before or bool(lines)


def _records(sheet: _Sheet) -> Iterator[str]:
    yield sheet.page.heading("impact.records")
    columns = sheet.page.columns("impact", "record", "fate", "keys", elastic="keys")
    rows = [(sheet.name(one.record_id), _fate(sheet, one), ", ".join(map(shown, one.keys))) for one in sheet.impact.parts]
    yield from sheet.page.table(columns, rows)


def _fate(sheet: _Sheet, one: Part) -> Cell:
    word = sheet.page.words(f"impact.fate.{one.fate}", other=sheet.name(one.other))
    return Cell(word, _STYLES.get(one.fate, ""))


def _fields(sheet: _Sheet) -> Iterator[str]:
    concerned = [one for one in sheet.impact.parts if one.changes]
    for place, one in enumerate(concerned):
        if place:
            yield ""
        against = one.other if one.other is not None else one.record_id
        key = "impact.fields_of_new" if one.fate == "new" else "impact.fields"
        yield sheet.page.heading(key, record=sheet.name(one.record_id), other=sheet.name(against))
        columns = sheet.page.columns("impact", "field", "before", "after", elastic="before after")
        rows = [
            (change.field, sheet.value(change.field, change.before), sheet.value(change.field, change.after))
            for change in one.changes
        ]
        yield from sheet.page.table(columns, rows)


def _moves(sheet: _Sheet) -> Iterator[str]:
    if sheet.impact.moves:
        yield sheet.page.heading("impact.moves")
        columns = sheet.page.columns("impact", "name", "from", "to")
        rows = [(shown(one.name), sheet.name(one.before), sheet.name(one.after)) for one in sheet.impact.moves]
        yield from sheet.page.table(columns, rows)


def _targets(sheet: _Sheet) -> Iterator[str]:
    if sheet.impact.targets:
        yield sheet.page.heading("impact.targets")
        columns = sheet.page.columns("impact", "sink", "record", "holds", "next", "values", elastic="values")
        yield from sheet.page.table(columns, [_target(sheet, one) for one in sheet.impact.targets])


def _target(sheet: _Sheet, one: Heard) -> tuple[Cell | str, ...]:
    words = sheet.page.words
    what = Cell(words(f"impact.next.{one.next}"), _STYLES.get(one.next, ""))
    values = "" if one.values is None else MASK if sheet.hidden else plain(relabelled(one.values, sheet.called))
    return one.sink, sheet.name(one.record_id), words(f"impact.holds.{one.holds}"), what, values


def _papers(sheet: _Sheet) -> Iterator[str]:
    if sheet.impact.papers:
        yield sheet.page.heading("impact.documents")
        columns = sheet.page.columns("impact", "entity", "count", "retold", "first", right="count retold", elastic="first")
        rows = [
            (
                one.entity,
                f"{one.records:,}",
                f"{one.retold:,}",
                ", ".join(one.names) + (", …" if one.records > len(one.names) else ""),
            )
            for one in sheet.impact.papers
        ]
        yield from sheet.page.table(columns, rows)


def _kept(sheet: _Sheet) -> Iterator[str]:
    if sheet.impact.kept:
        yield sheet.page.heading("impact.kept")
        columns = sheet.page.columns("impact", "entity", "key", "record", "day")
        names = sheet.impact.names
        rows = [(one.entity, names.get(one.record_id, ""), sheet.name(one.record_id), one.day) for one in sheet.impact.kept]
        yield from sheet.page.table(columns, rows)


def _decided(sheet: _Sheet) -> Iterator[str]:
    if sheet.impact.decisions:
        yield sheet.page.heading("impact.decisions")
        columns = sheet.page.columns(
            "impact", "verdict", "one", "two", "actor", "when", "reason", elastic="reason", spare="when"
        )
        rows = [
            (_verdict(sheet, one.verdict), shown(one.a), shown(one.b), one.actor, sheet.page.at(one.at), one.reason)
            for one in sheet.impact.decisions
        ]
        yield from sheet.page.table(columns, rows)


def _pins(sheet: _Sheet) -> Iterator[str]:
    if sheet.impact.pins:
        yield sheet.page.heading("impact.pins")
        columns = sheet.page.columns("impact", "name", "field", "value", "actor", elastic="value")
        rows = [(shown(one.name), one.field, sheet.value(one.field, one.value), one.actor) for one in sheet.impact.pins]
        yield from sheet.page.table(columns, rows)


def _unmet(sheet: _Sheet) -> Iterator[str]:
    for verdict, a, b in sheet.impact.unmet:
        text = sheet.page.words(f"impact.unmet.{verdict}", one=shown(a), two=shown(b))
        yield sheet.page.style(text, "warning")


def _verdict(sheet: _Sheet, verdict: str) -> str:
    return sheet.page.words(f"verdict.{verdict}")
