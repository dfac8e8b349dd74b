"""What the conformance kit is told of `wecom-contacts`: a service that gives a token, and customers page by page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from nave.connectors.conformance import Asked, At, HttpConformance, Reply, Request, SourceWay
from nave.connectors.hr import CONTACTS
from nave.connectors.hr.conform import TokenFace, connection, said
from nave.connectors.hr.contacts import BY_USER
from nave.connectors.hr.services import WECOM
from nave.core.protocols import Raw

_PAGE = 3


class ContactFace(TokenFace):
    """Customers of one person; the cursor of a page is where it starts."""

    def asked(self, request: Request) -> Asked:
        """By path; the token counts as found."""
        path = urlsplit(request.path).path
        if path == WECOM.token_path:
            return Asked("find")
        if path != BY_USER:
            return Asked("else")
        return Asked("list", start=int(json.loads(request.body)["cursor"] or 0), size=_PAGE)

    def listed(self, asked: Asked, records: Sequence[Mapping[str, str]]) -> Reply:
        """One page, and where the next one starts."""
        end = asked.start + asked.size
        page = [_customer(record) for record in records[asked.start : end]]
        following = str(end) if end < len(records) else ""
        return said({"errcode": 0, "errmsg": "成功", "external_contact_list": page, "next_cursor": following})


def _customer(record: Mapping[str, str]) -> Mapping[str, Any]:
    followed = {"userid": "u1", "createtime": int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())}
    return {"external_contact": {"external_userid": record["code"], "name": record["name"]}, "follow_info": followed}


def _options(_at: At) -> Mapping[str, Any]:
    return {"users": ["u1"]}


def _told(record: Raw) -> tuple[str, str]:
    contact = record["external_contact"]
    return str(contact["external_userid"]), str(contact["name"])


SOURCES = (
    SourceWay(
        "token",
        {"en": "Source, when it asks for its token", "zh": "来源：请求令牌时"},
        connection,
        _options,
        _told,
        begins=0,
    ),
    SourceWay(
        "customers",
        {"en": "Source, in the middle of the customers", "zh": "来源：读取客户的中途"},
        connection,
        _options,
        _told,
        begins=2,
    ),
)
CONFORMANCE = HttpConformance(CONTACTS, ContactFace(), (), SOURCES)
