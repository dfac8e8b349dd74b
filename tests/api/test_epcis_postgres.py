"""The EPCIS door over PostgreSQL: what its statements do differently there."""

from __future__ import annotations

import threading

import pytest

from tests.api.epcis_door import an_event, opened_door


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
