"""Makes one mail of a batch: a table as its attachment, and a Message-ID that the same records always get again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from nave.connectors.mail.options import MailSinkOptions
from nave.core.errors import PermanentError
from nave.core.protocols import Outbound, Setting
from nave.formats import CsvFormat, write

_POLICY = SMTP.clone(cte_type="7bit")
_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, as it goes out each time that it does."""

    id: str
    """Its Message-ID."""
    content: bytes
    records: tuple[tuple[str, int], ...]
    """Key and version of each record that it holds."""


def letter(records: Sequence[Outbound], options: MailSinkOptions, setting: Setting) -> Letter:
    """The mail; PermanentError where the format cannot hold one of the records."""
    table = rendered(records, options)
    held = tuple(sorted((record.key, record.version) for record in records))
    mark = hashlib.sha256(repr((setting.name, held)).encode()).hexdigest()[:32]
    now = datetime.now(setting.time_zone)
    message = EmailMessage(policy=_POLICY)
    message["From"] = options.sender
    message["To"] = ", ".join(options.recipients)
    message["Subject"] = options.subject.format(date=f"{now:%Y-%m-%d}", count=len(records))
    message["Date"] = format_datetime(now)
    message["Message-ID"] = name = f"<{mark}@{options.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's out-of-office answers it
    message.set_content(options.text, cte="base64" if not options.text.isascii() else None)
    message.add_attachment(table, *_type(options), filename=_file_name(options, now, mark), params=_charset(options))
    return Letter(name, message.as_bytes(), held)


def rendered(records: Sequence[Outbound], options: MailSinkOptions) -> bytes:
    """The table, whole; a batch has at most 1,000 records, so it fits into memory."""
    columns = options.columns or list(dict.fromkeys(name for record in records for name in record.values))
    stream = io.BytesIO()
    write([record.values for record in records], stream, options.format, columns)
    return stream.getvalue()


def unfit(records: Sequence[Outbound], options: MailSinkOptions) -> dict[int, PermanentError]:
    """Records that the format cannot hold, by their place; they are looked for one by one only where there are some."""
    try:
        rendered(records, options)
    except PermanentError:
        alone = ((place, _alone(record, options)) for place, record in enumerate(records))
        return {place: error for place, error in alone if error is not None}
    return {}


def _alone(record: Outbound, options: MailSinkOptions) -> PermanentError | None:
    try:
        rendered([record], options)
    except PermanentError as error:
        return error
    return None


def _file_name(options: MailSinkOptions, now: datetime, mark: str) -> str:
    return options.name.format(date=f"{now:%Y%m%d}", time=f"{now:%H%M%S}", id=mark[:12])


def _type(options: MailSinkOptions) -> tuple[str, str]:
    main, _, sub = _TYPES.get(options.format.type, "application/octet-stream").partition("/")
    return main, sub


def _charset(options: MailSinkOptions) -> dict[str, str]:
    if not isinstance(options.format, CsvFormat):
        return {}
    return {"charset": "utf-8" if options.format.encoding == "auto" else options.format.encoding}
