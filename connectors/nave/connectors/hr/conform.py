"""What the conformance kit is told of `dingtalk-attendance` and `wecom-checkin`: services that give a token, and punches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from nave.connectors.conformance import Asked, At, HttpConformance, Reply, Request, SourceWay
from nave.connectors.hr import DINGTALK, WECOM
from nave.connectors.hr.services import DINGTALK as DINGTALK_SERVICE
from nave.connectors.hr.services import WECOM as WECOM_SERVICE
from nave.connectors.hr.services import Service

_GROUPS = 3
"""Calls that the people of a run are asked for in."""
_PAGE = 3
"""Records of each."""


class TokenFace:
    """What the services have in common: a token for whoever asks, and a code in a good answer where they cannot."""

    def taken(self, asked: Asked, name: str) -> Reply:
        """Nobody sends."""
        return Reply(404, "")

    def refused(self, asked: Asked) -> Reply:
        """200 with a code that says to come later."""
        return said({"errcode": -1, "errmsg": "系统繁忙"})

    def found(self, asked: Asked, version: int | None) -> Reply:
        """A token."""
        return said({"errcode": 0, "errmsg": "成功", "access_token": "T", "expires_in": 7200})


@dataclass(frozen=True, slots=True)
class PunchFace(TokenFace):
    """Of a service: its token, which counts as found, and its punches, of which each group of people has some."""

    service: Service
    users: str
    """What the people of a call are called."""

    def asked(self, request: Request) -> Asked:
        """By path; whose punches, by the first of them."""
        path = urlsplit(request.path).path
        if path == self.service.token_path:
            return Asked("find")
        if path != self.service.path:
            return Asked("else")
        first = int(json.loads(request.body)[self.users][0].removeprefix("u"))
        return Asked("list", start=first // self.service.people * _PAGE, size=_PAGE)

    def listed(self, asked: Asked, records: Sequence[Mapping[str, str]]) -> Reply:
        """The punches of one group."""
        page = records[asked.start : asked.start + asked.size]
        return said({"errcode": 0, "errmsg": "成功", self.service.items: list(page)})


def said(values: Mapping[str, Any]) -> Reply:
    """An answer in JSON."""
    return Reply(200, json.dumps(values, ensure_ascii=False))


def connection(at: At) -> Mapping[str, Any]:
    """To a service of the kit's, under its time limit."""
    limits = dict.fromkeys(("connect", "idle", "timeout"), f"{at.seconds}s")
    return {"url": at.url, "id": "kit", "secret": "s", **limits}


def _ways(service: Service) -> Sequence[SourceWay]:
    def options(at: At) -> Mapping[str, Any]:
        people = [f"u{number}" for number in range(_GROUPS * service.people)]
        return {"users": people, "start": (datetime.now(UTC) - timedelta(days=1)).date()}

    return (
        SourceWay(
            "token",
            {"en": "Source, when it asks for its token", "zh": "来源：请求令牌时"},
            connection,
            options,
            begins=0,
        ),
        SourceWay(
            "punches",
            {"en": "Source, when it asks for punches", "zh": "来源：请求打卡记录时"},
            connection,
            options,
            begins=2,
        ),
    )


DINGTALK_CONFORMANCE = HttpConformance(DINGTALK, PunchFace(DINGTALK_SERVICE, "userIds"), (), _ways(DINGTALK_SERVICE))
WECOM_CONFORMANCE = HttpConformance(WECOM, PunchFace(WECOM_SERVICE, "useridlist"), (), _ways(WECOM_SERVICE))
