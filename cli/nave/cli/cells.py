"""Text in columns for a terminal: full-width characters count twice, and nothing in the text can steer the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_WIDE = frozenset("WF")
_CLOSING = frozenset("，。；：、！？）》」』】”’,.;:!?)")


def printable(text: object) -> str:
    """Without characters that could steer a terminal; line ends and tabs become visible blanks."""
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _replaced(c) for c in str(text))


def _replaced(character: str) -> str:
    return " " if character in "\t\n\r" else "�"


def width(text: str) -> int:
    """Columns that the text takes."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in _WIDE else 1 for c in text if not unicodedata.combining(c))


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Filled up with blanks to so many columns."""
    blanks = " " * max(0, columns - width(text))
    return blanks + text if right else text + blanks


def cut(text: str, columns: int) -> str:
    """At most so many columns, with `…` where something is left out."""
    if width(text) <= columns:
        return text
    kept, room = "", columns - 1
    for character in text:
        room -= width(character)
        if room < 0:
            break
        kept += character
    return kept + "…"


def wrapped(text: str, columns: int) -> list[str]:
    """Lines of at most so many columns, broken between words and between full-width characters."""
    lines, line = list[str](), ""
    for piece in _pieces(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str) -> Iterator[str]:
    """Parts that stay whole: a word with the blanks behind it, a full-width character with the closing mark behind it."""
    piece = ""
    for character in text:
        wide = unicodedata.east_asian_width(character) in _WIDE
        begins = wide or (bool(piece) and (piece[-1] == " " or unicodedata.east_asian_width(piece[-1]) in _WIDE))
        stays = character == " " or (character in _CLOSING and not piece.endswith(" "))
        if piece and begins and not stays:
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece
