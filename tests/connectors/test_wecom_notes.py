"""What is noted of WeCom's customers as a sink, against a stand-in: whose note, what is left alone, codes, lost answers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.contracts import SinkCase, SinkContract
from nave.connectors.hr.notes import NoteSink
from nave.connectors.hr.options import ContactSinkOptions, WeComOptions
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from tests.peers.wecom_contacts import Contacts, contact, wecom_contacts
from tests.servers import free_port

SETTING = Setting("wecom.notes", Path())
CODE = {"errmsg": "said"}


@pytest.fixture(scope="module")
def served() -> Iterator[Contacts]:
    with wecom_contacts(free_port()) as cloud:
        yield cloud


@pytest.fixture
def cloud(served: Contacts) -> Contacts:
    vars(served).update(vars(Contacts(id=served.id, url=served.url, punches=[contact("wm1", "u1")])))
    return served


def sink(cloud: Contacts, **options: Any) -> NoteSink:
    secret = options.pop("secret", cloud.secret)
    connection = WeComOptions(url=cloud.url, id=cloud.id, secret=secret)
    return NoteSink(connection, ContactSinkOptions(**options), SETTING)


def record(key: str, version: int = 1, text: str = "李部长", **values: Any) -> Outbound:
    return Outbound(key, version, {"external_userid": key, "remark": text, **values})


def write(cloud: Contacts, *records: Outbound, **options: Any) -> list[Receipt]:
    with sink(cloud, **options) as opened:
        return list(opened.write(records))


def told(receipt: Receipt) -> tuple[Outcome, type[NaveError] | None, str | None]:
    error = receipt.error
    return receipt.outcome, type(error) if error else None, error.code if error else None


def _followed(name: str) -> dict[str, Any]:
    return {"external_contact": {"external_userid": name}, "follow_user": [{"userid": "u1"}]}


class TestContract(SinkContract):
    @pytest.fixture
    def case(self, cloud: Contacts) -> SinkCase:
        """WeCom keeps no version: what comes last is noted."""
        cloud.punches = [contact(f"k{number}", "u1") for number in range(25)]
        return SinkCase(
            open=partial(sink, cloud),
            held=lambda: {
                one["external_contact"]["external_userid"]: one["follow_info"]["remark"]
                for one in cloud.punches
                if one["follow_info"]["remark"]
            },
            effects=lambda: len(cloud.notes),
            record=record,
            keeps_newest=False,
        )


def test_the_first_who_follows_is_the_one_whose_note_it_becomes_also_behind_a_page(cloud: Contacts) -> None:
    cloud.punches = [contact("wm1", "wang", 30, remark="王"), contact("wm1", "zhao", 10), contact("wm1", "li", 20)]
    cloud.page = 1

    first = write(cloud, record("wm1"))
    of_some = write(cloud, record("wm1", text="部长"), users=["wang", "li"])
    named = write(cloud, record("wm1", text="李总", userid="wang"))

    assert {one.outcome for one in (*first, *of_some, *named)} == {Outcome.ACCEPTED}
    assert [(note["userid"], note["remark"]) for note in cloud.notes] == list(
        zip(("zhao", "li", "wang"), ("李部长", "部长", "李总"), strict=True)
    )


def test_only_what_differs_is_set_and_what_is_not_told_stays(cloud: Contacts) -> None:
    held: dict[str, Any] = {"remark": "李部长", "description": "老客户", "remark_mobiles": ["1", "2"]}
    cloud.punches = [contact("wm1", "u1", **held)]

    (same,) = write(cloud, record("wm1", description=None, remark_mobiles="1"))
    (other,) = write(cloud, record("wm1", description="新客户", remark_mobiles=["3"]))
    (cleared,) = write(cloud, record("wm1", text="", remark_mobiles=[]))

    assert (same.outcome, same.remote_key) == (Outcome.DUPLICATE, "wm1")
    assert (other.outcome, cleared.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED)
    about = {"userid": "u1", "external_userid": "wm1"}
    first = {**about, "description": "新客户", "remark_mobiles": ["3", "2"]}
    assert cloud.notes == [first, {**about, "remark_mobiles": [""]}]
    noted = cloud.noted("wm1", "u1")
    assert (noted["remark"], noted["description"], noted["remark_mobiles"]) == ("李部长", "新客户", [])


def test_a_company_is_noted_of_those_who_use_wechat_only(cloud: Contacts) -> None:
    cloud.punches = [contact("wm1", "u1"), contact("wo2", "u1")]
    cloud.punches[1]["external_contact"]["type"] = 2

    receipts = write(cloud, *(record(name, text="", remark_company="盈硕标牌") for name in ("wm1", "wo2")))

    assert [one.outcome for one in receipts] == [Outcome.ACCEPTED, Outcome.DUPLICATE]
    assert [note["external_userid"] for note in cloud.notes] == ["wm1"]


@pytest.mark.parametrize(
    ("field", "most"), [("remark", 20), ("description", 150), ("remark_company", 20)], ids=["remark", "about", "company"]
)
def test_a_text_that_is_too_long_is_refused_before_anything_is_sent(cloud: Contacts, field: str, most: int) -> None:
    fits, long = (Outbound("1", 1, {"external_userid": "wm1", field: "长" * length}) for length in (most, most + 1))

    (taken,) = write(cloud, fits)
    asked = cloud.tokens
    (refused,) = write(cloud, long)

    assert taken.outcome is Outcome.ACCEPTED
    assert told(refused) == (Outcome.REJECTED, PermanentError, "NAVE-K441")
    assert refused.error is not None
    assert (refused.error.params["name"], refused.error.params["most"]) == (field, most)
    assert "{" not in refused.error.text("en") + refused.error.text("zh")
    assert cloud.tokens == asked


@pytest.mark.parametrize(
    "values",
    [{"external_userid": None}, {"remark": 7}, {"name": "x"}, {"remark_mobiles": [None]}, {"userid": ""}],
    ids=["nobody", "number", "unknown", "no number", "no user"],
)
def test_what_is_no_note_is_refused_and_holds_up_nobody(cloud: Contacts, values: dict[str, Any]) -> None:
    bad = Outbound("1", 1, {"external_userid": "wm1", "remark": "x", **values})

    refused, taken = write(cloud, bad, record("wm1"))

    assert told(refused) == (Outcome.REJECTED, PermanentError, "NAVE-K440")
    assert taken.outcome is Outcome.ACCEPTED


def test_who_is_followed_by_nobody_or_not_by_those_named_is_a_dead_letter_and_never_made(cloud: Contacts) -> None:
    strange, others, named, taken = (
        write(cloud, record("wm9"))[0],
        write(cloud, record("wm1"), users=["u2"])[0],
        write(cloud, record("wm1", userid="u2"))[0],
        write(cloud, record("wm1"))[0],
    )

    assert told(strange) == (Outcome.REJECTED, PermanentError, "NAVE-K443")
    assert told(others) == told(named) == (Outcome.REJECTED, PermanentError, "NAVE-K442")
    assert taken.outcome is Outcome.ACCEPTED
    assert len(cloud.punches) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "code", "tried"),
    [
        ({**CODE, "errcode": 45009}, RetryableError, "NAVE-K365", False),
        ({**CODE, "errcode": -1}, RetryableError, "NAVE-K365", False),
        (503, RetryableError, "NAVE-K365", False),
        ({**CODE, "errcode": 48002}, ConfigError, "NAVE-K366", False),
        ({**CODE, "errcode": 60011}, ConfigError, "NAVE-K366", False),
        ({**_followed("wm2"), "errcode": 0}, RetryableError, "NAVE-K368", True),
        (_followed("wm1"), RetryableError, "NAVE-K368", True),
        (b"<html>", RetryableError, "NAVE-K368", True),
    ],
    ids=["often", "busy", "status", "right", "member", "other", "codeless", "page"],
)
def test_what_keeps_everybody_out_holds_back_the_rest(
    cloud: Contacts, fault: Any, kind: type[NaveError], code: str, tried: bool
) -> None:
    cloud.faults = [fault]

    first, second = write(cloud, record("wm1"), record("wm1", 2))

    assert (*told(first), first.tried) == (Outcome.RETRY, kind, code, tried)
    assert (*told(second), second.tried) == (Outcome.RETRY, RetryableError, "NAVE-S058", False)
    if code == "NAVE-K365":
        assert isinstance(first.error, RetryableError)
        assert first.error.after in (30.0, 7.0)
    assert cloud.notes == []


@pytest.mark.parametrize("code", [84061, 40003, 60111, 40096, 40058], ids=str)
def test_what_is_refused_of_one_customer_is_a_dead_letter_and_the_rest_goes_on(cloud: Contacts, code: int) -> None:
    cloud.faults = [{**CODE, "errcode": code}]

    refused, taken = write(cloud, record("wm1"), record("wm1", 2))

    assert told(refused) == (Outcome.REJECTED, PermanentError, "NAVE-K443")
    assert refused.error is not None
    assert refused.error.params["errcode"] == str(code)
    assert taken.outcome is Outcome.ACCEPTED


def test_a_token_that_ends_between_looking_and_noting_is_renewed(cloud: Contacts) -> None:
    cloud.ends_after = 1

    (receipt,) = write(cloud, record("wm1"))

    assert (receipt.outcome, cloud.tokens, len(cloud.notes)) == (Outcome.ACCEPTED, 2, 1)


def test_a_note_whose_answer_is_lost_is_found_there_the_next_time(cloud: Contacts) -> None:
    cloud.withheld = 2  # libcurl asks once more by itself where a connection that was used before breaks off

    (lost,) = write(cloud, record("wm1"))
    cloud.withheld = 0
    before = len(cloud.notes)
    (again,) = write(cloud, record("wm1"))

    assert (*told(lost), lost.tried) == (Outcome.RETRY, RetryableError, "NAVE-K364", False)
    assert (again.outcome, len(cloud.notes)) == (Outcome.DUPLICATE, before)


def test_one_that_became_part_of_another_is_left_as_it_is(cloud: Contacts) -> None:
    (receipt,) = write(cloud, Outbound("1", 2, {}, remote_key="wm1", retired=True))

    assert (receipt.outcome, cloud.tokens) == (Outcome.DUPLICATE, 0)


def test_a_wrong_secret_is_shown_nowhere_and_stops_the_flow(cloud: Contacts) -> None:
    first, second = write(cloud, record("wm1"), record("wm1"), secret="wr0ng")

    assert told(first) == (Outcome.RETRY, LoginError, "NAVE-K366")
    assert second.tried is False
    assert "wr0ng" not in f"{first.error} {first.error.params if first.error else ''}"
