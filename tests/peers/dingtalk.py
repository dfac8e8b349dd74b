"""A stand-in for DingTalk's attendance API: 200 for everything, 50 users, 7 days, times in milliseconds, errors inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from tests.peers.cloud_clocks import Cloud, served

BEIJING = ZoneInfo("Asia/Shanghai")


def punch(number: int, user: str, at: datetime, **more: Any) -> dict[str, Any]:
    """As listRecord gives it."""
    day = at.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
    kind = {"checkType": "OnDuty", "timeResult": "Normal", "locationResult": "Normal", "sourceType": "USER"}
    moments = {"workDate": int(day.timestamp() * 1000), "userCheckTime": int(at.timestamp() * 1000)}
    return {"id": number, "userId": user, **moments, **kind, "bizId": f"b{number}", **more}


@contextmanager
def dingtalk(port: int) -> Iterator[Cloud]:
    """Serve one organisation."""
    cloud = Cloud(id="ding-app-key")

    async def token(request: web.Request) -> web.StreamResponse:
        if request.query.get("appkey") != cloud.id:
            return web.json_response({"errcode": 40089, "errmsg": "不合法的corpid或appkey"})
        if request.query.get("appsecret") != cloud.secret:
            said = f"不合法的appsecret {request.query.get('appsecret')}"
            return web.json_response({"errcode": 40089, "errmsg": said})
        return web.json_response(cloud.token())

    async def records(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if (fault := cloud.next_fault()) is not None:
            return fault
        if cloud.is_over(request.query.get("access_token")):
            wrapped = {"errcode": 88, "sub_code": "40014", "sub_msg": "不合法的access_token"}
            return web.json_response({**wrapped, "errmsg": "ding talk error[subcode=40014,submsg=不合法的access_token]"})
        cloud.questions.append(asked)
        begin, end = (
            datetime.fromisoformat(asked[name]).replace(tzinfo=BEIJING) for name in ("checkDateFrom", "checkDateTo")
        )
        if len(asked["userIds"]) > 50 or end - begin > timedelta(days=7) or end < begin:
            return web.json_response({"errcode": 33001, "errmsg": "参数错误"})
        low, high = begin.timestamp() * 1000, end.timestamp() * 1000
        found = [one for one in cloud.punches if one["userId"] in asked["userIds"] and low <= one["userCheckTime"] <= high]
        return web.json_response({"errcode": 0, "errmsg": "ok", "recordresult": found})

    with served(cloud, port, {("GET", "/gettoken"): token, ("POST", "/attendance/listRecord"): records}):
        yield cloud
