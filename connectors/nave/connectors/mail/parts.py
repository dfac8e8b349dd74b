"""Takes a message apart: the attachments that are wanted, under the names that their senders gave them.

Everything in a message is data from outside, its names above all. What a message carries inside another message is
not looked at, nor is a message that a server cut off.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import errors as defects
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser

from nave.connectors.mail.headers import decoded, parameter
from nave.connectors.wording import short
from nave.core.errors import PermanentError

_PARTS = 1000
_ATTACHMENTS = 100
_COMPARISONS = 10_000_000
_TORN = (
    defects.CloseBoundaryNotFoundDefect,
    defects.StartBoundaryNotFoundDefect,
    defects.InvalidBase64PaddingDefect,
    defects.InvalidBase64CharactersDefect,
    defects.InvalidBase64LengthDefect,
)
"""What says that a part is not what was sent."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file that came with a message."""

    name: str
    data: bytes
    sha256: str


def headers(raw: bytes) -> Message:
    """Only the header of a message, which costs little whatever follows."""
    return BytesHeaderParser().parsebytes(raw)


def parsed(raw: bytes) -> Message:
    """The message; PermanentError NAVE-K336 where it cannot be taken apart, or not within seconds."""
    # The parser compares each line with each boundary that is open.
    if raw.count(b"\n") * raw.lower().count(b"boundary") > _COMPARISONS:
        raise PermanentError("NAVE-K336", reason="parts within parts without an end")
    try:
        return message_from_bytes(raw)
    except Exception as error:  # whatever a parser of thirty years of mail may raise
        raise PermanentError("NAVE-K336", reason=short(f"{type(error).__name__}: {error}", 200)) from error


def message_id(message: Message) -> str:
    """As its sender set it; empty where there is none."""
    return short(decoded(message, "message-id").strip(), 400)


def fitting(message: Message, pattern: str, types: Sequence[str] | None) -> list[Attachment]:
    """The attachments whose name and type are wanted, in their order.

    PermanentError NAVE-K336 where one of them is torn, NAVE-K337 where there are too many.
    """
    wanted = re.compile(fnmatch.translate(pattern.lower())).fullmatch
    found: list[Attachment] = []
    for part in _leaves(message):
        name = file_name(part)
        if not name or not wanted(name.lower()) or _is_inline_image(part) or not _is_of(part, types):
            continue
        if len(found) == _ATTACHMENTS:
            raise PermanentError("NAVE-K337", limit=_ATTACHMENTS)
        found.append(_attachment(part, name))
    if found:
        _refuse_torn(message)
    return found


def file_name(part: Message) -> str:
    """The base name that the sender gave, decoded in all ways that are in use (RFC 2231, RFC 2047, plain GBK or UTF-8)."""
    name = parameter(part, "content-disposition", "filename") or parameter(part, "content-type", "name")
    return re.split(r"[/\\]", name)[-1].strip()


def _leaves(message: Message) -> Iterator[Message]:
    waiting, seen = [message], 0
    while waiting:
        part = waiting.pop(0)
        seen += 1
        if seen > _PARTS:
            raise PermanentError("NAVE-K337", limit=_PARTS)
        if part.get_content_maintype() == "message":
            continue
        inner = part.get_payload()
        if isinstance(inner, list):
            waiting[:0] = [one for one in inner if isinstance(one, Message)]
        else:
            yield part


def _is_inline_image(part: Message) -> bool:
    told = decoded(part, "content-disposition").lower()
    shown = told.startswith("inline") or "content-id" in part
    return part.get_content_maintype() == "image" and shown


def _is_of(part: Message, types: Sequence[str] | None) -> bool:
    return types is None or any(fnmatch.fnmatchcase(part.get_content_type(), one) for one in types)


def _attachment(part: Message, name: str) -> Attachment:
    data = part.get_payload(decode=True)
    torn = next((one for one in part.defects if isinstance(one, _TORN)), None)
    if torn is not None or not isinstance(data, bytes):
        raise PermanentError("NAVE-K336", reason=short(f"{name}: {type(torn).__name__}", 200))
    return Attachment(name, data, hashlib.sha256(data).hexdigest())


def _refuse_torn(message: Message) -> None:
    """A message whose end is missing lost something, whichever part it was."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        torn = next((one for one in part.defects if isinstance(one, _TORN)), None)
        if torn is not None:
            raise PermanentError("NAVE-K336", reason=type(torn).__name__)
        inner = part.get_payload()
        if isinstance(inner, list) and part.get_content_maintype() == "multipart":
            waiting += [one for one in inner if isinstance(one, Message)]
