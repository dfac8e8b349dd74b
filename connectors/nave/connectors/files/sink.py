"""Writes each batch as one file that appears whole under its name, or not at all, and never a second time."""

from __future__ import annotations

import io
import secrets
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from nave.connectors.files.claims import Step
from nave.connectors.files.errors import translating, translating_ledger
from nave.connectors.files.ledger import Intent, Ledger
from nave.connectors.files.options import FilesOptions, FilesSinkOptions
from nave.connectors.files.places import folder, opened, safe_name
from nave.connectors.files.room import Room, move
from nave.core.errors import PermanentError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from nave.formats import write as write_rows


def _go_on(step: str) -> None:
    return None


class FilesSink:
    """One folder; a record is in a file once per version, whatever is repeated and however batches are cut."""

    def __init__(self, connection: FilesOptions, options: FilesSinkOptions, setting: Setting, step: Step = _go_on) -> None:
        self._options = options
        self._setting = setting
        self._connection = connection
        self._folder = folder(connection, setting)
        self._step = step
        self._open: tuple[Room, Room, Ledger] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._open is not None:
            for part in self._open:
                part.close()
            self._open = None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Accepted where a file holds the record now, duplicate where one did, rejected where the format cannot."""
        with translating(self._folder), translating_ledger(self._folder):
            root, temporary, ledger = self._opened()
            self._publish(root, temporary, ledger)
            fresh, receipts = self._sort(records, ledger)
            if fresh:
                self._write_file(temporary, ledger, fresh)
                self._publish(root, temporary, ledger)
        return receipts

    def _opened(self) -> tuple[Room, Room, Ledger]:
        if self._open is None:
            root = opened(self._connection, self._setting)
            temporary = root.inner(".nave", "sent", safe_name(self._setting.name))
            path = self._folder / ".nave" / "sent" / safe_name(self._setting.name) / "ledger.db"
            self._open = (root, temporary, Ledger(path))
        return self._open

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
            else Receipt(Outcome.ACCEPTED if id(record) in news else Outcome.DUPLICATE)
            for record in records
        ]
        return [record for record in fresh if id(record) not in refused], receipts

    def _write_file(self, temporary: Room, ledger: Ledger, records: list[Outbound]) -> None:
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

    def _publish(self, root: Room, temporary: Room, ledger: Ledger) -> None:
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
