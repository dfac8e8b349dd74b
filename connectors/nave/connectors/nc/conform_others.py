"""What the conformance kit is told of `u8` and `ncc`: an EAI that takes all documents as new, an OpenAPI with a token."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from nave.connectors.conformance import Asked, At, HttpConformance, Reply, Request, SinkWay
from nave.connectors.nc import NCC, U8
from nave.connectors.nc.conform import Documented
from nave.connectors.nc.options import U8Options, U8SinkOptions
from nave.core.protocols import Setting, Sink

_ID = re.compile(r'docid="KIT-customer-([^"]+)"')
_DONE, _WRONG = "已接收", "编码有误"
_TOKEN, _CALL = "/nccloud/opm/accesstoken", "/nccloud/api/kit/save"
_KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDpVIs0PuCRWidUQL4XgFA0b1Kouj3hojxZbLrf03jvN48p6JSo6QN/axhg6JaAwvOSqUxak0eVWqdq+wPj"
    "/RaSzUX9fqjdsemcfCNN2FSyFpdWSzeMSMoQNRvLKdgmFsgyQBupA3/Wjyn1xYRhoLIgcCvkQv93eLXoIGPzyN3c/QIDAQAB"
)
"""Somebody's public key: what is encrypted with it here is no secret."""


class _Nobody:
    """Nobody asks for records, and nobody reads."""

    def listed(self, asked: Asked, records: Sequence[Mapping[str, str]]) -> Reply:
        """No list."""
        return Reply(404, "")


class ItemFace(_Nobody):
    """U8: one document per post, answered with one item."""

    def asked(self, request: Request) -> Asked:
        """By the id of the document."""
        found = _ID.search(request.body.decode())
        return Asked("put", found[1], 1) if found else Asked("else")

    def taken(self, asked: Asked, name: str) -> Reply:
        """succeed 0, with the id of the document beside it."""
        return _item(asked.key, "0", _DONE, name)

    def refused(self, asked: Asked) -> Reply:
        """Any other number, under 200."""
        return _item(asked.key, "-1", _WRONG, "")

    def found(self, asked: Asked, version: int | None) -> Reply:
        """No such question."""
        return Reply(404, "")


def _item(key: str, succeed: str, text: str, name: str) -> Reply:
    said = f'<item key={quoteattr(key)} u8key={quoteattr(name)} succeed="{succeed}" dsc={quoteattr(text)}/>'
    root = f'<ufinterface roottag="customerreturn" docid="KIT-customer-{escape(key)}">{said}</ufinterface>'
    return Reply(200, f'<?xml version="1.0" encoding="UTF-8"?>{root}', "text/xml")


class CallFace(_Nobody):
    """NCC: a token, which counts as found, and one call per record, whose answer does not say which record it is about."""

    def asked(self, request: Request) -> Asked:
        """By path."""
        path = urlsplit(request.path).path
        if path == _TOKEN:
            return Asked("find")
        return Asked("put", str(json.loads(request.body)["code"]), 1) if path == _CALL else Asked("else")

    def taken(self, asked: Asked, name: str) -> Reply:
        """Success, with the key that NCC gave."""
        return _json({"success": True, "message": _DONE, "data": {"pk": name}})

    def refused(self, asked: Asked) -> Reply:
        """No success, under 200."""
        return _json({"success": False, "code": "1000001", "message": _WRONG})

    def found(self, asked: Asked, version: int | None) -> Reply:
        """A token."""
        return _json({"success": True, "data": {"access_token": "T", "expires_in": "7200"}, "message": _DONE})


def _json(said: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(said, ensure_ascii=False))


def _limits(at: At) -> Mapping[str, Any]:
    return {"url": at.url, **dict.fromkeys(("connect", "idle", "timeout"), f"{at.seconds}s")}


def _u8_sink(connection: U8Options, options: U8SinkOptions, setting: Setting) -> Sink:
    assert U8.sink is not None
    return Documented(U8.sink(connection, options, setting), _document)


def _document(values: Mapping[str, Any]) -> str:
    inner = f"<code>{escape(values['code'])}</code><name>{escape(values['name'])}</name>"
    return f'<ufinterface sender="001" receiver="u8" roottag="customer"><customer>{inner}</customer></ufinterface>'


def _u8_options(at: At, *, idempotent: bool) -> Mapping[str, Any]:
    return {"prefix": "KIT", "settle": "0s", "concurrency": 1, "idempotent": idempotent}


def _application(at: At) -> Mapping[str, Any]:
    return {**_limits(at), "client_id": "kit", "client_secret": "s", "public_key": _KEY, "biz_center": "A01"}


_OF_NONE = {"other": {"en": "a token is of no record", "zh": "令牌不属于任何记录"}}


def _ncc_way(name: str, en: str, zh: str, *, idempotent: bool, token: bool = False) -> SinkWay:
    """One more way of calling it; with `token`, the first question already goes wrong."""
    return SinkWay(
        name,
        {"en": en, "zh": zh},
        _application,
        lambda at: {"path": _CALL, "key_path": "data.pk", "settle": "0s", "idempotent": idempotent},
        keyed=idempotent,
        names=True,
        begins=0 if token else 1,
        cannot=_OF_NONE if token else {},
    )


U8_CONFORMANCE = HttpConformance(
    replace(U8, sink=_u8_sink),
    ItemFace(),
    (
        SinkWay(
            "keyed",
            {
                "en": "U8, a server that refuses repeats (`idempotent: true`)",
                "zh": "U8：服务器拒收重复单据（`idempotent: true`）",
            },
            _limits,
            lambda at: _u8_options(at, idempotent=True),
            names=True,
        ),
        SinkWay(
            "bare",
            {
                "en": "U8, a server that takes every document as new (`idempotent: false`)",
                "zh": "U8：服务器把每张单据都当作新的（`idempotent: false`）",
            },
            _limits,
            lambda at: _u8_options(at, idempotent=False),
            keyed=False,
            names=True,
        ),
    ),
)
NCC_CONFORMANCE = HttpConformance(
    NCC,
    CallFace(),
    (
        _ncc_way("token", "NCC, when the token is asked for", "NCC：请求令牌时", idempotent=False, token=True),
        _ncc_way(
            "keyed",
            "NCC, a call whose repeats are refused (`idempotent: true`)",
            "NCC：重复调用会被拒绝（`idempotent: true`）",
            idempotent=True,
        ),
        _ncc_way(
            "bare",
            "NCC, a call that takes every record as new (`idempotent: false`)",
            "NCC：每次调用都当作新的（`idempotent: false`）",
            idempotent=False,
        ),
    ),
)
