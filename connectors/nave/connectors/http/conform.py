"""What the conformance kit is told of `http` and `rest`: a JSON service that takes, finds and lists records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from nave.connectors.conformance import Asked, At, HttpConformance, Reply, Request, SinkWay, SourceWay
from nave.connectors.http import REST, SPEC

_DONE = "已接收"
_PAGE = 3


class JsonFace:
    """POST /records, GET /records/KEY, GET /records?offset=..."""

    def asked(self, request: Request) -> Asked:
        """By method and path; the version stands in a header."""
        parts = urlsplit(request.path)
        key = unquote(parts.path.removeprefix("/records").strip("/"))
        if request.method == "POST":
            return Asked("put", str(json.loads(request.body)["code"]), int(request.headers["nave-version"]))
        if request.method != "GET":
            return Asked("else")
        if key:
            return Asked("find", key)
        query = parse_qs(parts.query)
        return Asked("list", start=int(query["offset"][0]), size=int(query["limit"][0]))

    def taken(self, asked: Asked, name: str) -> Reply:
        """201 with the peer's own key."""
        return _json(201, {"ok": True, "data": {"id": name, "code": asked.key}, "message": _DONE})

    def refused(self, asked: Asked) -> Reply:
        """200 with `ok: false`; instead of a list there is none."""
        return _json(200, {"ok": False, "message": "编码有误", "error": "E40"})

    def found(self, asked: Asked, version: int | None) -> Reply:
        """200 with key and version, or 404."""
        if version is None:
            return _json(404, {"message": "没有"})
        return _json(200, {"ok": True, "data": {"id": f"R{asked.key}", "version": version}, "message": _DONE})

    def listed(self, asked: Asked, records: Sequence[Mapping[str, str]]) -> Reply:
        """The records from `offset` on."""
        return _json(200, {"ok": True, "data": list(records[asked.start : asked.start + asked.size])})


def _json(status: int, said: Mapping[str, Any]) -> Reply:
    return Reply(status, json.dumps(said, ensure_ascii=False))


def _connection(at: At) -> Mapping[str, Any]:
    limits = dict.fromkeys(("connect", "idle", "timeout"), f"{at.seconds}s")
    return {"url": at.url, **limits}


def _sink(**more: Any) -> Mapping[str, Any]:
    echo = {"path": "data.code", "field": "code"}
    return {"path": "/records", "key_path": "data.id", "success": {"path": "ok", "equals": True}, "echo": echo, **more}


_PROBE = {"path": "/records/{key}", "version_path": "data.version"}
SINKS = (
    SinkWay(
        "keyed",
        {
            "en": "Sink, a target that honours the idempotency key (`idempotent: true`)",
            "zh": "去向：目标识别幂等键（`idempotent: true`）",
        },
        _connection,
        lambda at: _sink(),
        names=True,
    ),
    SinkWay(
        "probed",
        {
            "en": "Sink, a target that takes every call as new, with a probe (`idempotent: false`, `probe`)",
            "zh": "去向：目标把每次调用都当作新的，配有查询（`idempotent: false`、`probe`）",
        },
        _connection,
        lambda at: _sink(idempotent=False, probe=_PROBE),
        keyed=False,
        probes=True,
        names=True,
    ),
    SinkWay(
        "bare",
        {
            "en": "Sink, a target that takes every call as new, without a probe (`idempotent: false`)",
            "zh": "去向：目标把每次调用都当作新的，没有查询（`idempotent: false`）",
        },
        _connection,
        lambda at: _sink(idempotent=False),
        keyed=False,
        names=True,
    ),
)
_PAGES = {"by": "offset", "param": "offset", "size_param": "limit", "size": _PAGE}
HTTP = HttpConformance(SPEC, JsonFace(), SINKS)
SOURCES = (
    SourceWay(
        "pages",
        {"en": "Source, page by page (`by: offset`)", "zh": "来源：逐页读取（`by: offset`）"},
        _connection,
        lambda at: {"get": "/records", "items": "data", "key": "code", "page": _PAGES},
    ),
)
PULLED = HttpConformance(REST, JsonFace(), (), SOURCES)
"""Its sink is the one of `http`."""
