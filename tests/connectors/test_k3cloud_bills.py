"""Connector `k3cloud` against a stand-in: bills with entries go out, are compared, and keep the ids of their entries."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from nave.connectors.k3cloud.options import K3SinkOptions
from nave.core.protocols import Outbound, Outcome
from tests.connectors.k3_world import codes, write
from tests.peers.k3cloud import K3

pytest_plugins = ["tests.connectors.k3_fixtures"]
_LINES = ["FSaleOrderEntry_FEntryID", "FMaterialId.FNumber", "FQty", "FDeliveryDate"]
_HOW: dict[str, Any] = {
    "form": "SAL_SaleOrder",
    "id": "FID",
    "key": "FBillNo",
    "finish": "audit",
    "reopen": True,
    "compare": ["FDate", "FNote"],
    "entries": "FSaleOrderEntry",
    "lines": _LINES,
}


def order(version: int, *parts: str, **model: Any) -> Outbound:
    lines = [
        {"FMaterialId": {"FNumber": part}, "FQty": number, "FDeliveryDate": "2026-12-01"}
        for number, part in enumerate(parts, 1)
    ]
    head = {"FBillNo": "SO1", "FDate": "2026-11-02", "FSaleOrderEntry": lines, **model}
    return Outbound("1", version, {"formid": "SAL_SaleOrder", "data": {"Model": head}})


@pytest.fixture
def goods(k3: K3) -> K3:
    k3.codes |= {f"M{number}" for number in range(4)}
    return k3


def held(k3: K3) -> list[tuple[int, str, int]]:
    (bill,) = k3.held["SAL_SaleOrder"].values()
    return [(one["FEntryID"], one["FMaterialId"]["FNumber"], one["FQty"]) for one in bill["FSaleOrderEntry"]]


@pytest.mark.parametrize("service", ["Save", "UnAudit"])
def test_a_lost_answer_leaves_one_bill_with_its_entries(goods: K3, url: str, service: str) -> None:
    if service == "UnAudit":
        write(url, order(1, "M0"), **_HOW)
    goods.withheld = [service]
    (lost,) = write(url, order(2, "M1", "M2"), **_HOW)

    (again,) = write(url, order(2, "M1", "M2"), **_HOW)
    (once_more,) = write(url, order(2, "M1", "M2"), **_HOW)

    assert (lost.outcome, codes([lost])) == (Outcome.RETRY, ["NAVE-K418"])
    assert again.outcome is (Outcome.DUPLICATE if service == "Save" else Outcome.ACCEPTED)
    assert once_more.outcome is Outcome.DUPLICATE
    assert [one[1:] for one in held(goods)] == [("M1", 1), ("M2", 2)]
    (bill,) = goods.held["SAL_SaleOrder"].values()
    assert bill["FDocumentStatus"] == "C"


@pytest.mark.parametrize("parts", [("M1", "M3"), ("M1",), ("M1", "M2", "M3")], ids=["another", "one less", "one more"])
def test_a_change_of_an_entry_is_seen_though_the_head_is_the_same_and_entries_keep_their_ids(
    goods: K3, url: str, parts: tuple[str, ...]
) -> None:
    write(url, order(1, "M1", "M2"), **_HOW)
    before = held(goods)

    (receipt,) = write(url, order(2, *parts), **_HOW)

    after = held(goods)
    assert receipt.outcome is Outcome.ACCEPTED
    assert [one[1:] for one in after] == [(part, number) for number, part in enumerate(parts, 1)]
    assert [one[0] for one in after][:2] == [one[0] for one in before][: len(parts)]


def test_a_bill_of_more_entries_than_a_page_is_compared_whole(goods: K3, url: str) -> None:
    parts = ["M1"] * 2_100
    write(url, order(1, *parts), **_HOW)

    (same,) = write(url, order(2, *parts), **_HOW)
    (other,) = write(url, order(3, *parts[:-1], "M2"), **_HOW)

    assert (same.outcome, other.outcome, len(goods.saves)) == (Outcome.DUPLICATE, Outcome.ACCEPTED, 2)


def test_goods_that_k3_does_not_have_are_named_and_what_was_delivered_stays(goods: K3, url: str) -> None:
    write(url, order(1, "M1"), **_HOW)
    (unknown,) = write(url, order(2, "M9"), **_HOW)
    (bill,) = goods.held["SAL_SaleOrder"].values()
    status = bill["FDocumentStatus"]
    goods.pushed.add("SO1")

    (delivered,) = write(url, order(3, "M2"), **_HOW)

    assert (unknown.outcome, codes([unknown]), status) == (Outcome.REJECTED, ["NAVE-K412"], "C")
    assert (delivered.outcome, "已下推" in delivered.raw) == (Outcome.REJECTED, True)
    assert [one[1:] for one in held(goods)] == [("M1", 1)]


@pytest.mark.parametrize(
    "more", [{"entries": None}, {"lines": []}, {"lines": _LINES[:1]}], ids=["no entries", "no lines", "nothing to compare"]
)
def test_entries_and_what_to_compare_of_them_go_together(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="entries and lines together"):
        K3SinkOptions.model_validate({**_HOW, **more})
