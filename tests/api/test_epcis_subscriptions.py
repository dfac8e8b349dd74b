"""Named queries and subscriptions: what is asked for is told once it is there, in order, and again until it is taken."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import sqlalchemy as sa

from nave.api import epcisnamed
from nave.api.epcisdocs import document
from nave.api.epcisnamed import Named
from nave.api.epcisstore import Repository
from nave.api.epcistelling import Report, Teller
from nave.api.epcisterms import terms
from nave.api.problems import Problem
from nave.core.clock import Ids
from nave.core.errors import NaveError, PermanentError, RetryableError
from nave.core.seal import Seal
from nave.core.store import schema as t
from tests.api.epcis_door import KEY, SEAL, SYSTEMS, Door, a_document, an_event, opened_door

QUERY = {"EQ_bizStep": ["shipping"], "eventType": ["ObjectEvent"]}
OTHER = base64.urlsafe_b64encode(b"other" * 6 + b"!!").decode()
DEST = "https://partner.example/told?from=gate"


@pytest.fixture(scope="module")
def one_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened_door(f"sqlite:///{tmp_path_factory.mktemp('epcis')}/hub.db") as opened:
        yield opened


@pytest.fixture
def door(one_door: Door) -> Door:
    """The door of all tests, with nothing behind it."""
    with one_door.store.write() as tx:
        for table in (t.epcis_query, t.epcis_subscription, t.epcis_event, t.epcis_epc):
            tx.execute(table.delete())
    return one_door


@dataclass
class World:
    """A door with a query, somebody who tells, and whoever is told, with a clock of their own."""

    door: Door
    named: Named = field(init=False)
    now: float = 1_850_000_000.0
    told: list[Report] = field(default_factory=list)
    answers: list[NaveError | None] = field(default_factory=list)
    """What the next calls are answered; after them, yes."""

    def __post_init__(self) -> None:
        assert self.door.ask("POST", "/epcis/queries", {"name": "shipped", "query": QUERY})[0] == 201
        self.named = Named(self.door.store, lambda: self.now, Ids(), SEAL)
        self.teller = Teller(self.named, {"gate.wire": "Asia/Shanghai"}, self._take, lambda attempts: 10.0 * attempts)

    def _take(self, report: Report) -> NaveError | None:
        self.told.append(report)
        return self.answers.pop(0) if self.answers else None

    def subscribe(self, **terms: Any) -> str:
        status, said, _ = self.door.ask("POST", "/epcis/queries/shipped/subscriptions", {"dest": DEST, **terms})
        assert status == 201, said
        return f"/epcis/queries/shipped/subscriptions/{said['subscriptionID']}"

    def capture(self, *numbers: int, step: str = "shipping") -> None:
        self.door.capture(*[an_event(one, step, eventID=f"urn:x:{one}") for one in numbers])

    def tell(self) -> list[list[str]]:
        """Go on until nobody is due; the events of each report since the last time."""
        self.told.clear()
        while due := self.teller.due():
            for one in due:
                self.teller.step(one)
        return [events(one) for one in self.told]


def events(report: Report) -> list[str]:
    listed = report.document["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return [one["eventID"].removeprefix("urn:x:") for one in listed]


@pytest.fixture
def world(door: Door) -> World:
    return World(door)


def test_a_named_query_is_kept_as_it_was_given_and_finds_its_events(door: Door) -> None:
    door.capture(*[an_event(one, "shipping", eventID=f"urn:x:{one}") for one in range(3)], an_event(7, "receiving"))
    asked = {"name": "出货-1", "query": {**QUERY, "@context": {"acme": "https://acme.example/"}}}

    status, said, headers = door.ask("POST", "/epcis/queries", asked)
    place = headers["Location"]

    assert (status, said) == (201, asked)
    assert door.ask("GET", place)[1] == asked
    assert door.ask("GET", "/epcis/queries")[1] == [asked]
    assert [one["eventID"][-1] for one in door.events("perPage=2", path=f"{place}/events")] == ["0", "1", "2"]
    assert door.ask("GET", f"{place}/events")[1]["epcisBody"]["queryResults"]["queryName"] == "出货-1"
    assert door.ask("POST", "/epcis/queries", asked)[1]["type"] == "epcisException:ResourceAlreadyExistsException"
    assert door.ask("DELETE", place)[0] == 204
    assert [door.ask(method, place)[0] for method in ("GET", "DELETE")] == [404, 404]
    assert door.ask("GET", f"{place}/events")[0] == 404


def test_the_queries_of_a_system_are_nobody_elses(door: Door) -> None:
    mine = {"name": "mine", "query": QUERY}

    assert [door.ask("POST", "/epcis/queries", mine, token=token)[0] for token in ("tök-é", "other")] == [201, 201]
    assert door.ask("DELETE", "/epcis/queries/mine", token="other")[0] == 204
    assert door.ask("GET", "/epcis/queries/mine")[0] == 200
    assert door.ask("GET", "/epcis/queries", token="nobody's")[0] == 401


def test_queries_are_listed_page_by_page_and_there_is_an_end_to_them(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epcisnamed, "MOST", 6)
    for number in range(6):
        assert door.ask("POST", "/epcis/queries", {"name": f"q{number:03}", "query": {}})[0] == 201

    refused = door.ask("POST", "/epcis/queries", {"name": "more", "query": {}})
    first = door.ask("GET", "/epcis/queries?perPage=4")
    rest = door.ask("GET", str(first[2]["Link"]).partition("<")[2].partition(">")[0])

    assert (refused[0], refused[1]["code"]) == (403, "NAVE-K386")
    assert [one["name"] for one in first[1] + rest[1]] == [f"q{number:03}" for number in range(6)]


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "a", "query": {"nonsense": "1"}},
        {"name": "a", "query": {"GE_eventTime": "yesterday"}},
        {"name": "a", "query": {"EQ_bizStep": ["one, two"]}},
        {"name": "a", "query": {"EQ_bizStep": [{}]}},
        {"name": "a", "query": {"perPage": 5}},
        {"name": "a/b", "query": {}},
        {"name": "..", "query": {}},
        {"name": "a", "query": {}, "more": 1},
        {"name": "a"},
        [],
    ],
    ids=["unknown", "moment", "comma", "object", "page", "slash", "dots", "more", "no-query", "list"],
)
def test_a_definition_that_is_not_understood_is_refused(door: Door, asked: Any) -> None:
    status, said, _ = door.ask("POST", "/epcis/queries", asked)

    assert (status, said["code"]) == (400, "NAVE-K372")
    assert door.ask("GET", "/epcis/queries")[1] == []


def test_bodies_that_are_too_large_or_of_another_kind_are_refused(door: Door) -> None:
    assert door.ask("POST", "/epcis/queries", b"{" + b" " * 70_000)[0] == 413
    assert door.ask("POST", "/epcis/queries", b"<x/>", Content_Type="application/xml")[0] == 415


def test_a_websocket_is_refused_and_told_what_there_is_instead(world: World) -> None:
    path = "/epcis/queries/shipped/events"

    upgraded = world.door.ask("GET", f"{path}?stream=true", Upgrade="websocket", Connection="Upgrade")

    assert (upgraded[0], upgraded[1]["code"]) == (501, "NAVE-K387")
    assert world.door.ask("GET", f"{path}?minute=5")[0] == 501
    assert world.door.ask("GET", f"{path}?EQ_action=ADD")[0] == 400


@pytest.mark.parametrize(
    "terms",
    [
        {"dest": DEST},
        {"dest": DEST, "stream": True, "schedule": {"hour": "1"}},
        {"dest": DEST, "stream": True, "reportIfEmpty": True},
        {"dest": DEST, "stream": True, "initialRecordTime": "soon"},
        {"dest": DEST, "stream": True, "colour": "red"},
        {"dest": DEST, "stream": "true"},
        {"dest": DEST, "schedule": {}},
        {"dest": DEST, "schedule": {"hour": "24"}},
        {"dest": DEST, "schedule": {"hour": "[9-8]"}},
        {"dest": DEST, "schedule": {"hour": "*"}},
        {"dest": DEST, "schedule": {"dayOfMonth": "30", "month": "2"}},
        {"dest": "ftp://partner.example/", "stream": True},
        {"dest": "https://user:secret@partner.example/", "stream": True},
        {"dest": "https://partner.example/{key}", "stream": True},
        {"dest": "https://partner.example/\r\nX: 1", "stream": True},
        {"dest": "https://[partner/", "stream": True},
        {"dest": "http://inside.example/", "stream": True},
        {"stream": True},
    ],
    ids=lambda terms: json.dumps(terms)[:60],
)
def test_a_subscription_that_cannot_be_is_refused(world: World, terms: dict[str, Any]) -> None:
    status, said, _ = world.door.ask("POST", "/epcis/queries/shipped/subscriptions", terms)

    assert (status, said["type"], said["code"]) == (400, "epcisException:SubscriptionControlsException", "NAVE-K385")
    assert world.door.ask("GET", "/epcis/queries/shipped/subscriptions")[1] == []


def test_a_query_that_sorts_or_counts_cannot_be_subscribed_to(door: Door) -> None:
    door.ask("POST", "/epcis/queries", {"name": "top", "query": {"eventCountLimit": 5}})

    assert door.ask("POST", "/epcis/queries/top/subscriptions", {"dest": DEST, "stream": True})[0] == 400
    assert door.ask("POST", "/epcis/queries/none/subscriptions", {"dest": DEST, "stream": True})[0] == 404


def test_a_subscription_can_be_looked_at_without_its_secret_and_ended(world: World) -> None:
    place = world.subscribe(stream=True, signatureToken="s3cret")
    timed = world.subscribe(schedule={"hour": "1", "minute": "5"}, reportIfEmpty=True)

    listed = world.door.ask("GET", "/epcis/queries/shipped/subscriptions")[1]

    assert [one["subscriptionID"] for one in listed] == [place[-13:], timed[-13:]]
    assert (listed[0]["dest"], listed[0]["stream"]) == (DEST, True)
    assert (listed[1]["schedule"], listed[1]["reportIfEmpty"]) == ({"hour": "1", "minute": "5"}, True)
    assert "s3cret" not in json.dumps(listed)
    assert world.door.ask("GET", place, token="other")[0] == 404
    assert world.door.ask("DELETE", place, token="other")[0] == 404
    assert [world.door.ask("DELETE", place)[0] for _ in range(2)] == [204, 404]
    assert world.door.ask("DELETE", "/epcis/queries/shipped")[0] == 204
    assert world.door.ask("GET", timed)[0] == 404
    world.capture(1)
    assert world.tell() == []


def test_a_stream_is_told_what_fits_from_now_on_and_once(world: World) -> None:
    world.capture(1)
    place = world.subscribe(stream=True, signatureToken="s3cret")
    world.capture(2, 3)
    world.capture(4, step="receiving")

    first = world.tell()
    world.capture(2, 5)
    second = world.tell()

    assert (first, second, world.tell()) == ([["2", "3"]], [["5"]], [])
    assert world.door.ask("GET", place)[1]["lastNotifiedAt"].startswith("2028-")


def test_a_report_says_whose_it_is(world: World) -> None:
    place = world.subscribe(stream=True, signatureToken="s3cret")
    world.capture(1)

    world.tell()

    (report,) = world.told
    results = report.document["epcisBody"]["queryResults"]
    assert (report.subscription, report.number, report.dest, report.secret) == (place[-13:], 1, DEST, "s3cret")
    assert (results["queryName"], results["subscriptionID"]) == ("shipped", place[-13:])
    assert report.document["type"] == "EPCISQueryDocument"


def test_the_key_that_signs_lies_in_the_store_encrypted_and_nothing_goes_out_while_it_cannot_be_read(world: World) -> None:
    place = world.subscribe(stream=True, signatureToken="s3cret")
    with world.door.store.read() as tx:
        stored = tx.rows(sa.select(t.epcis_subscription))
    own = world.teller
    world.teller = replace(own, named=replace(world.named, seal=Seal([OTHER])))
    world.capture(1)

    untold = world.tell()
    failure = world.door.ask("GET", place)[1]
    world.teller = replace(own, named=replace(world.named, seal=Seal([OTHER, KEY])))
    world.now += 10_000
    told = world.tell()

    assert "s3cret" not in str(stored)
    assert untold == []
    assert "another key" in failure["nave:error"]
    assert (told, [one.secret for one in world.told]) == ([["1"]], ["s3cret"])


def test_without_a_key_of_its_own_the_hub_keeps_nobodys_key(world: World) -> None:
    without = replace(world.named, seal=Seal())
    asked = terms(json.dumps({"dest": DEST, "stream": True, "signatureToken": "s3cret"}).encode())
    plain = terms(json.dumps({"dest": DEST, "stream": True}).encode())

    with pytest.raises(Problem) as refused:
        without.subscribe("gate.wire", "UTC", "shipped", asked)

    assert (refused.value.code, refused.value.status) == ("NAVE-K388", 400)
    assert "seal_keys" in str(refused.value)
    assert without.subscribe("gate.wire", "UTC", "shipped", plain) is not None


def test_what_was_recorded_since_the_moment_that_is_named_is_told_as_well(world: World) -> None:
    world.capture(1)
    world.capture(2)
    recorded = world.door.events("EQ_eventID=urn:x:2")[0]["recordTime"]

    world.subscribe(stream=True, initialRecordTime=recorded)
    world.capture(3)

    assert [one for report in world.tell() for one in report] == ["2", "3"]


def test_what_is_not_taken_goes_again_as_it_was_later_and_later(world: World) -> None:
    place = world.subscribe(stream=True)
    world.capture(1)
    world.answers = [
        RetryableError("NAVE-S061", status=503, answer=""),
        PermanentError("NAVE-S062", status=400, answer="no"),
    ]

    first = world.tell()
    world.capture(2)
    early = world.tell()
    world.now += 10
    second = world.tell()
    failing = world.door.ask("GET", place)[1]
    sent = [*world.told]
    world.now += 19
    waiting = world.tell()
    world.now += 1
    third = world.tell()

    assert (first, early, second, waiting, third) == ([["1"]], [], [["1"]], [], [["1"], ["2"]])
    assert [one.number for one in sent + world.told] == [1, 1, 2]
    assert sent[0].document == world.told[0].document
    assert failing["nave:attempts"] == 2
    assert "400" in failing["nave:error"]
    assert "nave:error" not in world.door.ask("GET", place)[1]


def test_killed_between_noting_and_sending_the_same_goes_under_the_same_number(world: World) -> None:
    world.subscribe(stream=True)
    world.capture(1)
    working = world.teller.post

    def killed(report: Report) -> NaveError | None:
        world.told.append(report)
        raise KeyboardInterrupt

    object.__setattr__(world.teller, "post", killed)
    with pytest.raises(KeyboardInterrupt):
        world.teller.step(world.teller.due()[0])
    before = world.told[0]
    object.__setattr__(world.teller, "post", working)
    world.capture(2)

    assert world.tell() == [["1"], ["2"]]
    assert world.told[0] == before


def test_who_finds_a_report_too_large_gets_smaller_ones(world: World) -> None:
    world.subscribe(stream=True)
    world.capture(*range(8))
    world.answers = [PermanentError("NAVE-S062", status=413, answer=""), PermanentError("NAVE-S062", status=413, answer="")]

    sizes = [len(one) for one in world.tell()]

    assert sizes == [8, 4, 2, 2, 2, 2]
    assert len({one.number for one in world.told}) == 6


def test_by_the_clock_all_that_is_there_is_told_when_it_strikes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epcisnamed, "EVENTS", 10)
    world.now = 1_800_000_000.0  # 16:00 in Shanghai; the door's clock has not come far beyond it
    world.subscribe(schedule={"hour": "1", "minute": "5"})
    world.capture(*range(15))
    world.capture(900, step="receiving")

    early = world.tell()
    world.now = 1_800_000_000.0 + 9 * 3600 + 5 * 60
    struck = world.tell()
    world.capture(901)
    after = world.tell()
    world.now += 86_400
    again = world.tell()
    world.now += 86_400
    empty = world.tell()

    assert (early, after, again, empty) == ([], [], [["901"]], [])
    assert [len(one) for one in struck] == [10, 5]


def test_who_asked_for_it_is_told_that_there_was_nothing(world: World) -> None:
    world.now = 1_800_000_000.0
    world.subscribe(schedule={"minute": "30"}, reportIfEmpty=True)
    world.capture(1)

    world.now += 1800
    full = world.tell()
    world.now += 3600
    world.answers = [RetryableError("NAVE-S061", status=503, answer="")]
    failed = world.tell()
    world.now += 10
    empty = world.tell()

    assert (full, failed, empty, world.tell()) == ([["1"]], [[]], [[]], [])


def test_an_event_of_a_process_whose_ids_are_behind_is_told_all_the_same(world: World) -> None:
    """Two processes take ids by clocks of their own: what is committed later may have the lesser number."""
    world.subscribe(stream=True)
    world.capture(1)
    assert world.tell() == [["1"]]
    late = Repository(world.door.store, lambda: 1_850_000_000.0, Ids(lambda: 1_600_000_000.0))

    late.capture(SYSTEMS[0], document_of(an_event(2, "shipping", eventID="urn:x:2")), "rollback")

    assert world.tell() == [["2"]]


def document_of(*listed: Any) -> Any:
    return document(json.dumps(a_document(*listed)).encode(), "application/ld+json")
