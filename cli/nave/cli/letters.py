"""Dead letters as people and machines read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nave.cli import exits, moments
from nave.cli.failures import Stop
from nave.cli.keys import KeyReader
from nave.cli.page import Page
from nave.cli.why import place_text
from nave.core import dead
from nave.core.clock import id_number, id_text
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.texts import message

_RESERVED = frozenset({"code", "part", "language"})


def the_letter(tx: Transaction, text: str) -> Any:
    """The dead letter that a person names; a Stop where there is none."""
    number = id_number(text)
    found = dead.letter(tx, number) if number is not None else None
    if found is None:
        raise Stop(exits.PROBLEM, "NAVE-E207", id=text[:80])
    return found


def said(letter: Any, part: str, language: str) -> str:
    """What a letter's error says, in a language: its `text` or its `help`."""
    params = json.loads(letter.params)
    text = message(letter.code, part, language, **{name: value for name, value in params.items() if name not in _RESERVED})
    return text if part == "help" or not letter.field else f"{letter.field}: {text}"


def state_of(letter: Any) -> str:
    """open, replayed, discarded or overtaken."""
    return t.Letter(letter.state).name.lower()


def where(letter: Any, page: Page) -> str:
    """File and place, where they are known."""
    return place_text(json.loads(letter.origin), [letter.place], page)


def letter_data(letter: Any, language: str, keys: KeyReader) -> dict[str, Any]:
    """For machines, without the raw record."""
    return {
        "id": id_text(letter.id),
        "state": state_of(letter),
        "stage": letter.stage,
        "flow": letter.flow,
        "entity": letter.entity,
        "key": keys.key(letter) or None,
        "code": letter.code,
        "field": letter.field,
        "text": said(letter, "text", language),
        "origin": _origin(letter),
        "place": letter.place,
        "offset": letter.offset,
        "at": moments.machine(letter.at),
    }


def _origin(letter: Any) -> Mapping[str, Any]:
    return {name: value for name, value in json.loads(letter.origin).items() if name != "events"}


def letter_rows(letters: Sequence[Any], page: Page, keys: KeyReader) -> Iterator[str]:
    """A table of letters, one line each."""
    columns = page.columns(
        "dead",
        "id",
        "flow",
        "key",
        "where",
        "code",
        "reason",
        elastic="where reason",
        spare="where key",
        least={"reason": 30},
    )
    rows = [
        (id_text(one.id), one.flow, keys.key(one), where(one, page), one.code, said(one, "text", page.words.language))
        for one in letters
    ]
    yield from page.table(columns, rows)
