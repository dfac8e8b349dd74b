"""Copies of the store: a standby that takes over, and backups that are taken under load and put back."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.cluster_load import Watch, loaded
from tests.faults.cluster_postgres import Server, ending, has_postgres, primary, until
from tests.faults.driving import Driver, Round
from tests.faults.killing import one_moment, settle
from tests.faults.messages import SHOP, Message, stream
from tests.faults.scene import Scene

_MESSAGES = 700


@contextmanager
def replicated(*, synchronous: bool = True) -> Iterator[tuple[Server, Server, str]]:
    """A primary, its streaming standby, and the URL that finds whichever of the two can be written."""
    with primary() as first, ending(first.standby()) as second:
        if synchronous:
            # Set behind the copy, so that the standby does not inherit it: promoted, it has no standby to wait for.
            first.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            first.ask("SELECT pg_reload_conf()")
            state = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'standby' AND sync_state = 'sync'"
            until(lambda: bool(first.ask(state)), 60, "synchronous standby")
        yield first, second, f"postgresql://nave@127.0.0.1:{first.port},127.0.0.1:{second.port}/postgres"


def failovers(seed: int, folder: Path, *, count: int = 1) -> Round:
    """The primary dies under load, the standby is promoted, and the hub follows by its URL alone."""
    chance, watch, problems = random.Random(seed), Watch(), []
    for number in range(count):
        with replicated() as (first, second, url), loaded(folder / str(number), seed + number, url, _MESSAGES) as one:
            one_moment(chance.uniform(0.5, 4.0))
            began = time.monotonic()
            first.kill()
            second.promote()
            watch.resumed(one, began, "the fail-over")
            problems += settle(one)
    return Round(count, watch.problems + problems, detail=watch.detail, also={"message": count * _MESSAGES})


def sqlite_backups(seed: int, folder: Path, *, count: int = 1) -> Round:
    """`nave backup` under load; later the store is lost and the copy takes its place."""

    def save(one: Scene, place: Path) -> None:
        assert one.ask("backup", str(place))["bytes"] > 0

    def restore(one: Scene, place: Path) -> None:
        for left in one.folder.glob("nave.db*"):
            left.unlink()
        shutil.copyfile(place, one.folder / "nave.db")

    return _backups(seed, folder, count, None, save, restore)


def postgres_backups(seed: int, folder: Path, *, count: int = 1) -> Round:
    """pg_dump under load; later the database is lost, and made again from the dump."""
    with primary() as server:

        def save(_: Scene, place: Path) -> None:
            server.run("pg_dump", "--format=custom", "--file", _given(server, place), server.url("nave"))

        def restore(_: Scene, place: Path) -> None:
            server.ask("DROP DATABASE nave WITH (FORCE)")
            server.ask("CREATE DATABASE nave")
            server.run("pg_restore", "--exit-on-error", "--dbname", server.url("nave"), _given(server, place))

        def emptied(number: int) -> str:
            if number:
                server.ask("DROP DATABASE nave WITH (FORCE)")
            server.ask("CREATE DATABASE nave")
            return server.url("nave")

        return _backups(seed, folder, count, emptied, save, restore)


def _given(server: Server, place: Path) -> Path:
    """A place that the server's own account can write."""
    return server.home / place.name


Act = Callable[[Scene, Path], None]


def _backups(seed: int, folder: Path, count: int, store: Callable[[int], str] | None, save: Act, restore: Act) -> Round:
    chance, problems = random.Random(seed), []
    for number in range(count):
        url = store(number) if store else None
        with loaded(folder / str(number), seed + number, url, _MESSAGES, poison=0.0) as one:
            one_moment(chance.uniform(1.0, 6.0))
            place = folder / f"backup-{number}"
            save(one, place)
            one_moment(chance.uniform(0.5, 3.0))
            problems += _lose_and_restore(one, seed + number, place, restore)
    return Round(count, problems, detail={"store": "postgresql" if store else "sqlite"}, also={"message": count * _MESSAGES})


def _lose_and_restore(one: Scene, seed: int, place: Path, restore: Act) -> list[str]:
    """Let all be said, lose the store, put the copy back, let everything be said once more; what is wrong then."""
    assert one.told(300)
    one.settled(60)
    one.kill()
    restore(one, place)
    kept = one.ask("db", "restored")["records"]
    for path in sorted((one.folder / "drop").glob("archive/*/*")):
        path.rename(one.folder / "drop" / f"again_{path.parent.name}_{path.name}")
    one.start()
    one.ready()
    one.begin([message for message in _messages(seed) if message.channel != SHOP], pace=0.002)
    problems = [text for text in settle(one) if not _FORGOTTEN.match(text)]
    return problems if kept else [*problems, "the backup held nothing"]


_FORGOTTEN = re.compile(r"L2 twice: \(.*Name\(|L2 twice: and|L4 order|L7 books: \S+ received")
"""What cannot hold for a hub that forgot a part: it counts less than was handed over, and brings anew, under a new number,
what it hears again. What is left of the oracle: nothing is lost or made up, sums, books, one truth everywhere."""


def _messages(seed: int) -> list[Message]:
    return stream(seed, _MESSAGES)


DRIVERS = (
    Driver("failover", failovers, "postgresql", has_postgres),
    Driver("backup", sqlite_backups, "sqlite"),
    Driver("backup", postgres_backups, "postgresql", has_postgres),
)
