"""What the conformance kit is told of `wecom-contacts`: a service that gives a token, and customers page by page, and that
tells and takes what is noted of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nave.connectors.conformance import LISTED, Asked, At, HttpConformance, Reply, Request, SinkWay, SourceWay
from nave.connectors.hr import CONTACTS
from nave.connectors.hr.conform import TokenFace, connection, said
from nave.connectors.hr.contacts import BY_USER
from nave.connectors.hr.notes import DETAIL, REMARK
from nave.connectors.hr.options import CloudOptions, ContactSinkOptions
from nave.connectors.hr.services import WECOM
from nave.core.protocols import Outbound, Raw, Receipt, Setting, Sink

_PAGE = 3
_NAMES = {one["code"]: one["name"] for one in LISTED}


class Noting:
    """The sink behind a mapping, which makes a note of a record's values: the kit's records are plain ones."""

    def __init__(self, inner: Sink) -> None:
        self._inner = inner

    def __enter__(self) -> Noting:
        self._inner.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inner.__exit__(kind, error, trace)

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """As the sink itself."""
        return self._inner.write([replace(one, values=_note(one.values)) for one in records])


def _note(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"external_userid": values["code"], "remark": values["name"]}


def _sink(connection: CloudOptions, options: ContactSinkOptions, setting: Setting) -> Sink:
    assert CONTACTS.sink is not None
    return Noting(CONTACTS.sink(connection, options, setting))


class ContactFace(TokenFace):
    """Customers of one person; the cursor of a page is where it starts, and what is noted of one is the record's name."""

    def asked(self, request: Request) -> Asked:
        """By path; the token counts as found, of nobody."""
        parts = urlsplit(request.path)
        if parts.path == WECOM.token_path:
            return Asked("find")
        if parts.path == DETAIL:
            return Asked("find", parse_qs(parts.query)["external_userid"][0])
        if parts.path == REMARK:
            return Asked("put", json.loads(request.body)["external_userid"], 1)
        if parts.path != BY_USER:
            return Asked("else")
        return Asked("list", start=int(json.loads(request.body)["cursor"] or 0), size=_PAGE)

    def taken(self, asked: Asked, name: str) -> Reply:
        """Noted; of whom, the service does not say."""
        return said({"errcode": 0, "errmsg": "成功"})

    def found(self, asked: Asked, version: int | None) -> Reply:
        """A token, or what is noted of a customer."""
        if not asked.key:
            return super().found(asked, version)
        noted = {"remark": _NAMES.get(asked.key, "") if version else "", "description": "客户"}
        about = _customer({"code": asked.key, "name": "微信昵称"})
        told = {"external_contact": {**about["external_contact"], "type": 1}}
        return said({"errcode": 0, "errmsg": "成功", **told, "follow_user": [{**about["follow_info"], **noted}]})

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


_NAMELESS = {"en": "the answer to a note names nobody", "zh": "备注的应答不含客户标识"}
_ITSELF = {"en": "what is noted says itself of whom", "zh": "现有备注自己说明属于哪位客户"}
SINKS = (
    SinkWay(
        "notes",
        {"en": "Sink, when it asks what is noted", "zh": "去向：查询现有备注时"},
        connection,
        lambda _at: {},
        keyed=False,
        begins=1,
        cannot={"other": _ITSELF},
    ),
    SinkWay(
        "remark",
        {
            "en": "Sink, in the middle of a note; to set the same again counts as once",
            "zh": "去向：写备注的中途；重复写入相同内容算作一次",
        },
        connection,
        lambda _at: {},
        begins=2,
        cannot={"other": _NAMELESS},
    ),
)
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
CONFORMANCE = HttpConformance(replace(CONTACTS, sink=_sink), ContactFace(), SINKS, SOURCES)
