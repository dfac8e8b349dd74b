"""What NC's exchange platform and U8's EAI have different, as rows of one table: they look alike and mean opposites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lxml import etree

from nave.connectors.nc import bills as documents
from nave.connectors.nc import meanings, receipts
from nave.connectors.nc.bills import Bill
from nave.connectors.nc.meanings import Judge
from nave.connectors.nc.options import Meaning, TextRule
from nave.connectors.nc.receipts import Told


class Compose(Protocol):
    """Makes one post of several documents; `replace` says that the server has them already."""

    def __call__(self, bills: Sequence[Bill], *, replace: bool) -> etree._Element: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How documents are sent and receipts read."""

    name: str
    kind: str
    """The attribute of the document that says what it is."""
    compose: Compose
    told: Callable[[Mapping[str, Any], Sequence[Bill], str], dict[str, Told]]
    judge: Callable[[Sequence[TextRule], Mapping[str, Meaning]], Judge]


NC = Dialect("nc", "billtype", documents.nc_document, receipts.nc_told, meanings.nc_judge)
U8 = Dialect("u8", "roottag", documents.u8_document, receipts.u8_told, meanings.u8_judge)
