"""A stand-in for WeCom's customer contact API (客户联系), written from what is documented: errors under 200, tokens that
end when they like, pages by cursor, a customer once for each of those who follow it, notes that belong to one of them.
No real WeCom was here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.peers.cloud_clocks import Cloud, Handler, served

_LONGEST = {"remark": 20, "description": 150, "remark_company": 20}
_WECHAT = 1


@dataclass
class Contacts(Cloud):
    """One organisation with its customers, which are its `punches`."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    """What was noted so far, as it came."""
    withheld: int = 0
    """So many of the next notes are taken, and the answer is not given."""
    page: int = 100
    """Of those who follow one customer, so many are told at once."""

    def followed(self, name: str | None) -> list[dict[str, Any]]:
        """A customer, once for each of those who follow it."""
        return [one for one in self.punches if one["external_contact"]["external_userid"] == name]

    def noted(self, name: str, user: str) -> dict[str, Any]:
        """What somebody notes of a customer; a test changes it as that person would."""
        found: list[dict[str, Any]] = [one["follow_info"] for one in self.followed(name)]
        return next(one for one in found if one["userid"] == user)


def contact(name: str, user: str, since: int = 1_525_779_812, **follow: Any) -> dict[str, Any]:
    """One customer of one person, as get_by_user tells it."""
    about = {"external_userid": name, "name": f"昵称 {name}", "position": "采购经理", "type": 1, "gender": 0, "avatar": ""}
    info = {"userid": user, "remark": "", "description": "", "createtime": since, "tag_id": [], "remark_mobiles": []}
    return {"external_contact": about, "follow_info": {**info, **follow}}


@contextmanager
def wecom_contacts(port: int, page: int = 100) -> Iterator[Contacts]:
    """Serve one organisation; `punches` of the cloud are its customers. `page` is the most that a page holds."""
    cloud = Contacts(id="ww-corp")

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

    async def detail(request: web.Request) -> web.StreamResponse:
        if (answer := stopped(request)) is not None:
            return answer
        return web.json_response(_detail(cloud, request.query))

    async def remark(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if (answer := stopped(request)) is not None:
            return answer
        said = _remark(cloud, asked)
        if cloud.withheld and said["errcode"] == 0:
            cloud.withheld -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(said)

    routes: dict[tuple[str, str], Handler] = {
        ("GET", "/cgi-bin/gettoken"): token,
        ("GET", "/cgi-bin/externalcontact/get_follow_user_list"): followers,
        ("GET", "/cgi-bin/externalcontact/get"): detail,
        ("POST", "/cgi-bin/externalcontact/batch/get_by_user"): by_user,
        ("POST", "/cgi-bin/externalcontact/remark"): remark,
    }
    with served(cloud, port, routes):
        yield cloud


def _detail(cloud: Contacts, query: Mapping[str, str]) -> dict[str, Any]:
    found = cloud.followed(query.get("external_userid"))
    if not found:
        return {"errcode": 84061, "errmsg": "not external contact", "follow_user": []}
    start = int(query.get("cursor", "c0").removeprefix("c"))
    told = {"errcode": 0, "errmsg": "ok", "external_contact": found[0]["external_contact"]}
    told["follow_user"] = [one["follow_info"] for one in found[start : start + cloud.page]]
    return told | ({"next_cursor": f"c{start + cloud.page}"} if start + cloud.page < len(found) else {})


def _remark(cloud: Contacts, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A set of what is given; the company counts for customers who use WeChat, numbers replace all that were there."""
    texts = {name: asked[name] for name in _LONGEST if name in asked}
    if not (texts or "remark_mobiles" in asked) or any(len(text) > _LONGEST[name] for name, text in texts.items()):
        return {"errcode": 40058, "errmsg": "invalid Request Parameter"}
    found = [one for one in cloud.followed(asked["external_userid"]) if one["follow_info"]["userid"] == asked["userid"]]
    if not found:
        return {"errcode": 84061, "errmsg": "not external contact"}
    (one,) = found
    company = texts.pop("remark_company", None)
    one["follow_info"].update(texts)
    if company is not None and one["external_contact"]["type"] == _WECHAT:
        one["follow_info"]["remark_corp_name"] = company
    if "remark_mobiles" in asked:
        one["follow_info"]["remark_mobiles"] = [number for number in asked["remark_mobiles"] if number]
    cloud.notes.append(dict(asked))
    return {"errcode": 0, "errmsg": "ok"}


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
