"""Connector `k3cloud` against a stand-in: lost answers, numbers that are taken, what is audited, verdicts on a save."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from nave.connectors.contracts import SinkCase, SinkContract
from nave.core.protocols import Outbound, Outcome
from tests.connectors.k3_world import codes, record, sink, write
from tests.peers.k3cloud import K3, LOST, failure

pytest_plugins = ["tests.connectors.k3_fixtures"]


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, k3: K3, url: str) -> SinkCase:
        """With a field of the site's own for key and version."""
        return SinkCase(
            open=lambda: sink(url, mark="F_NAVE_MARK"),
            held=lambda: {row["FNumber"].removeprefix("N"): row["FName"] for row in k3.held["BD_Customer"].values()},
            effects=lambda: len(k3.saves),
            record=record,
        )


@pytest.mark.parametrize(
    "how",
    [{}, {"mark": "F_NAVE_MARK"}, {"compare": ["FName", "FTEL", "FUseOrgId.FNumber"], "finish": "audit"}],
    ids=["by number", "marked", "compared"],
)
@pytest.mark.parametrize("name", ["N1", "O'Neil' or '1'='1"], ids=["plain", "quotes"])
def test_a_lost_answer_makes_nothing_twice(k3: K3, url: str, how: dict[str, Any], name: str) -> None:
    wanted = record("1", FNumber=name, FUseOrgId={"FNumber": "100"}, FTEL="")
    k3.withheld = ["Save"]
    (lost,) = write(url, wanted, **how)

    (again,) = write(url, wanted, **how)

    assert (lost.outcome, codes([lost])) == (Outcome.RETRY, ["NAVE-K418"])
    assert (again.outcome, again.remote_key) == (Outcome.DUPLICATE if how else Outcome.ACCEPTED, name)
    assert [row["FNumber"] for row in k3.held["BD_Customer"].values()] == [name]
    assert len(k3.saves) == (1 if how else 2)


def test_only_what_differs_is_saved_also_inside_a_part_of_the_form(k3: K3, url: str) -> None:
    k3.put("BD_MATERIAL", FNumber="M1", FName="板", FErpClsID="2", FBaseUnitId={"FNumber": "Pcs"}, F_NAVE_MARK=12.0)
    how: dict[str, Any] = {"form": "BD_MATERIAL", "id": "FMATERIALID"}
    how["compare"] = ["FName", "FErpClsID", "FBaseUnitId.FNumber", "F_NAVE_MARK", "FSpecification"]
    inner = {"FErpClsID": "2", "FBaseUnitId": {"FNumber": "Pcs"}}
    model = {
        "FNumber": "M1",
        "FName": "板 ",
        "SubHeadEntity": inner,
        "F_NAVE_MARK": Decimal("12.00"),
        "FSpecification": None,
    }

    (same,) = write(url, Outbound("1", 1, {"data": {"Model": model}}), **how)
    (other,) = write(url, Outbound("1", 2, {"data": {"Model": {**model, "SubHeadEntity": {"FErpClsID": "1"}}}}), **how)

    assert (same.outcome, other.outcome, len(k3.saves)) == (Outcome.DUPLICATE, Outcome.ACCEPTED, 1)


def test_one_that_comes_through_late_is_changed_and_not_refused(k3: K3, url: str) -> None:
    number = k3.put("BD_Customer", FNumber="n1", FName="alt")
    k3.faults = [[]]

    (receipt,) = write(url, record("1", text="neu", FNumber="n1"))

    assert (receipt.outcome, receipt.remote_key) == (Outcome.ACCEPTED, "n1")
    assert [one.get("Model", {}).get("FCUSTID") for one in k3.saves] == [None, number]
    assert k3.held["BD_Customer"][number]["FName"] == "neu"


def test_one_bad_record_does_not_hold_up_its_neighbours(k3: K3, url: str) -> None:
    bad = [
        record("2", FUseOrgId={"FNumber": "999"}),
        Outbound("3", 1, {"data": {"Model": {"FName": "x"}}}),
        Outbound("4", 1, {"formid": "BD_MATERIAL", "data": {"Model": {"FNumber": "x"}}}),
    ]

    receipts = write(url, record("1"), *bad, record("5"))

    assert [one.outcome for one in receipts] == [Outcome.ACCEPTED, *[Outcome.REJECTED] * 3, Outcome.ACCEPTED]
    assert codes(receipts) == [None, "NAVE-K412", "NAVE-K415", "NAVE-K415", None]
    assert "999" in str(receipts[1].error)


def test_what_is_known_keeps_its_number_and_what_somebody_deleted_is_not_made_again(k3: K3, url: str) -> None:
    number = k3.put("BD_Customer", FNumber="OLD", FName="alt")

    known, gone = write(url, record("1", remote_key="OLD"), record("2", remote_key="AWAY"))

    assert (known.outcome, gone.outcome, codes([gone])) == (Outcome.ACCEPTED, Outcome.REJECTED, ["NAVE-K414"])
    assert k3.held["BD_Customer"][number]["FNumber"] == "OLD"


def test_of_several_organisations_one_must_be_named(k3: K3, url: str) -> None:
    for org in ("100", "200"):
        k3.put("BD_Customer", FNumber="N1", FName="x", FUseOrgId={"FNumber": org})

    (unclear,) = write(url, record("1"))
    (clear,) = write(url, record("1", text="neu"), filter="FUseOrgId.FNumber = '200'", update=["FName"])

    assert codes([unclear, clear]) == ["NAVE-K421", None]
    assert [row["FName"] for row in k3.held["BD_Customer"].values()] == ["x", "neu"]
    assert k3.saves[0]["Model"]["FCUSTID"] == 100_002
    assert k3.saves[0]["NeedUpDateFields"] == ["FName"]


def test_what_is_audited_is_changed_only_where_the_hub_may_reopen_it(k3: K3, url: str) -> None:
    number = k3.put("BD_Customer", FNumber="N1", FName="alt", FDocumentStatus="C")

    (closed,) = write(url, record("1", text="neu"))
    (opened,) = write(url, record("1", text="neu"), reopen=True, finish="audit")
    (refused,) = write(url, record("1", 2, FUseOrgId={"FNumber": "999"}), reopen=True, finish="audit")

    assert codes([closed, opened, refused]) == ["NAVE-K413", None, "NAVE-K412"]
    assert k3.held["BD_Customer"][number]["FName"] == "neu"
    assert k3.held["BD_Customer"][number]["FDocumentStatus"] == "C", "what was refused is audited as before"
    assert [call for call in k3.calls if call in ("UnAudit", "Submit", "Audit")] == ["UnAudit", "UnAudit", "Submit", "Audit"]


def test_what_is_in_review_is_left_alone(k3: K3, url: str) -> None:
    k3.put("BD_Customer", FNumber="N1", FName="alt", FDocumentStatus="B")

    (receipt,) = write(url, record("1"), reopen=True)

    assert (codes([receipt]), k3.saves) == (["NAVE-K413"], [])


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        (failure("存在网络冲突，无法执行", 13), Outcome.RETRY, "NAVE-K417"),
        (failure("没有新增权限", 2), Outcome.RETRY, "NAVE-K420"),
        (failure("FName 必录", 11), Outcome.REJECTED, "NAVE-K412"),
        ({"Result": {"ResponseStatus": {"IsSuccess": True, "SuccessEntitys": []}}}, Outcome.RETRY, "NAVE-K410"),
        (
            {"Result": {"ResponseStatus": {"IsSuccess": True, "SuccessEntitys": [{"Id": 1, "Number": "other"}]}}},
            Outcome.RETRY,
            "NAVE-K410",
        ),
        (500, Outcome.RETRY, "NAVE-K417"),
        (b"<html>", Outcome.RETRY, "NAVE-K410"),
    ],
    ids=["conflict", "right", "needed", "nobody", "somebody else", "500", "page"],
)
def test_what_is_said_of_a_save_becomes_a_verdict(k3: K3, url: str, fault: Any, outcome: Outcome, code: str) -> None:
    k3.faults = [[], fault]
    k3.calls.clear()

    receipts = write(url, record("1"), record("2"))

    assert (receipts[0].outcome, codes(receipts)[0]) == (outcome, code)
    held_back = code in ("NAVE-K420", "NAVE-K410")
    assert receipts[1].outcome is (Outcome.RETRY if held_back else Outcome.ACCEPTED)
    assert receipts[1].tried is not held_back


def test_a_save_that_finds_its_session_lost_is_sent_once_more(k3: K3, url: str) -> None:
    k3.faults = [[], LOST]

    (receipt,) = write(url, record("1"))

    assert (receipt.outcome, len(k3.saves)) == (Outcome.ACCEPTED, 1)


def test_codes_that_refer_are_verified_and_decimals_are_numbers(k3: K3, url: str) -> None:
    write(url, record("1", F_NAVE_MARK=Decimal("12.50")))

    (call,) = k3.saves
    assert (call["IsVerifyBaseDataField"], call["Model"]["F_NAVE_MARK"]) == ("true", 12.5)


def test_one_that_became_part_of_another_is_left_alone(k3: K3, url: str) -> None:
    (receipt,) = write(url, Outbound("1", 2, {}, "N1", retired=True))

    assert (receipt.outcome, receipt.tried, k3.saves) == (Outcome.DUPLICATE, False, [])
