"""Reads the customers of WeCom (客户联系): of some people at a time, page by page, and gathers who follows whom.

A customer whom several people follow is told once for each of them, so nothing is known of it until all were asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from nave.connectors.hr.options import CloudOptions, ContactSourceOptions
from nave.connectors.hr.people import named_users
from nave.connectors.hr.services import WECOM
from nave.connectors.hr.wire import Wire
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError
from nave.core.protocols import Batch, End, Raw, Refused, Setting

FOLLOWERS = "/cgi-bin/externalcontact/get_follow_user_list"
BY_USER = "/cgi-bin/externalcontact/batch/get_by_user"
NOBODY = "84061"
"""What is said of a person who has no customers."""
_PEOPLE = 100
_PAGE = 100
_MOST_PAGES = 10_000
_BATCH = 500


class ContactSource:
    """All customers; there is no position, for the service does not say what changed."""

    def __init__(self, connection: CloudOptions, options: ContactSourceOptions, setting: Setting) -> None:
        self._options = options
        self._setting = setting
        self._wire = Wire(WECOM, connection, setting, options.max_answer)

    def __enter__(self) -> ContactSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wire.close()

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield every customer with all who follow it; told whole, unless some people's could not be had."""
        gathered: dict[str, Raw] = {}
        refused: list[Refused] = []
        whole = True
        people = self._people()
        for first in range(0, len(people), _PEOPLE):
            for said in self._pages(people[first : first + _PEOPLE]):
                whole = self._gather(said, gathered, refused) and whole
        records = [_ordered(one) for one in gathered.values()]
        end = End.WHOLE if whole and not refused else End.TORN
        starts = range(0, max(len(records), 1), _BATCH)
        for start in starts:
            last = start == starts[-1]
            part = records[start : start + _BATCH]
            places = [(start + number, None) for number in range(1, len(part) + 1)]
            origin = {"unit": "element", "path": BY_USER}
            yield Batch(part, places, origin, None, refused if last else (), end if last else None, start == 0)

    def _people(self) -> Sequence[str]:
        named = named_users(self._options.users, self._options.users_file, self._setting)
        if named:
            return named
        listed = self._wire.ask(None, FOLLOWERS).get("follow_user")
        if not isinstance(listed, list):
            raise _unlike("follow_user")
        return [str(one) for one in listed]

    def _pages(self, people: Sequence[str]) -> Iterator[Any]:
        """The answers for some people; where the service says that one has nobody, each is asked for alone."""
        cursor, seen = "", set[str]()
        while True:
            asked = {"userid_list": list(people), "cursor": cursor, "limit": _PAGE}
            said = self._wire.ask(asked, BY_USER, fine=(NOBODY,))
            if str(said.get("errcode")) == NOBODY:
                for one in people if len(people) > 1 else ():
                    yield from self._pages([one])
                return
            yield said
            cursor = said.get("next_cursor") or ""
            if not cursor:
                return
            if not isinstance(cursor, str) or cursor in seen or len(seen) >= _MOST_PAGES:
                raise _unlike(f"next_cursor {short(cursor)}")
            seen.add(cursor)

    def _gather(self, said: Any, gathered: dict[str, Raw], refused: list[Refused]) -> bool:
        """Take up one page; whether it tells of all who were asked for."""
        items = said.get("external_contact_list") or []
        if not isinstance(items, list):
            raise _unlike("external_contact_list")
        for item in items:
            contact = item.get("external_contact") if isinstance(item, dict) else None
            name = contact.get("external_userid") if isinstance(contact, dict) else None
            if not isinstance(name, str) or not name:
                error = PermanentError("NAVE-K368", service=WECOM.name, reason=short(item))
                refused.append(Refused((len(gathered) + 1, None), short(item, 1000), error))
                continue
            known = gathered.setdefault(name, {"external_contact": contact, "follow_user": []})
            follow = item.get("follow_info")
            if isinstance(follow, dict) and follow.get("userid") not in [one.get("userid") for one in known["follow_user"]]:
                known["follow_user"].append(follow)
            if len(gathered) > self._options.most:
                raise ConfigError("NAVE-K425", name=self._setting.name, most=self._options.most)
        failed = said.get("fail_info")
        return not (isinstance(failed, dict) and failed.get("unlicensed_userid_list"))


def _ordered(record: Raw) -> Raw:
    """Followers by when they began, so that the same customer is the same record whoever was asked first."""
    return {**record, "follow_user": sorted(record["follow_user"], key=began)}


def began(follow: Mapping[str, Any]) -> tuple[str, str]:
    """When somebody began to follow a customer, to sort by; the notes of the first count before those of others."""
    return str(follow.get("createtime")), str(follow.get("userid"))


def _unlike(reason: str) -> NaveError:
    return RetryableError("NAVE-K368", service=WECOM.name, reason=reason)
