"""Reads the attachments of a mail folder, message by message, and puts each message away behind its last commit."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType

import structlog

from nave.connectors.dropped.errors import translating as translating_files
from nave.connectors.dropped.errors import translating_ledger
from nave.connectors.dropped.names import safe_name
from nave.connectors.dropped.own import lock, spool_of
from nave.connectors.dropped.packed import parts
from nave.connectors.dropped.reading import Chunk, chunks, content
from nave.connectors.dropped.room import Room
from nave.connectors.mail.box import Box, open_box
from nave.connectors.mail.errors import translating
from nave.connectors.mail.memory import Memory
from nave.connectors.mail.options import MailOptions, MailSourceOptions
from nave.connectors.mail.parts import Attachment, fitting, headers, message_id, parsed
from nave.connectors.mail.position import MESSAGE, Position
from nave.connectors.mail.senders import sender, unwelcome
from nave.core.errors import PermanentError
from nave.core.protocols import Batch, End, Place, Raw, Refused, Setting
from nave.formats import unit

_log = structlog.get_logger()
_SPOOLED = "attachment"
Step = Callable[[str], None]
"""Called with a word between any two changes; tests crash in it."""


def _go_on(step: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class _Open:
    """All that a pass has at hand."""

    box: Box
    room: Room
    memory: Memory
    validity: int


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message of which something is to be read."""

    uid: int
    id: str
    sender: str
    attachments: list[Attachment]


class MailSource:
    """One folder of one mailbox, oldest first; only one reader at a time."""

    def __init__(self, connection: MailOptions, options: MailSourceOptions, setting: Setting, step: Step = _go_on) -> None:
        self._connection = connection
        self._options = options
        self._setting = setting
        self._step = step

    def __enter__(self) -> MailSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield the batches of all messages that have come; RetryableError if the server is away or the source in use."""
        at = Position.parse(after)
        with self._opened() as opened:
            begun = at if at is not None and at.validity == opened.validity else None
            if at is not None and begun is None:
                _log.warning("mail.renumbered", source=self._setting.name, folder=self._options.folder)
            if begun is not None and begun.whole and not begun.bad:
                opened.memory.land(begun.message, begun.sha256)
            first = max(opened.memory.passed(opened.validity) + 1, begun.uid if begun else 1)
            for uid in opened.box.uids(first):
                yield from self._message(opened, uid, begun if begun is not None and begun.uid == uid else None)

    @contextmanager
    def _opened(self) -> Iterator[_Open]:
        folder = self._setting.folder / ".nave"
        name = safe_name(self._setting.name)
        path = folder / "mail" / name / "memory.db"
        with (
            translating_files(folder),
            translating_ledger(folder),
            translating(self._connection.imap or ""),
            closing(spool_of(self._setting.folder, "mail", name)) as room,
        ):
            lock(room, self._setting.name)
            with closing(Memory(path)) as memory, open_box(self._connection, self._setting.folder) as box:
                yield _Open(box, room, memory, box.select(self._options.folder))

    def _message(self, opened: _Open, uid: int, begun: Position | None) -> Iterator[Batch]:
        at = begun or Position(opened.validity, uid, 0)
        if at.part != MESSAGE:
            try:
                letter = self._letter(opened, uid)
            except PermanentError as error:
                at = Position(opened.validity, uid, MESSAGE, whole=True, bad=True)
                yield self._refusal(at, error, {"file": f"message {uid}", "unit": "message"}, f"message {uid}")
                self._step("refused")
            else:
                if letter is None:
                    opened.memory.pass_by(opened.validity, uid)
                    return
                for part in range(len(letter.attachments)):
                    at = yield from self._attachment(opened, letter, part, at)
        self._put_away(opened, at)

    def _letter(self, opened: _Open, uid: int) -> _Letter | None:
        """What is to be read; None where the message is gone or nothing of it is wanted. PermanentError refuses it."""
        size, limit = opened.box.size(uid), self._connection.largest
        if size is None:
            return None
        raw = opened.box.head(uid) if size > limit else opened.box.message(uid, size)
        if raw is None:
            return None
        self._step("fetched")
        head = headers(raw)
        why = unwelcome(head, self._options)
        if not why and size > limit:
            raise PermanentError("NAVE-K335", size=size, limit=limit)
        attachments = [] if why else fitting(parsed(raw), self._options.pattern, self._options.types)
        if not attachments:
            who = sender(head) or "?"
            _log.warning("mail.left", source=self._setting.name, uid=uid, why=why or "nothing fits", sender=who)
            return None
        return _Letter(uid, message_id(head), sender(head), attachments)

    def _attachment(self, opened: _Open, letter: _Letter, part: int, at: Position) -> Generator[Batch, None, Position]:
        """Yield what of one attachment is not yet landed; where the message stands behind it."""
        one = letter.attachments[part]
        if at.is_behind(part):
            return at
        resumed = at.part == part and at.records > 0 and at.sha256 == one.sha256
        if not resumed and opened.memory.is_landed(letter.id, one.sha256):
            _log.info("mail.repeated", source=self._setting.name, uid=letter.uid, file=safe_name(one.name))
            return at
        landed = at.records if resumed else 0
        at = Position(at.validity, at.uid, part, landed, one.sha256, letter.id, bad=at.bad)
        origin: dict[str, str | int] = {"file": safe_name(one.name), "unit": unit(self._options.format)}
        origin |= {"message": letter.id, "sender": letter.sender, "sha256": one.sha256, "size": len(one.data)}
        try:
            opened.room.put(_SPOOLED, one.data)
            with content(opened.room, _SPOOLED) as read:
                if self._setting.weigh is not None:
                    origin |= self._setting.weigh(safe_name(one.name), read.file)
                    read.file.seek(0)
                for chunk in chunks(read, parts(read.file, self._options), self._options.batch, landed, lambda: True):
                    if chunk.error is not None:
                        raise chunk.error
                    at = replace(at, records=at.records + len(chunk.rows), whole=chunk.last)
                    yield _batch(chunk, origin | ({"member": chunk.member} if chunk.member else {}), at)
                    self._step("landed")
            opened.memory.land(letter.id, one.sha256)
        except PermanentError as error:
            at = replace(at, whole=True, bad=True)
            yield self._refusal(at, error, origin, safe_name(one.name))
            self._step("refused")
        finally:
            opened.room.remove(_SPOOLED)
        return at

    def _refusal(self, at: Position, error: PermanentError, origin: dict[str, str | int], name: str) -> Batch:
        refused = Refused((at.records + 1, None), name, error)
        return Batch([], [], origin, at.text(), [refused], End.TORN, first=at.records == 0)

    def _put_away(self, opened: _Open, at: Position) -> None:
        """Mark and move a message that is landed; does nothing to one that is gone."""
        opened.box.mark(at.uid, "\\Flagged" if at.bad else "\\Seen")
        self._step("marked")
        folder = self._options.failed if at.bad else self._options.done
        if folder is not None:
            opened.box.move(at.uid, folder)
            self._step("moved")
        opened.memory.pass_by(at.validity, at.uid)


def _batch(chunk: Chunk, origin: dict[str, str | int], at: Position) -> Batch:
    records: list[Raw] = [value for value, _, _ in chunk.rows if not isinstance(value, Refused)]
    places: list[Place] = [(number, offset) for value, number, offset in chunk.rows if not isinstance(value, Refused)]
    refused = [value for value, _, _ in chunk.rows if isinstance(value, Refused)]
    end = End.WHOLE if chunk.last else None
    return Batch(records, places, origin, at.text(), refused, end, first=at.records == len(chunk.rows))
