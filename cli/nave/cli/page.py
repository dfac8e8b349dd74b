"""Lays out answers for people: headings, tables and pairs, in colour where that helps, never by colour alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from nave.cli import moments
from nave.cli.cells import padded, printable, width, wrapped
from nave.cli.tables import Cell, Column, Row, laid_out
from nave.cli.words import Words

_STYLES = {
    "head": {"bold": True},
    "bold": {"bold": True},
    "dim": {"dim": True},
    "good": {"fg": "green"},
    "warning": {"fg": "yellow", "bold": True},
    "bad": {"fg": "red", "bold": True},
}


@dataclass(frozen=True)
class Page:
    """A place of so many columns (None: as many as needed) on which an answer is laid out."""

    words: Words
    room: int | None
    color: bool
    utc: bool

    def style(self, text: str, name: str) -> str:
        """The text in one of the styles, where colours are shown."""
        return click.style(text, **_STYLES[name]) if self.color and name in _STYLES else text  # type: ignore[arg-type]

    def heading(self, key: str, **params: object) -> str:
        """A line above a part of the answer."""
        return self.style(self.words(key, **params), "bold")

    def table(self, columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
        """A table; a last line names columns there was no room for."""
        laid = laid_out(columns, rows, self.room, self.style)
        yield from laid.lines
        if laid.left_out:
            yield self.style(self.words("table.left_out", columns=", ".join(laid.left_out)), "dim")

    def columns(
        self,
        prefix: str,
        *names: str,
        right: str = "",
        elastic: str = "",
        spare: str = "",
        least: Mapping[str, int] | None = None,
    ) -> list[Column]:
        """Columns whose titles are the texts `PREFIX.NAME`; `right`, `elastic` and `spare` list names.

        `least` says how narrow an elastic one may become before others are left out.
        """
        order = spare.split()
        return [
            Column(
                self.words(f"{prefix}.{name}").upper(),
                least=(least or {}).get(name, 12),
                right=name in right.split(),
                elastic=name in elastic.split(),
                spare=len(order) - order.index(name) if name in order else 0,
            )
            for name in names
        ]

    def pairs(self, pairs: Sequence[tuple[str, str]], indent: int = 2) -> Iterator[str]:
        """Names and values in two columns; long values go on below their begin."""
        left = max((width(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            room = max(20, self.room - indent - left - 2) if self.room else 1_000_000
            first, *others = wrapped(printable(value), room)
            yield f"{' ' * indent}{self.style(padded(printable(name), left), 'dim')}  {first}".rstrip()
            yield from (f"{' ' * (indent + left + 2)}{line}" for line in others)

    def at(self, seconds: float | None) -> str:
        """A time as this user wants to see it."""
        return moments.shown(seconds, utc=self.utc)

    def age(self, seconds: float | None) -> str:
        """How long ago."""
        return moments.age(seconds, time.time(), self.words)

    def count(self, number: int, style: str) -> Cell:
        """A number that should be seen when it is not zero."""
        return Cell(f"{number:,}", style) if number else Cell("-")
