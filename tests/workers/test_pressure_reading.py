"""A source that is read pauses while the journal is full, and goes on by itself once the hub has caught up."""

from __future__ import annotations

import threading
import time

import pytest

from nave.core.depth import Bounds
from nave.core.store import Store
from nave.workers.read import read_pass
from tests.workers.test_loops import Lists, hub
from tests.workers.world import customer

RECORDS = [customer(f"K{number}", 1) for number in range(100)]


@pytest.mark.slow
def test_a_source_pauses_while_the_journal_is_full_and_goes_on_by_itself(store: Store) -> None:
    made = hub(store, Lists(RECORDS)).rebuilt(bounds=Bounds(records=20))
    flow, stop = made.hub.sources["erp.customer"], threading.Event()
    reading = threading.Thread(target=lambda: read_pass(made.hub, flow, stop))

    reading.start()
    try:
        deadline = time.monotonic() + 60
        while made.books()["erp.customer"].received < 21 and time.monotonic() < deadline:
            time.sleep(0.05)
        reading.join(1.5)
        assert reading.is_alive()
        assert made.books()["erp.customer"].received == 21

        while reading.is_alive() and time.monotonic() < deadline:
            made.apply()
            reading.join(0.1)
    finally:
        stop.set()
        reading.join(30)

    made.apply()
    assert made.books()["erp.customer"].applied == 100
