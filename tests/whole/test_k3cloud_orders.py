"""Orders of another system become sales orders of K/3 Cloud: audited, changed, refused, and there once whatever is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.peers.k3cloud import K3
from tests.whole import small
from tests.whole.test_crm import golden
from tests.whole.test_k3cloud import ORG, folder, k3, sync

__all__ = ["folder", "k3"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
_SHOP = """
system: shop
time_zone: UTC
connections: {drop: {type: files, url: ./drop}}
sources:
  orders:
    entity: order
    from: drop
    pattern: "orders*.json"
    format: {type: json}
    ready: {quiet: 0s}
    mapping: shop/order
"""
_ORDER = """
mapping: shop/order
from: shop.orders
to: order
key: NO
version: AT | datetime
fields:
  number: NO
  customer: {key: BUYER, system: k3}
  date: DAY | date
  lines:
    each: LINES
    fields:
      line: NO
      product: {key: PART, system: k3}
      quantity: {value: QTY | decimal, unit: {const: Pcs}}
      price: {amount: PRICE | decimal, currency: "'CNY'"}
      due: DUE | date
"""
_ENTITY = "entity: order\nsurvivorship: {default: [shop]}\n"


def line(number: int, part: str, quantity: int, price: float = 56.5) -> dict[str, Any]:
    return {"NO": str(number), "PART": part, "QTY": quantity, "PRICE": price, "DUE": "2026-12-01"}


def told(folder: Path, at: int, *lines: dict[str, Any], number: str = "SO1", buyer: str = "C1") -> None:
    """The shop drops an order, or what has become of it."""
    order = {"NO": number, "BUYER": buyer, "DAY": "2026-11-02", "AT": f"2026-11-02 10:00:{at:02}", "LINES": lines}
    part = folder / "drop" / f".orders_{at}"
    part.write_text(json.dumps([order]), "utf-8")
    part.rename(folder / "drop" / f"orders_{at}.json")


def entries(k3: K3, number: str = "SO1") -> list[tuple[int, str, float]]:
    (bill,) = [row for row in k3.held["SAL_SaleOrder"].values() if row["FBillNo"] == number]
    assert bill["FDocumentStatus"] == "C"
    return [(one["FEntryID"], one["FMaterialId"]["FNumber"], float(one["FQty"])) for one in bill["FSaleOrderEntry"]]


@pytest.fixture
def shop(folder: Path, k3: K3) -> Path:
    """K/3 with a customer and three goods, which the hub knows, and a shop."""
    (folder / "mappings/shop").mkdir()
    (folder / "systems/shop.yaml").write_text(_SHOP, "utf-8")
    (folder / "mappings/shop/order.yaml").write_text(_ORDER, "utf-8")
    (folder / "entities").mkdir()
    (folder / "entities/order.yaml").write_text(_ENTITY, "utf-8")
    k3.put("BD_Customer", FNumber="C1", FName="盈硕标牌", FUseOrgId=ORG, FDocumentStatus="C")
    for part in ("M1", "M2", "M3"):
        unit = {"FNumber": "Pcs"}
        k3.put("BD_MATERIAL", FNumber=part, FName=f"件 {part}", FBaseUnitId=unit, FErpClsID="2", FUseOrgId=ORG)
    sync(folder, "k3.customers", "k3.materials")
    return folder


def test_an_order_is_there_once_though_the_answer_was_lost_and_its_entries_keep_their_ids(shop: Path, k3: K3) -> None:
    k3.withheld.append("Save")
    told(shop, 1, line(10, "M1", 20), line(20, "M2", 3))
    small.run(shop)
    first = entries(k3)
    k3.withheld.append("Save")
    told(shop, 2, line(10, "M1", 25), line(20, "M2", 3), line(30, "M3", 1))
    small.run(shop)
    second = entries(k3)
    told(shop, 3, line(10, "M1", 25), line(20, "M2", 3))
    small.run(shop)
    saves = len(k3.saves)
    again = sync(shop, "k3.orders")

    assert [one[1:] for one in first] == [("M1", 20.0), ("M2", 3.0)]
    assert [one[1:] for one in second] == [("M1", 25.0), ("M2", 3.0), ("M3", 1.0)]
    assert [one[0] for one in second[:2]] == [one[0] for one in first]
    assert entries(k3) == second[:2]
    assert (saves, len(k3.saves), again["counts"]["applied"]) == (3, 3, 1), "what K/3 shows is what it was told"
    assert [one["line"] for one in golden(shop, "order/shop:SO1")["lines"]] == ["10", "20"]
    assert small.letters(shop) == []


def test_an_order_waits_for_its_customer_and_one_that_was_delivered_is_refused_in_the_words_of_k3(
    shop: Path, k3: K3
) -> None:
    told(shop, 1, line(10, "M1", 20))
    told(shop, 2, line(10, "M1", 1), number="SO2", buyer="C2")
    small.run(shop)
    before = [row["FBillNo"] for row in k3.held["SAL_SaleOrder"].values()]
    k3.put("BD_Customer", FNumber="C2", FName="华东铭牌", FUseOrgId=ORG, FDocumentStatus="C")
    k3.pushed.add("SO1")
    told(shop, 3, line(10, "M1", 21))
    sync(shop, "k3.customers")
    small.run(shop)

    assert before == ["SO1"]
    assert [one[1:] for one in entries(k3, "SO2")] == [("M1", 1.0)]
    assert [one[1:] for one in entries(k3)] == [("M1", 20.0)]
    (letter,) = small.letters(shop)
    assert "已下推" in str(letter)
