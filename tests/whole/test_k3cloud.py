"""The ready-made K/3 Cloud against its stand-in: what comes, what goes, sessions and answers that get lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import nave
from tests.peers.k3cloud import ACCT, APP, K3, SECRET, USER
from tests.peers.running import running
from tests.whole import small
from tests.whole.test_crm import _CUSTOMER, _ERP, _PEOPLE, drop, golden

ORG = {"FNumber": "100"}


@pytest.fixture
def k3(monkeypatch: pytest.MonkeyPatch) -> Iterator[K3]:
    made = K3()
    with running(made.app()) as url:
        known = {"URL": f"{url}/K3Cloud", "ACCT": ACCT, "USER": USER, "APP_ID": APP, "APP_SECRET": SECRET}
        for name, value in known.items():
            monkeypatch.setenv(f"K3_{name}", value)
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hub with the ready-made system as it ships, and an ERP that drops files."""
    folder = tmp_path / "hub"
    assert nave("init", folder, "--system", "k3cloud").status == 0
    (folder / "mappings/erp").mkdir()
    (folder / "drop").mkdir()
    (folder / "systems/erp.yaml").write_text(_ERP, "utf-8")
    (folder / "mappings/erp/customer.yaml").write_text(_CUSTOMER, "utf-8")
    (folder / "mappings/erp/people.yaml").write_text(_PEOPLE, "utf-8")
    return folder


def sync(folder: Path, *sources: str) -> Any:
    for source in sources:
        answer = nave("sync", source, "--json", hub=folder, environ=os.environ)
        assert answer.status == 0, answer.err
    return answer.data


def test_it_is_checked_and_looked_into_without_taking_anything(folder: Path, k3: K3) -> None:
    k3.put("BD_Customer", FNumber="C1", FName="盈硕标牌", FUseOrgId=ORG)

    checked = nave("connector", "check", "k3", hub=folder, environ=os.environ)
    wrong = nave("connector", "check", "k3", hub=folder, environ={**os.environ, "K3_APP_SECRET": "no"})
    looked = nave("connector", "sample", "k3.customers", "--json", hub=folder, environ=os.environ)

    assert (checked.status, wrong.status) == (0, 1)
    assert [row["FNumber"] for row in looked.data["records"]] == ["C1"]
    assert not (folder / "nave.db").exists()


@pytest.mark.slow
def test_customers_materials_and_orders_come_in_although_sessions_get_lost(folder: Path, k3: K3) -> None:
    k3.put("BD_Customer", FNumber="C1", FName="盈硕标牌", FTEL="021-1", FUseOrgId=ORG)
    k3.put("BD_Customer", FNumber="C1", FName="other organisation", FUseOrgId={"FNumber": "200"})
    k3.put("BD_MATERIAL", FNumber="M1", FName="铝标牌", FBaseUnitId={"FNumber": "Pcs"}, FErpClsID="2", FUseOrgId=ORG)
    entry = {"FEntryID": 7, "FMaterialId": {"FNumber": "M1"}, "FUnitID": {"FNumber": "Pcs"}, "FQty": 20, "FTaxPrice": 56.5}
    head = {"FBillNo": "SO1", "FDate": "2026-11-02T00:00:00", "FCustId": {"FNumber": "C1"}, "FDocumentStatus": "C"}
    k3.put("SAL_SaleOrder", **head, FSettleCurrId={"FNumber": "PRE001"}, FBillAllAmount=1130.0, FSaleOrderEntry=[entry])
    k3.lasts = 1

    sync(folder, "k3.customers", "k3.materials", "k3.orders")
    again = sync(folder, "k3.customers")

    assert golden(folder, "customer/k3:C1")["name"] == "盈硕标牌"
    order = golden(folder, "order/k3:SO1")
    assert [(one["product"]["key"], "due" in one) for one in order["lines"]] == [("M1", False)]
    assert Decimal(order["total"]["amount"]) == 1130
    assert again["counts"]["applied"] == 0
    assert (k3.saves, small.letters(folder)) == ([], []), "what K/3 said is not sent back to it"


@pytest.mark.slow
def test_a_customer_of_another_system_is_there_once_when_the_answer_is_lost_and_later_changes_follow(
    folder: Path, k3: K3
) -> None:
    drop(folder, "customers_1.csv", "C1,盈硕标牌,021-1,2024-05-01 10:00:00", "C2,华东铭牌,021-2,2024-05-01 10:00:00")
    k3.withheld.append("Save")
    small.run(folder)
    sync(folder, "k3.customers")

    drop(folder, "customers_2.csv", "C1,上海盈硕标牌,021-9,2024-05-02 10:00:00")
    sync(folder, "erp.customers")

    held = {row["FNumber"]: row for row in k3.held["BD_Customer"].values()}
    assert {number: (row["FName"], row["FDocumentStatus"]) for number, row in held.items()} == {
        "C1": ("上海盈硕标牌", "C"),
        "C2": ("华东铭牌", "C"),
    }
    assert len(k3.held["BD_Customer"]) == 2
    assert golden(folder, "customer/erp:C1")["phone"] == "021-9"
    assert small.letters(folder) == []
