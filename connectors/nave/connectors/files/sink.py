"""Writes each batch as one file that appears whole under its name, or not at all, and never a second time."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Self

from nave.connectors.dropped.folders import Folder, move
from nave.connectors.dropped.own import alone
from nave.connectors.files.claims import Step
from nave.connectors.files.ledger import Intent, Ledger
from nave.connectors.files.options import FilesOptions, FilesSinkOptions
from nave.connectors.files.sites import Here, Outbox, Spot
from nave.core.errors import PermanentError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from nave.formats import write as write_rows

_IDLE = 20.0
"""Seconds after which a folder is opened anew."""


def _go_on(step: str) -> None:
    return None


class FilesSink:
    """One folder; a record is in a file once per version, whatever is repeated and however batches are cut."""

    def __init__(self, connection: FilesOptions, options: FilesSinkOptions, setting: Setting, step: Step = _go_on) -> None:
        self._start(Here(connection, setting), options, setting, step)

    @classmethod
    def at(cls, spot: Spot, options: FilesSinkOptions, setting: Setting, step: Step = _go_on) -> FilesSink:
        """A sink to a folder that is not on this machine."""
        sink = cls.__new__(cls)
        sink._start(spot, options, setting, step)
        return sink

    def _start(self, spot: Spot, options: FilesSinkOptions, setting: Setting, step: Step) -> None:
        self._spot = spot
        self._options = options
        self._setting = setting
        self._step = step
        self._open = ExitStack()
        self._outbox: Outbox | None = None
        self._used = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        self._outbox = None
        with self._spot.translating():
            self._open.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Accepted where a file holds the record now, duplicate where one did, rejected where the format cannot."""
        try:
            with self._spot.translating():
                return self._write(records, self._opened())
        except BaseException:
            self._close()  # the next batch comes in by a connection of its own
            raise

    def _write(self, records: Sequence[Outbound], outbox: Outbox) -> list[Receipt]:
        # What another worker of this sink is about to write looks like what a crash left.
        with alone(outbox.lock):
            root, temporary, ledger = outbox.root, outbox.temporary, outbox.ledger
            self._publish(root, temporary, ledger)
            fresh, receipts = self._sort(records, ledger)
            if fresh:
                self._write_file(temporary, ledger, fresh)
                self._publish(root, temporary, ledger)
        self._used = time.monotonic()
        return receipts

    def _opened(self) -> Outbox:
        if self._outbox is not None and time.monotonic() - self._used > _IDLE:
            self._close()  # servers hang up on who says nothing
        if self._outbox is None:
            self._outbox = self._open.enter_context(self._spot.writing())
        return self._outbox

    def _sort(self, records: Sequence[Outbound], ledger: Ledger) -> tuple[list[Outbound], list[Receipt]]:
        """What is to be written, and the receipts that will hold once it is."""
        known = ledger.versions([record.key for record in records])
        # A file says what is; of a record that became part of another there is nothing to say.
        fresh = [one for one in records if one.version > known.get(one.key, -1) and not one.retired]
        refused = _refused(fresh, self._options)
        news = {id(record) for record in fresh}
        receipts = [
            Receipt(Outcome.REJECTED, error=refused[id(record)])
            if id(record) in refused
            else Receipt(Outcome.ACCEPTED if id(record) in news else Outcome.DUPLICATE, tried=not record.retired)
            for record in records
        ]
        return [record for record in fresh if id(record) not in refused], receipts

    def _write_file(self, temporary: Folder, ledger: Ledger, records: list[Outbound]) -> None:
        unfinished = f"{secrets.token_hex(8)}.tmp"
        temporary.put(unfinished, _rendered(records, self._options))
        temporary.sync()
        self._step("written")
        seq = ledger.next_seq()
        ledger.intend(Intent(seq, unfinished, self._name(seq, unfinished)), records)
        self._step("intended")

    def _name(self, seq: int, unfinished: str) -> str:
        now = datetime.now(self._setting.time_zone)
        return self._options.name.format(
            date=f"{now:%Y%m%d}", time=f"{now:%H%M%S}", seq=f"{seq:06d}", id=unfinished.removesuffix(".tmp")
        )

    def _publish(self, root: Folder, temporary: Folder, ledger: Ledger) -> None:
        """Let every intended file appear, also one of a run that ended in between; drop what was never intended."""
        for intent in ledger.intents():
            if temporary.stat(intent.temporary) is not None:
                move(intent.temporary, temporary, root, intent.name)
                self._step("published")
            else:  # it has its name; whoever gave it that may have been cut off before the disk knew
                root.sync()
            ledger.forget(intent)
        for name in temporary.names():
            if name.endswith(".tmp"):
                temporary.remove(name)


def _columns(records: Sequence[Outbound], options: FilesSinkOptions) -> list[str]:
    """The columns that were asked for, or all that occur, in the order of their first appearance."""
    return options.columns or list(dict.fromkeys(name for record in records for name in record.values))


def _rendered(records: Sequence[Outbound], options: FilesSinkOptions) -> bytes:
    """A whole file; a batch has at most 1,000 records, so it fits into memory."""
    stream = io.BytesIO()
    write_rows([record.values for record in records], stream, options.format, _columns(records, options))
    return stream.getvalue()


def _refused(records: Sequence[Outbound], options: FilesSinkOptions) -> dict[int, PermanentError]:
    """Records that the format cannot hold, by identity: the whole batch is tried first, then halves."""
    if not records:
        return {}
    try:
        _rendered(records, options)
    except PermanentError as error:
        if len(records) == 1:
            return {id(records[0]): error}
        middle = len(records) // 2
        return _refused(records[:middle], options) | _refused(records[middle:], options)
    return {}
