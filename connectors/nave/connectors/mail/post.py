"""Hands one mail to an SMTP server, and says what became of it: taken, refused, not now, or nobody knows."""

from __future__ import annotations

import base64
import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nave.connectors.mail.entry import Entry, entry_of, told
from nave.connectors.mail.errors import said
from nave.connectors.mail.options import MailOptions, MailSinkOptions, place
from nave.connectors.mail.secure import PATIENCE, context, ending
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError, UnknownOutcome

_TOO_LARGE = 552
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_DOTS = re.compile(rb"(?m)^\.")


class _Watched(smtplib.SMTP):
    """A connection whose greeting has an end, too."""

    def connect(self, *arguments: Any, **options: Any) -> tuple[int, bytes]:
        with ending(self, (self.timeout or 0.0) * PATIENCE):
            return super().connect(*arguments, **options)


class _Tls(_Watched, smtplib.SMTP_SSL):
    """The same over TLS."""


@contextmanager
def open_post(connection: MailOptions, folder: Path, *, anew: bool = False) -> Iterator[smtplib.SMTP]:
    """Connect and log in; with `anew` also with a login that was refused before. The vendor's errors come through."""
    if connection.smtp is None:
        raise ConfigError("NAVE-K343", what="smtp")
    entry = entry_of(connection, connection.smtp, folder, anew=anew) if connection.user is not None else None
    smtp = _reached(connection, connection.smtp, folder)
    try:
        with ending(smtp, connection.transfer.total_seconds()):
            if entry is not None:
                _log_in(smtp, connection.smtp, entry)
            yield smtp
            with suppress(smtplib.SMTPException, OSError):
                smtp.docmd("QUIT")
    finally:
        smtp.close()


def _reached(connection: MailOptions, url: str, folder: Path) -> smtplib.SMTP:
    there, seconds, secure = place(url), connection.timeout.total_seconds(), context(connection, folder)
    if there.tls:
        smtp: smtplib.SMTP = _Tls(there.host, there.port, timeout=seconds, context=secure)
    else:
        smtp = _Watched(there.host, there.port, timeout=seconds)
    try:
        with ending(smtp, seconds * PATIENCE):
            smtp.ehlo_or_helo_if_needed()
            if not there.tls and connection.encryption == "required":
                if not smtp.has_extn("starttls"):
                    raise ConfigError("NAVE-K332", url=url, reason="STARTTLS")
                smtp.starttls(context=secure)
                smtp.ehlo()
    except BaseException:
        smtp.close()
        raise
    return smtp


def _log_in(smtp: smtplib.SMTP, url: str, entry: Entry) -> None:
    """One try; the library would go through all ways that the server offers, and each counts as a try."""
    ways = smtp.esmtp_features.get("auth", "").upper().split()
    if entry.bearer:
        code, words = _with_token(smtp, url, entry, ways)
    elif "PLAIN" in ways:
        code, words = smtp.docmd("AUTH", "PLAIN " + _coded(f"\0{entry.user}\0{entry.secret}"))
    elif "LOGIN" in ways:
        smtp.docmd("AUTH", "LOGIN")
        smtp.docmd(_coded(entry.user))
        code, words = smtp.docmd(_coded(entry.secret))
    else:
        raise ConfigError("NAVE-K332", url=url, reason="AUTH PLAIN, AUTH LOGIN")
    if 400 <= code < 500:
        raise RetryableError("NAVE-K342", url=url, reason=_reason(code, words))
    if code != 235:
        raise entry.refused(_reason(code, words))
    entry.accepted()


def _with_token(smtp: smtplib.SMTP, url: str, entry: Entry, ways: list[str]) -> tuple[int, bytes]:
    """A server that refuses asks once more, to say why; it wants an answer to that before it says no."""
    shown = told(entry, url, ways)
    code, words = smtp.docmd("AUTH", f"{shown.way} {_coded(shown.first.decode())}")
    return smtp.docmd(_coded(shown.last.decode())) if code == 334 else (code, words)


def hand_in(smtp: smtplib.SMTP, url: str, options: MailSinkOptions, message_id: str, content: bytes) -> str:
    """All recipients or none; the server's answer.

    ConfigError NAVE-K341 for an address that it refuses, PermanentError NAVE-K340 for a mail that it refuses,
    RetryableError where it did not take it now, UnknownOutcome NAVE-K339 where its last answer was lost.
    """
    sized = [f"SIZE={len(content)}"] if smtp.has_extn("size") else []
    _address_taken(smtp.mail(options.sender, sized), url, options.sender)
    for one in options.recipients:
        _address_taken(smtp.rcpt(one), url, one)
    code, words = smtp.docmd("DATA")
    if code != 354:
        raise _not_taken(code, words, url)
    smtp.send(_DOTS.sub(b"..", _LINE_ENDS.sub(b"\r\n", content)))
    try:
        smtp.send(b"\r\n.\r\n")
        code, words = smtp.getreply()
    except (smtplib.SMTPException, OSError) as error:
        raise UnknownOutcome("NAVE-K339", url=url, id=message_id, reason=said(error)) from error
    if code != 250:
        raise _not_taken(code, words, url)
    return _reason(code, words)


def _address_taken(answer: tuple[int, bytes], url: str, address: str) -> None:
    code, words = answer
    if code == _TOO_LARGE or 400 <= code < 500:
        raise _not_taken(code, words, url)
    if code not in (250, 251):
        raise ConfigError("NAVE-K341", url=url, address=short(address, 254), reason=_reason(code, words))


def _not_taken(code: int, words: bytes, url: str) -> PermanentError | RetryableError:
    if code >= 500 or code < 0:
        return PermanentError("NAVE-K340", url=url, reason=_reason(code, words))
    return RetryableError("NAVE-K342", url=url, reason=_reason(code, words))


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _reason(code: int, words: bytes) -> str:
    return short(f"{code} {words.decode('utf-8', 'replace')}", 200)
