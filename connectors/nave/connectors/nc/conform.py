"""What the conformance kit is told of `nc`: an exchange platform that takes bills and refuses repeats."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any
from xml.sax.saxutils import escape

from nave.connectors.conformance import Asked, At, HttpConformance, Reply, Request, SinkWay
from nave.connectors.nc import SPEC
from nave.connectors.nc.options import NcOptions, NcSinkOptions
from nave.core.protocols import Outbound, Receipt, Setting, Sink


class Documented:
    """The sink behind a mapping, which makes a document of a record's values: the kit's records are plain ones."""

    def __init__(self, inner: Sink, document: Callable[[Mapping[str, Any]], str]) -> None:
        self._inner = inner
        self._document = document

    def __enter__(self) -> Documented:
        self._inner.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inner.__exit__(kind, error, trace)

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """As the sink itself."""
        return self._inner.write([replace(one, values={"document": self._document(one.values)}) for one in records])


def document(values: Mapping[str, Any]) -> str:
    """One of the kit's records as NC takes it."""
    head = f"<def1>{escape(values['code'])}</def1><scomment>{escape(values['name'])}</scomment>"
    return f'<ufinterface billtype="F0" sender="KIT"><bill><billhead>{head}</billhead></bill></ufinterface>'


def _sink(connection: NcOptions, options: NcSinkOptions, setting: Setting) -> Sink:
    assert SPEC.sink is not None
    return Documented(SPEC.sink(connection, options, setting), document)


_ID = re.compile(r'<bill id="KIT-F0-([^"]+)"')
_DONE = "单据处理完毕!"


class BillFace:
    """One bill per post; version 1 of each."""

    def asked(self, request: Request) -> Asked:
        """By the id of the bill."""
        found = _ID.search(request.body.decode())
        return Asked("put", found[1], 1) if found else Asked("else")

    def taken(self, asked: Asked, name: str) -> Reply:
        """Code 1 and the key of the document; a repeat gets the same."""
        return _receipt(asked.key, "1", _DONE, name)

    def refused(self, asked: Asked) -> Reply:
        """-32000 under 200."""
        return _receipt(asked.key, "-32000", "编码有误", "")

    def found(self, asked: Asked, version: int | None) -> Reply:
        """Nobody asks."""
        return Reply(404, "")

    def listed(self, asked: Asked, records: Sequence[Mapping[str, str]]) -> Reply:
        """Nobody reads."""
        return Reply(404, "")


def _receipt(key: str, code: str, text: str, name: str) -> Reply:
    inner = (
        f"<bdocid>KIT-F0-{key}</bdocid><resultcode>{code}</resultcode>"
        f"<resultdescription>{escape(text)}</resultdescription><content>{name}</content>"
    )
    good = "Y" if code == "1" else "N"
    root = f'<ufinterface roottag="sendresult" successful="{good}"><sendresult>{inner}</sendresult></ufinterface>'
    return Reply(200, f'<?xml version="1.0" encoding="UTF-8"?>{root}', "text/xml")


def _connection(at: At) -> Mapping[str, Any]:
    limits = dict.fromkeys(("connect", "idle", "timeout"), f"{at.seconds}s")
    return {"url": at.url, "account": "A01", "groupcode": "G1", **limits}


SINKS = (
    SinkWay(
        "bills",
        {"en": "Sink, one bill per post", "zh": "去向：每次提交一张单据"},
        _connection,
        lambda at: {"prefix": "KIT", "settle": "0s"},
        names=True,
    ),
)
CONFORMANCE = HttpConformance(replace(SPEC, sink=_sink), BillFace(), SINKS)
