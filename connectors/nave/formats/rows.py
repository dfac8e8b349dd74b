"""What every reader yields: a record or a refused one, with its place."""

from __future__ import annotations

from typing import NamedTuple

from nave.core.errors import NaveError
from nave.core.protocols import Raw, Refused

SHOWN = 80


class Row(NamedTuple):
    """One record of a file: `number` counts what `unit(format)` says, from 1; `offset` is its first byte, if known."""

    value: Raw | Refused
    number: int
    offset: int | None


def refused(raw: str, error: NaveError, number: int, offset: int | None) -> Row:
    """A row that keeps what could not be read, whole, beside the reason."""
    return Row(Refused((number, offset), raw, error), number, offset)


def shown(value: object) -> str:
    """A value as an error may show it: one line, cut to 80 characters."""
    text = "".join(c if c.isprintable() else " " for c in str(value)[: SHOWN + 1])
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
