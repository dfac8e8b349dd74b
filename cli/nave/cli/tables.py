"""Tables as text: aligned, never wrapped; where the terminal is narrow, what matters least is left out and named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nave.cli.cells import cut, padded, printable, width

_GAP = 2
_NOTHING = frozenset({"", "-", "0"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One value, with the style of `Page.style` it is shown in."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `elastic` ones are cut where room is short, down to `least`; `spare` ones are left out after that, the
    highest number first."""

    title: str
    right: bool = False
    elastic: bool = False
    spare: int = 0
    least: int = 12


Row = Sequence[Cell | str | int | None]
Style = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Laid:
    """The lines of a table, and the titles of the columns there was no room for."""

    lines: list[str]
    left_out: list[str]


def laid_out(columns: Sequence[Column], rows: Sequence[Row], room: int | None, style: Style) -> Laid:
    """The table within `room` columns of a terminal, or as wide as it needs to be."""
    cells = [[_cell(value) for value in row] for row in rows]
    natural = [
        max(width(column.title), *(width(row[place].text) for row in cells)) if cells else width(column.title)
        for place, column in enumerate(columns)
    ]
    shown = _chosen(columns, cells, natural, room)
    sizes = _sizes(columns, natural, shown, room)
    head = _line([(Cell(columns[place].title, "head"), columns[place], sizes[place]) for place in shown], style)
    body = [_line([(row[place], columns[place], sizes[place]) for place in shown], style) for row in cells]
    gone = [columns[place].title for place in range(len(columns)) if place not in shown and not _empty(cells, place)]
    return Laid([head, *body], gone)


def _cell(value: Cell | str | int | None) -> Cell:
    if isinstance(value, Cell):
        return Cell(printable(value.text), value.style)
    if isinstance(value, int):
        return Cell(f"{value:,}" if value else "-")
    return Cell(printable(value) if value else "")


def _empty(cells: Sequence[Sequence[Cell]], place: int) -> bool:
    return all(row[place].text in _NOTHING for row in cells)


def _chosen(
    columns: Sequence[Column], cells: Sequence[Sequence[Cell]], natural: Sequence[int], room: int | None
) -> list[int]:
    """Columns that are shown: empty spare ones go first, then the others by their number."""
    shown = list(range(len(columns)))
    spare = [place for place in shown if columns[place].spare]
    order = sorted(spare, key=lambda place: (not _empty(cells, place), -columns[place].spare))
    for place in order:
        needed = _natural if _empty(cells, place) else _least
        if room is None or sum(needed(columns, natural, one) for one in shown) + _GAP * (len(shown) - 1) <= room:
            break
        shown.remove(place)
    return shown


def _natural(_columns: Sequence[Column], natural: Sequence[int], place: int) -> int:
    return natural[place]


def _least(columns: Sequence[Column], natural: Sequence[int], place: int) -> int:
    return min(natural[place], columns[place].least) if columns[place].elastic else natural[place]


def _sizes(columns: Sequence[Column], natural: Sequence[int], shown: Sequence[int], room: int | None) -> dict[int, int]:
    sizes = {place: natural[place] for place in shown}
    over = 0 if room is None else sum(sizes.values()) + _GAP * (len(shown) - 1) - room
    for place in sorted((one for one in shown if columns[one].elastic), key=lambda one: -natural[one]):
        taken = max(0, min(over, sizes[place] - columns[place].least))
        sizes[place] -= taken
        over -= taken
    return sizes


def _line(cells: Sequence[tuple[Cell, Column, int]], style: Style) -> str:
    parts = []
    for place, (cell, column, size) in enumerate(cells):
        text = padded(cut(cell.text, size), size, right=column.right)
        if place == len(cells) - 1 and not column.right:
            text = text.rstrip()
        parts.append(style(text, cell.style))
    return (" " * _GAP).join(parts).rstrip()
