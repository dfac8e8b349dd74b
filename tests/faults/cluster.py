"""Faults below the hub: PostgreSQL killed, cut off behind a COMMIT, gone silent; and where all drivers of clusters are."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import cluster_broker, cluster_copies
from tests.faults.cluster_load import BATCH, Watch, loaded
from tests.faults.cluster_postgres import has_postgres, primary
from tests.faults.driving import Driver, Round
from tests.faults.killing import one_moment, settle
from tests.faults.proxy import Fault, Proxy, proxied
from tests.faults.scene import until

KILLS = 10


def postgres_kills(seed: int, folder: Path, *, count: int = KILLS) -> Round:
    """SIGKILL for the postmaster and all its children; it starts again at once, as under a supervisor."""
    chance, watch, messages = random.Random(seed), Watch(), count * 300
    with primary() as server, loaded(folder, seed, server.url(), messages) as one:
        for number in range(count):
            began = time.monotonic()
            server.kill()
            server.start()
            watch.resumed(one, began, f"kill {number + 1} of PostgreSQL")
            one_moment(chance.uniform(0.2, 2.0))
        problems = watch.problems + settle(one)
    return Round(count, problems, detail=watch.detail, also={"message": messages})


def commit_cuts(seed: int, folder: Path, *, count: int = KILLS) -> Round:
    """COMMITs that reach PostgreSQL while their answers reach nobody: landings, applies, claims, receipts alike."""
    chance, watch, messages = random.Random(seed), Watch(), max(400, count * 60)
    with _behind_proxy() as (proxy, store), loaded(folder, seed, store, messages) as one:
        for number in range(count):
            began, before = time.monotonic(), proxy.cuts
            proxy.cut_next_commit()
            if not until(lambda before=before: proxy.cuts > before, 60):  # type: ignore[misc]
                watch.problems.append(f"no COMMIT to cut within 60 s, before cut {number + 1}")
                break
            watch.resumed(one, began, f"cut {number + 1}")
            one_moment(chance.uniform(0.0, 0.4))
        problems = watch.problems + _but_repeats(settle(one), proxy.cuts)
    return Round(proxy.cuts, problems, detail=watch.detail, also={"message": messages})


_BOOKS = re.compile(r"L7 books: \S+ received (\d+), handed over \d+ to (\d+)")


def _but_repeats(problems: list[str], cuts: int) -> list[str]:
    """Without the batches that the hub counts twice: their sender heard 503 of a commit that had been made, and repeated."""
    seen = [(_BOOKS.fullmatch(text), text) for text in problems]
    return [text for found, text in seen if not found or not 0 < int(found[1]) - int(found[2]) <= cuts * BATCH]


def half_opens(seed: int, folder: Path, *, count: int = 3) -> Round:
    """The network swallows everything for a while, and closes nothing: what waits gives up, what comes later is taken."""
    chance, watch, messages = random.Random(seed), Watch(), count * 900
    kinds = (Fault.HALF_OPEN, Fault.SILENT_ANSWERS, Fault.REFUSE)
    with _behind_proxy("?answer_timeout=5") as (proxy, store), loaded(folder, seed, store, messages) as one:
        for number in range(count):
            proxy.fault = kinds[number % len(kinds)]
            one_moment(chance.uniform(2.0, 20.0))
            began = time.monotonic()
            proxy.heal()
            watch.resumed(one, began, f"silence {number + 1}")
            one_moment(chance.uniform(0.2, 1.0))
        one.store = store.partition("?")[0]  # whoever collects the evidence does not know our parameter
        problems = watch.problems + settle(one)
    return Round(count, problems, detail=watch.detail, also={"message": messages})


@contextmanager
def _behind_proxy(more: str = "") -> Iterator[tuple[Proxy, str]]:
    with primary() as server, proxied("127.0.0.1", server.port) as proxy:
        yield proxy, f"postgresql://nave@127.0.0.1:{proxy.port}/postgres{more}"


DRIVERS = (
    Driver("postgres-kill", postgres_kills, "postgresql", has_postgres),
    Driver("commit-cut", commit_cuts, "postgresql", has_postgres),
    Driver("half-open", half_opens, "postgresql", has_postgres),
    *cluster_copies.DRIVERS,
    *cluster_broker.DRIVERS,
)
