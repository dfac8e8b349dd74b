"""What a mapping of receipts reads: a file, a request, or one of its records, with what became of all that is in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import BaseModel, Field

from nave.core.entities import EntityType
from nave.core.lines import OPEN

NAME = "receipt"
"""What such a mapping comes `from`."""
_FAILED = frozenset({"refused", "discarded"})


class Told(BaseModel):
    """One record: a line's own, or one of a part."""

    line: int
    part: str | None = Field(default=None, description="The name under `also`; none for the line's own record")
    key: str | None = None
    state: str
    done: bool | None = Field(default=None, description="true: the hub has it; false: refused or given up; none: still open")
    code: str | None = None
    field: str | None = None
    text_en: str | None = None
    text_zh: str | None = None
    waits_for: str | None = None
    by: str | None = None
    letter: str | None = None
    record: dict[str, Any] | None = Field(default=None, description="As its system said it; of a part, the item")


class ReceiptDocument(BaseModel):
    """A file or a request; with `each: line`, one of its records."""

    receipt: str
    source: str
    file: str | None = None
    number: int | None = None
    at: str
    complete: bool = Field(description="Whether all that is in it has come to something")
    done: bool | None = Field(default=None, description="true: the hub has all of it; false: not all; none: not complete")
    refused_whole: dict[str, Any] | None = None
    line: int | None = None
    key: str | None = None
    record: dict[str, Any] | None = None
    objects: list[Told]


@cache
def receipt_type() -> EntityType:
    """The same as mappings know entities."""
    return EntityType(NAME, ReceiptDocument, {"en": "Receipt", "zh": "回执"})


def done(state: str) -> bool | None:
    """Whether the hub has a record that came to this; None as long as that is open."""
    return None if state in OPEN else state not in _FAILED


def all_done(told: Iterable[bool | None]) -> bool | None:
    """The same of several."""
    listed = list(told)
    return None if None in listed else all(listed)
