"""The EPCIS door over PostgreSQL: what its statements do differently there."""

from __future__ import annotations

import threading

import pytest

from tests.api.epcis_door import Door, an_event, opened_door
from tests.api.test_epcis_subscriptions import World


@pytest.mark.service
def test_captures_at_the_same_moment_keep_each_event_once_and_queries_page_through_them(postgres_url: str) -> None:
    events = [an_event(number, at=f"2026-11-{10 + number}T08:00:00+08:00", eventID=f"urn:x:{number}") for number in range(9)]
    with opened_door(postgres_url) as door:
        senders = [threading.Thread(target=door.capture, args=events) for _ in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)

        jobs = door.ask("GET", "/epcis/capture")[1]
        assert sorted(job["nave:captured"] for job in jobs) == [0, 0, 0, 9]
        found = door.events("orderBy=eventTime&orderDirection=DESC&perPage=4&MATCH_epc=urn:epc:idpat:sgtin:6901234.056789.*")
        assert [one["eventID"] for one in found] == [f"urn:x:{number}" for number in range(8, -1, -1)]
        assert [one["eventID"] for one in door.events("perPage=1&EQ_eventID=urn:x:2,urn:x:7")] == ["urn:x:2", "urn:x:7"]


@pytest.mark.service
def test_who_listens_while_four_capture_is_told_each_event_once(postgres_url: str) -> None:
    with opened_door(postgres_url) as door:
        world = World(door)
        world.subscribe(stream=True)
        wanted = {str(number) for number in range(20)}

        senders = [threading.Thread(target=each_alone, args=(door, range(first, first + 5))) for first in range(0, 20, 5)]
        for sender in senders:
            sender.start()
        told: list[str] = []
        while any(sender.is_alive() for sender in senders) or set(told) < wanted:
            told += [one for report in world.tell() for one in report]

        assert sorted(told) == sorted(wanted)


def each_alone(door: Door, numbers: range) -> None:
    for number in numbers:
        door.capture(an_event(number, "shipping", eventID=f"urn:x:{number}"))
