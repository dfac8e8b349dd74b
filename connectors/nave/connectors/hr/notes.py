"""Notes what the hub knows of a customer of WeCom (备注) in the name of one of those who follow it.

WeCom keeps no version: each note is looked at first and only what differs is set, so a lost answer does nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from nave.connectors.hr.contacts import began
from nave.connectors.hr.errors import code_in, refusal
from nave.connectors.hr.noting import Note, missing, note_of
from nave.connectors.hr.options import CloudOptions, ContactSinkOptions
from nave.connectors.hr.people import named_users
from nave.connectors.hr.services import WECOM
from nave.connectors.hr.wire import Wire
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

DETAIL = "/cgi-bin/externalcontact/get"
REMARK = "/cgi-bin/externalcontact/remark"
_MOST_PAGES = 100
"""Of those who follow one customer, 500 of them each."""
_HELD_BACK = "NAVE-S058"
_GARBLED = "NAVE-K368"


class NoteSink:
    """The notes of those who follow; who has no customer of that name is never given one."""

    def __init__(self, connection: CloudOptions, options: ContactSinkOptions, setting: Setting) -> None:
        self._options = options
        self._setting = setting
        self._url = connection.url
        self._wire = Wire(WECOM, connection, setting, options.max_answer)

    def __enter__(self) -> NoteSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wire.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record; once the service is away, busy or lets nobody in, the rest of them are held back."""
        users = named_users(self._options.users, self._options.users_file, self._setting) if records else []
        receipts: list[Receipt] = []
        for record in records:
            receipts.append(self._one(record, frozenset(users)))
            if receipts[-1].outcome is Outcome.RETRY:
                break
        back = RetryableError(_HELD_BACK, url=self._url)
        return receipts + [Receipt(Outcome.RETRY, error=back, tried=False) for _ in records[len(receipts) :]]

    def _one(self, record: Outbound, users: frozenset[str]) -> Receipt:
        if record.retired:
            return Receipt(Outcome.DUPLICATE, record.remote_key, tried=False)
        try:
            note = note_of(record.values)
            return Receipt(Outcome.ACCEPTED if self._noted(note, users) else Outcome.DUPLICATE, note.customer)
        except PermanentError as error:
            return Receipt(Outcome.REJECTED, record.remote_key, error)
        except (ConfigError, RetryableError) as error:
            return Receipt(Outcome.RETRY, record.remote_key, error, tried=error.code == _GARBLED)

    def _noted(self, note: Note, users: frozenset[str]) -> bool:
        """False where all of it is noted already."""
        kind, followers = self._followers(note.customer)
        known = [one for one in followers if not users or one.get("userid") in users]
        whose = [one for one in known if note.user in (None, one.get("userid"))]
        if not whose:
            raise PermanentError("NAVE-K442", customer=short(note.customer))
        first = min(whose, key=began)
        wanted = missing(note, first, kind)
        if wanted:
            self._said(note.customer, {"userid": first["userid"], "external_userid": note.customer, **wanted}, REMARK)
        return bool(wanted)

    def _followers(self, customer: str) -> tuple[Any, Sequence[Mapping[str, Any]]]:
        """The type of a customer, and all who follow it."""
        cursor, found = "", list[Mapping[str, Any]]()
        for _ in range(_MOST_PAGES):
            query = {"external_userid": customer, **({"cursor": cursor} if cursor else {})}
            said = self._said(customer, None, DETAIL, query)
            contact, follow = said.get("external_contact"), said.get("follow_user")
            if not isinstance(contact, dict) or contact.get("external_userid") != customer or not isinstance(follow, list):
                raise RetryableError(_GARBLED, service=WECOM.name, reason=short(contact))
            found += [one for one in follow if isinstance(one, dict) and isinstance(one.get("userid"), str)]
            cursor = said.get("next_cursor") or ""
            if not isinstance(cursor, str) or not cursor:
                return contact.get("type"), found
        raise RetryableError(_GARBLED, service=WECOM.name, reason=short(f"next_cursor {cursor}"))

    def _said(
        self, customer: str, question: Mapping[str, Any] | None, path: str, query: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """A good answer. A code that says nothing of the service as a whole is about this customer, or who follows it."""
        said = self._wire.answer(question, path, query)
        code = code_in(said)
        if "errcode" not in said:
            raise RetryableError(_GARBLED, service=WECOM.name, reason="no errcode")
        if code in WECOM.codes:
            raise refusal(WECOM, said)
        if code != "0":
            told = short(said.get("errmsg", ""))
            raise PermanentError("NAVE-K443", customer=short(customer), errcode=short(code, 20), said=told)
        return said
