"""A stand-in for WeCom's checkin API: 100 users, 30 days, whole seconds, and an address that may not be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.peers.cloud_clocks import Cloud, served

_LONGEST = 30 * 86_400


def punch(user: str, at: datetime, kind: str = "上班打卡", **more: Any) -> dict[str, Any]:
    """As getcheckindata gives it: without any number of its own."""
    return {
        "userid": user,
        "groupname": "一组",
        "checkin_type": kind,
        "exception_type": "",
        "checkin_time": int(at.timestamp()),
        **more,
    }


@contextmanager
def wecom(port: int) -> Iterator[Cloud]:
    """Serve one organisation."""
    cloud = Cloud(id="ww-corp")

    async def token(request: web.Request) -> web.StreamResponse:
        if request.query.get("corpid") != cloud.id:
            return web.json_response({"errcode": 40013, "errmsg": "invalid corpid"})
        if request.query.get("corpsecret") != cloud.secret:
            return web.json_response({"errcode": 40001, "errmsg": f"invalid credential {request.query.get('corpsecret')}"})
        return web.json_response(cloud.token())

    async def records(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if (fault := cloud.next_fault()) is not None:
            return fault
        if cloud.is_over(request.query.get("access_token")):
            return web.json_response({"errcode": 42001, "errmsg": "access_token expired, more info at https://example"})
        cloud.questions.append(asked)
        low, high, users = asked["starttime"], asked["endtime"], asked["useridlist"]
        if len(users) > 100 or high - low > _LONGEST or high < low or asked["opencheckindatatype"] not in (1, 2, 3):
            return web.json_response({"errcode": 40058, "errmsg": "invalid parameter"})
        found = [one for one in cloud.punches if one["userid"] in users and low <= one["checkin_time"] <= high]
        return web.json_response({"errcode": 0, "errmsg": "ok", "checkindata": found})

    with served(cloud, port, {("GET", "/cgi-bin/gettoken"): token, ("POST", "/cgi-bin/checkin/getcheckindata"): records}):
        yield cloud
