"""Tells somebody else what became of a file or a request, through a connector's own way out: by a call, or in a table.

What is about to be told is noted first, with its number. So after a crash the same is told once more under the same
idempotency key, and what changed meanwhile under the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from types import TracebackType
from typing import Any, Self

import structlog

from nave.core import receipts
from nave.core.errors import LoginError, NaveError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Sink
from nave.core.receipts import Taken
from nave.workers.flows import Address, Hub
from nave.workers.receipts import Look
from nave.workers.stopping import Turnstile

_log = structlog.get_logger()
_AT_ONCE = 1000
_OPEN = frozenset({Outcome.RETRY, Outcome.UNKNOWN})
_NOTED = re.compile(r"([0-9]+)([?=!])([0-9a-f]{64})")
"""What was told last: its number, whether it is under way (?), taken (=) or refused (!), and the hash of what it said."""
_COLUMNS = {
    "line_no": "line",
    "record_key": "key",
    "state": "state",
    "code": "code",
    "field": "field",
    "text_en": "text_en",
    "text_zh": "text_zh",
    "waits_for": "waits_for",
    "settled_by": "by",
}
"""Of a row, by what a line of a receipt calls them: no names that databases keep to themselves."""


class Told:
    """The way to one address, open while the block runs. A login that was refused is not tried again for a while."""

    def __init__(self, hub: Hub, source: str, kind: str, address: Address) -> None:
        self.kind = kind
        self.by_line = address.by_line
        self.form = address.form
        self.hub = hub
        self._name = f"{source}.{kind}"
        self._address = address
        self._turnstile = Turnstile(hub.store, hub.clock, self._name, address.mark)
        self._stack = ExitStack()
        self._sink: Sink | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def write(self, records: Iterable[Outbound]) -> NaveError | None:
        """Tell; the first reason where some of it is refused for good. RetryableError where it is to be told again."""
        refused: NaveError | None = None
        sink = self._opened()
        listed = iter(records)
        while some := list(islice(listed, _AT_ONCE)):
            for receipt in self._write(sink, some):
                if receipt.outcome in _OPEN:
                    raise receipt.error or RetryableError("NAVE-K316", name=self._name)
                if receipt.outcome is Outcome.REJECTED:
                    refused = refused or receipt.error
        return refused

    def intend(self, seen: Taken, value: str) -> Taken:
        """Note what is about to be told; RetryableError where somebody else is at it."""
        with self.hub.store.write() as tx:
            noted = receipts.intend(tx, seen, self.kind, value)
        if noted is None:
            raise RetryableError("NAVE-K317", name=self._name)
        return noted

    def _opened(self) -> Sink:
        if self._turnstile.wait():
            raise RetryableError("NAVE-K316", name=self._name)
        if self._sink is None:
            self._sink = self._stack.enter_context(self._address.open())
        return self._sink

    def _write(self, sink: Sink, some: Sequence[Outbound]) -> Sequence[Receipt]:
        try:
            answers = sink.write(some)
        except LoginError as error:
            self._turnstile.refuse(error)
            raise
        self._turnstile.welcome()
        return answers


def tell(told: Told, look: Look, seen: Taken) -> Taken:
    """Tell what is new since it was told last, once every line was looked at, and how it stands then."""
    if not look.summary.begun(seen):
        return seen
    number, mark, before = last_told((seen.wrote or {}).get(told.kind, ""))
    digest = look.digest
    if before == digest and mark != "?":
        return seen
    if before != digest:
        number += 1
        seen = told.intend(seen, f"{number}?{digest}")
    refused = told.write(_rows(seen, look, number) if told.by_line else [_whole(seen, look, number)])
    if refused is not None:
        _log.error("receipt.refused", source=seen.source, receipt=seen.text, way=told.kind, reason=str(refused))
    return receipts.noted(seen, told.kind, f"{number}{'=' if refused is None else '!'}{digest}")


def last_told(text: str) -> tuple[int, str, str]:
    """The number of what was told last, how that stands, and the hash of what it said."""
    found = _NOTED.fullmatch(text)
    return (int(found[1]), found[2], found[3]) if found else (0, "=", "")


def _whole(seen: Taken, look: Look, number: int) -> Outbound:
    """As GET /receipts gives its first page."""
    lines = list(islice(look.lines(), _AT_ONCE + 1))
    more = len(lines) > _AT_ONCE
    lines = lines[:_AT_ONCE]
    return Outbound(seen.text, number, {**look.top, "lines": lines, "next": lines[-1]["line"] if more else None})


def _rows(seen: Taken, look: Look, number: int) -> Iterator[Outbound]:
    """A row for each line, and behind them one for all, so that whoever reads `complete` there finds every line."""
    shared = {"receipt": seen.text, "source": seen.source, "file_name": seen.name or None}
    for one in look.lines():
        yield Outbound(f"{seen.text}:{one['line']}", number, shared | _row(one))
    yield Outbound(seen.text, number, shared | _row(_all_in_all(look.top)))


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {column: one.get(name) for column, name in _COLUMNS.items()}


def _all_in_all(top: Mapping[str, Any]) -> dict[str, Any]:
    whole = top["refused_whole"] or {}
    return {**whole, "line": 0, "state": "refused" if whole else "complete" if top["complete"] else "open"}
