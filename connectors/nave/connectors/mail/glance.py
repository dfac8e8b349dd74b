"""A look at the attachments of a mail folder, opened for reading only: no message is marked, moved or remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from nave.connectors.dropped.errors import translating as translating_files
from nave.connectors.dropped.names import safe_name
from nave.connectors.dropped.packed import parts
from nave.connectors.dropped.reading import Chunk, chunks, content
from nave.connectors.dropped.room import Room
from nave.connectors.mail.box import Box, open_box
from nave.connectors.mail.errors import translating
from nave.connectors.mail.options import MailOptions, MailSourceOptions
from nave.connectors.mail.parts import Attachment, fitting, headers, parsed
from nave.connectors.mail.senders import unwelcome
from nave.core.errors import PermanentError
from nave.core.protocols import Batch, Refused, Setting

_ROWS = 100
_LETTERS = 100
"""Messages that are looked at, the latest first."""
_COPY = "attachment"


class Glance:
    """The latest messages of one folder, whether they were read before or not."""

    def __init__(self, connection: MailOptions, options: MailSourceOptions, setting: Setting) -> None:
        self._connection = connection
        self._options = options
        self._setting = setting

    def __enter__(self) -> Glance:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """The records of their attachments in small batches; what cannot be read is refused, and the others go on."""
        with ExitStack() as stack:
            near = Path(stack.enter_context(TemporaryDirectory(prefix="nave-look-")))
            stack.enter_context(translating_files(near))
            stack.enter_context(translating(self._connection.imap or ""))
            room = stack.enter_context(closing(Room.at(near)))
            box = stack.enter_context(open_box(self._connection, self._setting.folder))
            box.look(self._options.folder)
            for uid in reversed(box.uids(1)[-_LETTERS:]):
                try:
                    for one in self._attachments(box, uid):
                        yield from self._records(room, one)
                except PermanentError as error:
                    refused = Refused((1, None), f"message {uid}", error)
                    yield Batch([], [], {"file": f"message {uid}", "unit": "message"}, refused=[refused])

    def _attachments(self, box: Box, uid: int) -> list[Attachment]:
        """What of a message would be read; PermanentError where it would be refused."""
        size, limit = box.size(uid), self._connection.largest
        if size is None:
            return []
        raw = box.head(uid) if size > limit else box.message(uid, size)
        if raw is None or unwelcome(headers(raw), self._options):
            return []
        if size > limit:
            raise PermanentError("NAVE-K335", size=size, limit=limit)
        return fitting(parsed(raw), self._options.pattern, self._options.types)

    def _records(self, room: Room, one: Attachment) -> Iterator[Batch]:
        room.put(_COPY, one.data)
        with content(room, _COPY) as read:
            for chunk in chunks(read, parts(read.file, self._options), _ROWS, 0, lambda: True):
                if chunk.error is not None:
                    raise chunk.error
                if chunk.rows:
                    yield _batch(safe_name(one.name), chunk)


def _batch(name: str, chunk: Chunk) -> Batch:
    good = [(value, number, offset) for value, number, offset in chunk.rows if not isinstance(value, Refused)]
    refused = [value for value, _, _ in chunk.rows if isinstance(value, Refused)]
    places = [(number, offset) for _, number, offset in good]
    return Batch([value for value, _, _ in good], places, {"file": name}, refused=refused)
