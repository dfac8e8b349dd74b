"""What the conformance kit is told of `k3cloud`: a server that lets in, finds several numbers at once, saves and lists."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from nave.connectors.conformance import Asked, At, HttpConformance, Reply, Request, SinkWay, SourceWay
from nave.connectors.k3cloud import SPEC
from nave.connectors.k3cloud.options import K3Options, K3SinkOptions
from nave.core.protocols import Outbound, Raw, Receipt, Setting, Sink

_FORM = {"form": "BD_Customer", "id": "FCUSTID"}
_MARK = "F_KIT_MARK"
_PAGE = 3
_QUOTED = re.compile(r"'([^']*)'")
_BEHIND = re.compile(r"FCUSTID > (\d+)")
_CHANGED = "2026-01-01T08:00:00"


class Saving:
    """The sink behind a mapping, which makes a Save call of a record's values: the kit's records are plain ones."""

    def __init__(self, inner: Sink) -> None:
        self._inner = inner

    def __enter__(self) -> Saving:
        self._inner.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inner.__exit__(kind, error, trace)

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """As the sink itself."""
        return self._inner.write([replace(one, values=_call(one.values)) for one in records])


def _call(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"formid": "BD_Customer", "data": {"Model": {"FNumber": values["code"], "FName": values["name"]}}}


def _sink(connection: K3Options, options: K3SinkOptions, setting: Setting) -> Sink:
    assert SPEC.sink is not None
    return Saving(SPEC.sink(connection, options, setting))


class K3Face:
    """One data centre with customers; ids count from 1. The mark of a save tells its version, else it is the first."""

    def asked(self, request: Request) -> Asked:
        """By the service called; `key` of a search or list is its fields, which are the columns of its answer."""
        service = request.path.rpartition("ServicesStub.")[2].partition(".common")[0]
        if service == "DynamicFormService.Save":
            model = json.loads(request.body)["data"]["Model"]
            return Asked("put", model["FNumber"], int(model.get(_MARK, "-1").rpartition("-")[2]))
        if service != "DynamicFormService.ExecuteBillQuery":
            return Asked("find")
        question = json.loads(request.body)["data"]
        fields, condition = question["FieldKeys"], question["FilterString"]
        if "FNumber in (" in condition:
            return Asked("find", fields, keys=tuple(_QUOTED.findall(condition)))
        behind = _BEHIND.search(condition)
        return Asked("list", fields, start=int(behind[1]) if behind else 0, size=question["Limit"])

    def taken(self, asked: Asked, name: str) -> Reply:
        """What was saved, by its number."""
        return _status({"IsSuccess": True, "SuccessEntitys": [{"Number": asked.key}], "SuccessMessages": ["保存成功"]})

    def refused(self, asked: Asked) -> Reply:
        """200 and not done: a save is refused, a question is to come later."""
        error = {"FieldName": "FNumber", "Message": "编码有误"}
        failed = {"IsSuccess": False, "MsgCode": 11 if asked.kind == "put" else 14, "Errors": [error]}
        return _status(failed, rows=asked.kind != "put")

    def found(self, asked: Asked, version: int | None) -> Reply:
        """Let in."""
        said = {"LoginResultType": 1, "Message": "登录成功"}
        return replace(_said(said), headers={"Set-Cookie": "kdservice-sessionid=s1; path=/"})

    def found_among(self, asked: Asked, held: Mapping[str, int]) -> Reply:
        """A row of each number that is there."""
        return _said([_row(asked, key, "长江", int(key[1:]) + 1, version) for key, version in held.items()])

    def listed(self, asked: Asked, records: Sequence[Mapping[str, str]]) -> Reply:
        """The rows behind an id."""
        page = list(enumerate(records, start=1))[asked.start : asked.start + asked.size]
        return _said([_row(asked, one["code"], one["name"], number, 1) for number, one in page])


def _row(asked: Asked, key: str, name: str, number: int, version: int) -> list[Any]:
    known = {"FNumber": key, "FName": name, "FCUSTID": number, "FModifyDate": _CHANGED, "FDocumentStatus": "A"}
    return [{**known, _MARK: f"{key}-{version}"}[field] for field in asked.key.split(",")]


def _status(status: Mapping[str, Any], *, rows: bool = False) -> Reply:
    said = {"Result": {"ResponseStatus": status}}
    return _said([[said]] if rows else said)


def _said(values: Any) -> Reply:
    return Reply(200, json.dumps(values, ensure_ascii=False))


def _connection(at: At) -> Mapping[str, Any]:
    limits = dict.fromkeys(("connect", "idle", "timeout"), f"{at.seconds}s")
    return {"url": f"{at.url}/K3Cloud", "acct": "kit", "user": "kit", "password": "s", **limits}


_ITSELF = {"en": "a row says itself what it is about", "zh": "每一行自己说明它是哪条记录"}
SINKS = (
    SinkWay(
        "marked",
        {"en": "Sink, in the middle of a save (`mark`)", "zh": "去向：保存的中途（`mark`）"},
        _connection,
        lambda _at: {**_FORM, "mark": _MARK},
        keyed=False,
        begins=2,
    ),
    SinkWay(
        "plain",
        {
            "en": "Sink, in the middle of a save, without `mark`; to save the same again counts as once",
            "zh": "去向：保存的中途，没有 `mark`；重复保存相同内容算作一次",
        },
        _connection,
        lambda _at: _FORM,
        begins=2,
    ),
    SinkWay(
        "numbers",
        {"en": "Sink, when it looks for numbers", "zh": "去向：按编码查找时"},
        _connection,
        lambda _at: {**_FORM, "mark": _MARK},
        keyed=False,
        begins=1,
        cannot={"other": _ITSELF},
    ),
)


def _options(_at: At) -> Mapping[str, Any]:
    return {**_FORM, "fields": ["FNumber", "FName"], "batch": _PAGE}


def _told(record: Raw) -> tuple[str, str]:
    return str(record["FNumber"]), str(record["FName"])


SOURCES = (
    SourceWay("login", {"en": "Source, when it logs in", "zh": "来源：登录时"}, _connection, _options, _told, begins=0),
    SourceWay("pages", {"en": "Source, page by page", "zh": "来源：逐页读取"}, _connection, _options, _told, begins=3),
)
CONFORMANCE = HttpConformance(replace(SPEC, sink=_sink), K3Face(), SINKS, SOURCES)
