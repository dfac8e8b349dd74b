"""Writes back what became of each file: a receipt, and the refused lines to be mended, as files that appear whole; and tells
it to whoever else asked to be told.

Level-triggered: whoever looks compares what should lie there with what was written last, so a look too many writes nothing,
and one that was missed is made up for by the next.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO

import sqlalchemy as sa
import structlog

from nave.core import receipts
from nave.core.clock import moment
from nave.core.errors import NaveError, PermanentError, RetryableError
from nave.core.protocols import Reporting, Shelf
from nave.core.receipts import Taken
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.flows import Hub, Returns, SourceFlow
from nave.workers.forms import FORMS
from nave.workers.keep import Keeper
from nave.workers.objects import gathered
from nave.workers.receipts import Look, spooled
from nave.workers.rejects import file_name, write_rejects
from nave.workers.reporting import report
from nave.workers.telling import Told, tell
from nave.workers.tellingmapped import tell_mapped

_log = structlog.get_logger()
_AT_ONCE = 20
"""Files of one source that one look is given to."""
_ALL = 200
_SHARE, _LONGEST = 0.1, 300.0
"""The next look comes after this share of a file's age, and after so many seconds at most."""
_SOON, _EVERY = 1.0, 10.0
"""Seconds between looks at those that should be told at once, and at those with files only."""
_MOST_REJECTS = 10_000
"""Lines of one file of rejects: whoever has more to mend had better send the whole file again."""
_HEAD = 64 * 1024


def write_back(hub: Hub, *, everything: bool = False) -> int:
    """Look at the files of which something may have changed, all of them with `everything`; how many were written."""
    return sum(look(hub, flow, everything=everything) for flow in returning(hub))


def returning(hub: Hub) -> list[SourceFlow]:
    """The sources that somebody is told of."""
    return [flow for flow in hub.sources.values() if flow.returns is not None]


def keep_looking(hub: Hub, flow: SourceFlow, keeper: Keeper, stop: threading.Event, poll: float) -> None:
    """Look at one source's files until `stop` is set, one process at a time: a server that hangs keeps nobody else."""
    assert flow.returns is not None
    pause = max(poll, _SOON if flow.returns.addresses or flow.returns.rows else _EVERY)
    while not stop.wait(pause):
        try:
            if keeper.take(f"return:{flow.name}") is not None:
                while look(hub, flow) >= _AT_ONCE and not stop.is_set():
                    pass  # more of them are due
        except RetryableError as error:
            _log.warning("receipt.failed", source=flow.name, reason=str(error))


def look(hub: Hub, flow: SourceFlow, *, everything: bool = False) -> int:
    """The same for the files of one source."""
    with hub.looking.setdefault(flow.name, threading.Lock()), ExitStack() as stack:
        now = hub.clock()
        with hub.store.read() as tx:
            listed = receipts.due(tx, [flow.name], None if everything else now, _ALL if everything else _AT_ONCE)
        desk = _Desk(hub, flow, stack)
        return sum(_looked_at(hub.store, desk, taken, now) for taken in listed)


@dataclass
class _Desk:
    """What is open while the files of one source are looked at; who is away is asked once."""

    hub: Hub
    flow: SourceFlow
    stack: ExitStack
    away: dict[str, NaveError] = field(default_factory=dict)
    partly: bool = False
    """Something of this receipt could not be told, and the rest was."""
    _shelf: Shelf | None = None
    _rows: Reporting | None = None
    _told: dict[str, Told] = field(default_factory=dict)

    @property
    def returns(self) -> Returns:
        assert self.flow.returns is not None
        return self.flow.returns

    @property
    def shelf(self) -> Shelf:
        """The folder that the files were dropped into."""
        if self._shelf is None:
            assert self.returns.shelf is not None
            self._shelf = self.stack.enter_context(self.returns.shelf())
        return self._shelf

    @property
    def rows(self) -> Reporting:
        """The table that the records came from."""
        if self._rows is None:
            assert self.returns.rows is not None
            self._rows = self.stack.enter_context(self.returns.rows())
        return self._rows

    def told(self, kind: str) -> Told:
        """The way to somebody who is told."""
        if kind not in self._told:
            address = self.returns.addresses[kind]
            self._told[kind] = self.stack.enter_context(Told(self.hub, self.flow.name, kind, address))
        return self._told[kind]


def _looked_at(store: Store, desk: _Desk, taken: Taken, now: float) -> bool:
    seen, well, desk.partly = taken, True, False
    with tempfile.TemporaryFile() as spool:
        look = spooled(store, desk.flow, taken, spool, _MOST_REJECTS)
        if desk.returns.mapped:
            look, well = _with_things(desk, look, taken)
        for kind, way in _ways(desk.returns).items():
            try:
                if kind in desk.away:
                    raise desk.away[kind]
                seen = way(desk, look, seen)
            except (OSError, NaveError) as error:
                _log.warning("receipt.failed", source=taken.source, file=taken.name, way=kind, reason=str(error))
                well = False
                if isinstance(error, NaveError) and not isinstance(error, PermanentError):
                    desk.away[kind] = error
            except Exception:  # a fault in the hub or a connector: the others go on
                _log.exception("receipt.crashed", source=taken.source, file=taken.name, way=kind)
                well = False
    pause = min(_LONGEST, max(_SOON, (now - taken.at) * _SHARE))
    with store.write() as tx:
        receipts.looked(tx, seen, None if well and not desk.partly and look.final(taken) else now + pause)
    return seen.wrote != taken.wrote


def _with_things(desk: _Desk, look: Look, taken: Taken) -> tuple[Look, bool]:
    """With each record by itself, for those who are told through a mapping; and whether that could be had."""
    try:
        return replace(look, things=gathered(desk.hub, desk.flow, taken, look)), True
    except NaveError as error:
        _log.warning("receipt.failed", source=taken.source, file=taken.name, way="mapping", reason=str(error))
        return look, False


_Way = Callable[[_Desk, Look, Taken], Taken]
"""Does what is to be done of a file that was seen so, and says how it stands now."""


def _ways(returns: Returns) -> dict[str, _Way]:
    """Beside the files first: whoever is told may look there."""
    found: dict[str, _Way] = {}
    if returns.receipt is not None:
        found["receipt"] = _receipt
    if returns.rejects is not None:
        found["rejects"] = _rejects
    if returns.rows is not None:
        found["rows"] = _report
    return found | {kind: partial(_tell, kind) for kind in returns.addresses}


def _report(desk: _Desk, look: Look, seen: Taken) -> Taken:
    return report(desk.hub.store, desk.rows, look, seen)


def _tell(kind: str, desk: _Desk, look: Look, seen: Taken) -> Taken:
    told = desk.told(kind)
    if told.form is None:
        return tell(told, look, seen)
    seen, error = tell_mapped(told, told.form, look, seen)
    if error is not None:
        _log.warning("receipt.failed", source=seen.source, file=seen.name, way=kind, reason=str(error))
        desk.partly = True
    return seen


def _receipt(desk: _Desk, look: Look, seen: Taken) -> Taken:
    with desk.hub.store.read() as tx:
        newer = receipts.by_name(tx, seen.name, 1, seen.source)[0].id != seen.id
    if newer:  # whose receipt has that name now
        return seen
    form = desk.returns.receipt_format
    where = (desk.returns.receipt or "", f"{seen.name}.receipt.{form}")
    return _put(desk, where, lambda out: FORMS[form](look.top, look.lines(), out), seen, "receipt")


def _rejects(desk: _Desk, look: Look, seen: Taken) -> Taken:
    name, folder = file_name(seen), desk.returns.rejects or ""
    before = (seen.wrote or {}).get("rejects")
    if not look.summary.judged(seen):
        return seen
    if not look.refused:
        if before and desk.shelf.digest(folder, name) == before:  # else somebody has begun to mend it
            desk.shelf.remove(folder, name)
        return receipts.noted(seen, "rejects", "") if before else seen
    letters = _letters(desk.hub.store, look.refused)
    same = hashlib.sha256(json.dumps([letter.id for letter in letters]).encode()).hexdigest()
    if before and (seen.wrote or {}).get("letters") == same:
        return seen
    layout, like = desk.returns.layout, _original(desk, seen)
    seen = _put(desk, (folder, name), lambda out: write_rejects(seen, letters, layout, like, out), seen, "rejects")
    return receipts.noted(seen, "letters", same)


def _letters(store: Store, numbers: list[int]) -> list[Any]:
    d = t.dead_letter.c
    found: list[Any] = []
    with store.read() as tx:
        for start in range(0, len(numbers), 500):
            some = numbers[start : start + 500]
            found += tx.rows(sa.select(t.dead_letter).where(tx.among(d.id, some)))
    return sorted(found, key=lambda letter: letter.place)


def _original(desk: _Desk, seen: Taken) -> bytes:
    """How the file itself begins, where it was put away and still lies."""
    returns, size = desk.returns, seen.origin.get("size")
    if not isinstance(size, int):
        return b""
    for days in (0, 1, -1):
        day = moment(seen.ended_at or seen.at).astimezone(returns.zone) + timedelta(days=days)
        head = desk.shelf.head(f"{returns.archive}/{day:%Y-%m-%d}", seen.name, size, _HEAD)
        if head is not None:
            return head
    return b""


def _put(desk: _Desk, where: tuple[str, str], fill: Callable[[BinaryIO], object], seen: Taken, kind: str) -> Taken:
    """Write a file, `where` below the source's folder, unless it was written like this before."""
    with tempfile.TemporaryFile() as made:
        fill(made)
        made.seek(0)
        digest = hashlib.file_digest(made, "sha256").hexdigest()
        if digest == (seen.wrote or {}).get(kind):
            return seen
        made.seek(0)
        desk.shelf.put(*where, made)
    return receipts.noted(seen, kind, digest)
