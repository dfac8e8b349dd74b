"""A stand-in for WeCom's customer contact API (客户联系), written from what is documented: errors under 200, tokens that
end when they like, pages by cursor, a customer once for each of those who follow it. No real WeCom was here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.peers.cloud_clocks import Cloud, served


def contact(name: str, user: str, since: int = 1_525_779_812, **follow: Any) -> dict[str, Any]:
    """One customer of one person, as get_by_user tells it."""
    about = {"external_userid": name, "name": f"昵称 {name}", "position": "采购经理", "type": 1, "gender": 0, "avatar": ""}
    info = {"userid": user, "remark": "", "description": "", "createtime": since, "tag_id": [], "remark_mobiles": []}
    return {"external_contact": about, "follow_info": {**info, **follow}}


@contextmanager
def wecom_contacts(port: int, page: int = 100) -> Iterator[Cloud]:
    """Serve one organisation; `punches` of the cloud are its customers. `page` is the most that a page holds."""
    cloud = Cloud(id="ww-corp")

    async def token(request: web.Request) -> web.StreamResponse:
        if request.query.get("corpid") != cloud.id or request.query.get("corpsecret") != cloud.secret:
            return web.json_response({"errcode": 40001, "errmsg": f"invalid credential {request.query.get('corpsecret')}"})
        return web.json_response(cloud.token())

    def stopped(request: web.Request) -> web.StreamResponse | None:
        if (fault := cloud.next_fault()) is not None:
            return fault
        if cloud.is_over(request.query.get("access_token")):
            return web.json_response({"errcode": 42001, "errmsg": "access_token expired"})
        return None

    async def followers(request: web.Request) -> web.StreamResponse:
        if (answer := stopped(request)) is not None:
            return answer
        listed = sorted({one["follow_info"]["userid"] for one in cloud.punches})
        return web.json_response({"errcode": 0, "errmsg": "ok", "follow_user": listed})

    async def by_user(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if (answer := stopped(request)) is not None:
            return answer
        cloud.questions.append(asked)
        return web.json_response(_page(cloud, asked, page))

    posts = {("POST", "/cgi-bin/externalcontact/batch/get_by_user"): by_user}
    gets = {("GET", "/cgi-bin/gettoken"): token, ("GET", "/cgi-bin/externalcontact/get_follow_user_list"): followers}
    with served(cloud, port, {**posts, **gets}):
        yield cloud


def _page(cloud: Cloud, asked: Mapping[str, Any], page: int) -> dict[str, Any]:
    users, limit = asked["userid_list"], min(asked["limit"], page)
    if not 0 < len(users) <= 100:
        return {"errcode": 40058, "errmsg": "invalid parameter"}
    found = [one for one in cloud.punches if one["follow_info"]["userid"] in users]
    if {one["follow_info"]["userid"] for one in found} != set(users):
        return {"errcode": 84061, "errmsg": "not external contact"}
    start = int(asked["cursor"].removeprefix("c") or 0)
    more = f"c{start + limit}" if start + limit < len(found) else ""
    return {"errcode": 0, "errmsg": "ok", "external_contact_list": found[start : start + limit], "next_cursor": more}
