"""What the conformance kit is told of `ncfiles`: two folders, and an import that names the file in its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import quoteattr

from nave.connectors.conformance import Asked, At, FolderConformance, Reply, Request, SinkWay
from nave.connectors.nc import FILES
from nave.connectors.nc.conform import BillFace, Documented, document
from nave.connectors.nc.options import NcFilesOptions, NcSinkOptions
from nave.core.protocols import Setting, Sink

_ROOT, _YES, _NO = "<ufinterface ", 'successful="Y"', 'successful="N"'
_PATIENCE = 10
"""How often longer a receipt is waited for than an answer would be, where it is to come."""


class ImportFace:
    """One bill per file."""

    _bills = BillFace()

    def asked(self, request: Request) -> Asked:
        """By the id of the bill."""
        return replace(self._bills.asked(request), file=request.path)

    def taken(self, asked: Asked, name: str) -> Reply:
        """Code 1 and the key of the document."""
        return _of(asked.file, self._bills.taken(asked, name))

    def refused(self, asked: Asked) -> Reply:
        """-32000."""
        return _of(asked.file, self._bills.refused(asked))

    def contrary(self, asked: Asked, name: str) -> Reply:
        """Code 1 of the bill, below a head that says that it failed."""
        said = self.taken(asked, name)
        return replace(said, text=said.text.replace(_YES, _NO, 1))


def _of(file: str, receipt: Reply) -> Reply:
    return replace(receipt, text=receipt.text.replace(_ROOT, f"{_ROOT}filename={quoteattr(file)} ", 1))


def _sink(connection: NcFilesOptions, options: NcSinkOptions, setting: Setting) -> Sink:
    assert FILES.sink is not None
    return Documented(FILES.sink(connection, options, setting), document)


def _connection(at: At) -> Mapping[str, Any]:
    wait = at.seconds if at.seconds <= 1 else at.seconds * _PATIENCE
    return {"send": "send", "receipts": "receipts", "account": "A01", "groupcode": "G1", "wait": f"{wait}s", "again": "1ms"}


SINKS = (
    SinkWay(
        "bills",
        {"en": "Sink, one bill per file", "zh": "去向：每个文件一张单据"},
        _connection,
        lambda at: {"prefix": "KIT", "settle": "0s"},
        names=True,
    ),
)
CONFORMANCE = FolderConformance(replace(FILES, sink=_sink), ImportFace(), SINKS)
