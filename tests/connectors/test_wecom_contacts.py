"""WeCom's customers as a source, against a stand-in: pages, people who have none, tokens that end, a customer of several."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.contracts import OpenSource, SourceCase, SourceContract, land
from nave.connectors.hr import CONTACTS
from nave.connectors.hr.contacts import ContactSource
from nave.connectors.hr.options import ContactSourceOptions, WeComOptions
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.core.protocols import Batch, End, Raw, Setting
from tests.peers.cloud_clocks import Cloud
from tests.peers.wecom_contacts import Contacts, contact, wecom_contacts
from tests.servers import free_port

SETTING = Setting("wecom.contacts", Path())


@pytest.fixture(scope="module")
def served() -> Iterator[Contacts]:
    with wecom_contacts(free_port(), page=40) as cloud:
        yield cloud


@pytest.fixture
def cloud(served: Contacts) -> Contacts:
    vars(served).update(vars(Contacts(id=served.id, url=served.url)))
    return served


def source(cloud: Cloud, **options: Any) -> ContactSource:
    secret = options.pop("secret", cloud.secret)
    connection = WeComOptions(url=cloud.url, id=cloud.id, secret=secret)
    return ContactSource(connection, ContactSourceOptions(**options), SETTING)


def opening(cloud: Cloud, **options: Any) -> OpenSource:
    return partial(source, cloud, **options)


def read(cloud: Cloud, **options: Any) -> list[Batch]:
    with source(cloud, **options) as opened:
        return list(opened.read(None))


def fill(cloud: Cloud, people: int, each: int) -> list[Raw]:
    cloud.punches = [contact(f"wm{user}-{n}", f"u{user:03}") for user in range(people) for n in range(each)]
    return [{"external_contact": one["external_contact"], "follow_user": [one["follow_info"]]} for one in cloud.punches]


class TestContract(SourceContract):
    @pytest.fixture
    def case(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> SourceCase:
        """Three batches; what is read is always all there is."""
        monkeypatch.setattr("nave.connectors.hr.contacts._BATCH", 40)
        expected = fill(cloud, 3, 35)
        return SourceCase(lambda: opening(cloud), expected, repeats=len(expected))


def test_everybody_s_customers_are_read_in_pages_and_told_whole(cloud: Cloud) -> None:
    expected = fill(cloud, 230, 1)

    batches = read(cloud)

    assert [record for batch in batches for record in batch.records] == expected
    assert (batches[0].first, batches[-1].end, batches[-1].position) == (True, End.WHOLE, None)
    assert [len(one["userid_list"]) for one in cloud.questions] == [100] * 6 + [30]


def test_a_customer_whom_several_follow_is_one_record_whoever_is_asked_first(cloud: Cloud) -> None:
    first, second = contact("wm1", "wang", 20, remark="李部长"), contact("wm1", "zhao", 10, remark_mobiles=["13800138000"])
    cloud.punches = [first, contact("wm2", "wang"), second]

    (one,) = read(cloud, users=["wang", "zhao"])
    cloud.punches.reverse()
    (other,) = read(cloud, users=["zhao", "wang"])

    told = {record["external_contact"]["external_userid"]: record["follow_user"] for record in one.records}
    assert [follow["userid"] for follow in told["wm1"]] == ["zhao", "wang"]
    assert told == {record["external_contact"]["external_userid"]: record["follow_user"] for record in other.records}


def test_a_token_that_ends_in_the_middle_of_a_list_is_renewed_and_nothing_is_missed(cloud: Cloud) -> None:
    expected = fill(cloud, 3, 50)
    cloud.ends_after = 2

    landed, _ = land(opening(cloud), None)

    assert landed == expected
    assert cloud.tokens > 2


def test_people_without_customers_do_not_hide_those_of_others(cloud: Cloud) -> None:
    fill(cloud, 2, 2)

    (batch,) = read(cloud, users=["u000", "nobody", "u001"])
    (empty,) = read(cloud, users=["nobody"])

    assert len(batch.records) == 4
    assert (list(empty.records), empty.end) == ([], End.WHOLE)


def test_people_whose_customers_may_not_be_had_make_it_a_torn_list(cloud: Cloud) -> None:
    one = contact("wm1", "u1")
    failed = {"unlicensed_userid_list": ["u2"]}
    cloud.faults = [{"errcode": 0, "external_contact_list": [one], "next_cursor": "", "fail_info": failed}]

    (torn,) = read(cloud, users=["u1", "u2"])
    cloud.faults = [{"errcode": 0, "external_contact_list": [one, "x", {"external_contact": {}}]}]
    (refused,) = read(cloud, users=["u1"])

    assert (len(torn.records), torn.end, refused.end) == (1, End.TORN, End.TORN)
    assert [error.error.code for error in refused.refused] == ["NAVE-K368", "NAVE-K368"]


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"errcode": 45009, "errmsg": "api freq out of limit"}, RetryableError, "NAVE-K365"),
        ({"errcode": 48002, "errmsg": "api forbidden"}, ConfigError, "NAVE-K366"),
        ({"errcode": 40096, "errmsg": "invalid external userid"}, ConfigError, "NAVE-K367"),
        ({"errcode": 0, "external_contact_list": {"a": 1}}, RetryableError, "NAVE-K368"),
        ({"errcode": 0, "external_contact_list": [], "next_cursor": 7}, RetryableError, "NAVE-K368"),
        (b"<html>", RetryableError, "NAVE-K368"),
    ],
    ids=["often", "right", "unknown", "object", "cursor", "page"],
)
def test_what_the_service_says_becomes_what_to_do_next(cloud: Cloud, fault: Any, kind: type[NaveError], code: str) -> None:
    cloud.faults = [fault]

    with pytest.raises(NaveError) as caught:
        read(cloud, users=["u1"])

    assert (type(caught.value), caught.value.code) == (kind, code)


def test_a_list_without_end_is_left(cloud: Cloud) -> None:
    cloud.faults = [{"errcode": 0, "external_contact_list": [contact("wm1", "u1")], "next_cursor": "c"} for _ in range(3)]

    with pytest.raises(RetryableError) as caught:
        read(cloud, users=["u1"])

    assert (caught.value.code, len(cloud.faults)) == ("NAVE-K368", 1)


def test_more_than_may_be_gathered_end_the_read(cloud: Cloud) -> None:
    fill(cloud, 1, 12)

    with pytest.raises(ConfigError) as caught:
        read(cloud, most=10)

    assert caught.value.code == "NAVE-K425"


def test_check_fetches_a_token_and_a_wrong_secret_is_shown_nowhere(cloud: Cloud) -> None:
    assert CONTACTS.check is not None

    CONTACTS.check(WeComOptions(url=cloud.url, id=cloud.id, secret=cloud.secret), SETTING)
    with pytest.raises(LoginError) as caught:
        read(cloud, secret="wr0ng")

    assert cloud.questions == []
    assert "wr0ng" not in caught.value.text() + repr(caught.value.params)
