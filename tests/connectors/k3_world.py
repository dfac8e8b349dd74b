"""Sources and sinks on a stand-in for K/3 Cloud, and what is in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nave.connectors.contracts import OpenSource
from nave.connectors.k3cloud.options import K3Options, K3SinkOptions, K3SourceOptions
from nave.connectors.k3cloud.sink import K3Sink
from nave.connectors.k3cloud.source import K3Source
from nave.core.protocols import Outbound, Receipt, Setting
from tests.peers.k3cloud import ACCT, K3, PASSWORD, USER

SETTING = Setting("k3.customers", Path(), ZoneInfo("Asia/Shanghai"))
FIELDS = ["FNumber", "FName", "FUseOrgId.FNumber"]
LINES = ["FSaleOrderEntry_FEntryID", "FMaterialId.FNumber", "FQty"]


def connection(url: str, **more: Any) -> K3Options:
    login = {} if "app_id" in more else {"password": PASSWORD}
    return K3Options.model_validate({"url": url, "acct": ACCT, "user": USER, **login, **more})


def source(url: str, **more: Any) -> K3Source:
    given = {"form": "BD_Customer", "id": "FCUSTID", "fields": FIELDS, "batch": 3, **more}
    return K3Source(connection(url), K3SourceOptions.model_validate(given), SETTING)


def opening(url: str, **more: Any) -> OpenSource:
    return partial(source, url, **more)


def sink(url: str, **more: Any) -> K3Sink:
    given = {"form": "BD_Customer", "id": "FCUSTID", **more}
    return K3Sink(connection(url), K3SinkOptions.model_validate(given), SETTING)


def write(url: str, *records: Outbound, **more: Any) -> list[Receipt]:
    with sink(url, **more) as opened:
        return list(opened.write(records))


def record(key: str, version: int = 1, text: str = "铭牌", remote_key: str | None = None, **model: Any) -> Outbound:
    values = {"formid": "BD_Customer", "data": {"Model": {"FNumber": f"N{key}", "FName": text, **model}}}
    return Outbound(key, version, values, remote_key)


def codes(receipts: list[Receipt]) -> list[str | None]:
    return [one.error.code if one.error else None for one in receipts]


def customers(k3: K3, count: int) -> None:
    for number in range(count):
        k3.put("BD_Customer", FNumber=f"C{number}", FName=f"客户 {number}", FUseOrgId={"FNumber": "100"})


def orders(k3: K3, sizes: tuple[int, ...]) -> None:
    entry = 500
    for number, size in enumerate(sizes):
        lines = []
        for line in range(size):
            entry += 1
            lines.append({"FEntryID": entry, "FMaterialId": {"FNumber": f"M{line}"}, "FQty": line + 1})
        k3.put("SAL_SaleOrder", FBillNo=f"SO{number}", FSaleOrderEntry=lines)
