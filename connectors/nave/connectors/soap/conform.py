"""What the conformance kit is told of `soap`: a service with three operations, as `conform.wsdl` describes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from nave.connectors.conformance import Asked, At, HttpConformance, Reply, Request, SinkWay, SourceWay
from nave.connectors.soap import SPEC

_DONE = "已接收"
_PAGE = 3
_FILE = "conform.wsdl"
_KINDS = re.compile(r"<(?:\w+:)?(put|find|list)[\s>]")


class XmlFace:
    """put, find and list; document/literal, SOAP 1.1."""

    def asked(self, request: Request) -> Asked:
        """By the name of the body's element."""
        text = request.body.decode()
        found = _KINDS.search(text)
        if found is None:
            return Asked("else")
        if found[1] == "list":
            size = int(_text(text, "size"))
            return Asked("list", start=(int(_text(text, "page")) - 1) * size, size=size)
        key = _text(text, "code")
        return Asked("put", key, int(_text(text, "version"))) if found[1] == "put" else Asked("find", key)

    def taken(self, asked: Asked, name: str) -> Reply:
        """ok, with the peer's own key."""
        return _answer("put", {"code": "ok", "id": name, "record": asked.key, "message": _DONE})

    def refused(self, asked: Asked) -> Reply:
        """A code that means no, or a fault, both under 200."""
        if asked.kind == "put":
            return _answer("put", {"code": "E40", "message": "编码有误"})
        fault = "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>参数有误</faultstring></soap:Fault>"
        return _envelope(fault)

    def found(self, asked: Asked, version: int | None) -> Reply:
        """The version, or none."""
        known = {} if version is None else {"id": f"R{asked.key}", "version": str(version)}
        return _answer("find", {**known, "message": _DONE})

    def listed(self, asked: Asked, records: Sequence[Mapping[str, str]]) -> Reply:
        """A page."""
        page = records[asked.start : asked.start + asked.size]
        rows = "".join(f"<record><code>{one['code']}</code><name>{escape(one['name'])}</name></record>" for one in page)
        body = f"<count>{len(page)}</count>{rows}"
        return _envelope(f'<listResponse xmlns="urn:nave:conform">{body}</listResponse>')


def _text(xml: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}>([^<]*)<", xml)
    if found is None:
        raise ValueError(f"no {name} in the request")
    return found[1]


def _answer(operation: str, values: Mapping[str, str]) -> Reply:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    return _envelope(f'<{operation}Response xmlns="urn:nave:conform">{inner}</{operation}Response>')


def _envelope(body: str) -> Reply:
    xml = f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{body}</soap:Body></soap:Envelope>'
    return Reply(200, f'<?xml version="1.0" encoding="utf-8"?>{xml}', "text/xml")


def _wsdl() -> bytes:
    return files("nave.connectors.soap").joinpath(_FILE).read_bytes()


def _prepare(folder: Path) -> None:
    (folder / _FILE).write_bytes(_wsdl())


def _connection(at: At) -> Mapping[str, Any]:
    pinned = {"file": _FILE, "sha256": hashlib.sha256(_wsdl()).hexdigest()}
    return {"url": at.url, "wsdl": pinned, **dict.fromkeys(("connect", "idle", "timeout"), f"{at.seconds}s")}


def _sink(**more: Any) -> Mapping[str, Any]:
    outcome = {"path": "code", "accepted": ["ok"], "duplicate": ["duplicate"]}
    told = {"outcome": outcome, "key_path": "id", "echo": {"path": "record", "field": "code"}}
    return {"operation": "put", "arguments": {"version": "{version}"}, **told, **more}


_PROBE = {"operation": "find", "arguments": {"code": "{key}"}, "found": "id", "version_path": "version"}
SINKS = (
    SinkWay(
        "keyed",
        {
            "en": "Sink, a target that takes a repeat without a second effect (`idempotent: true`)",
            "zh": "去向：目标对重复调用不产生第二次效果（`idempotent: true`）",
        },
        _connection,
        lambda at: _sink(idempotent=True),
        names=True,
    ),
    SinkWay(
        "probed",
        {
            "en": "Sink, a target that takes every call as new, with a probe (`probe`)",
            "zh": "去向：目标把每次调用都当作新的，配有查询（`probe`）",
        },
        _connection,
        lambda at: _sink(probe=_PROBE),
        keyed=False,
        probes=True,
        names=True,
    ),
    SinkWay(
        "bare",
        {
            "en": "Sink, a target that takes every call as new, without a probe",
            "zh": "去向：目标把每次调用都当作新的，没有查询",
        },
        _connection,
        lambda at: _sink(),
        keyed=False,
        names=True,
    ),
)
SOURCES = (
    SourceWay(
        "pages",
        {"en": "Source, page by page (`{page}`)", "zh": "来源：逐页读取（`{page}`）"},
        _connection,
        lambda at: {
            "operation": "list",
            "arguments": {"page": "{page}", "size": "{size}"},
            "records": "record",
            "size": _PAGE,
        },
    ),
)
CONFORMANCE = HttpConformance(SPEC, XmlFace(), SINKS, SOURCES, _prepare)
