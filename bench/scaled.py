"""Many processes on one machine: PostgreSQL and RabbitMQ, a scheduler, a door and one or more workers of the hub.

`python -m bench.scaled RECORDS SECONDS BACKLOG OUTAGE` prints, as JSON: the file drop with 1, 2 and 4 workers beside the raw
limit on the same server, the relay at 200 events/s, and how a backlog drains after an outage of one of two targets.
Needs the servers that `scripts/install-services` installs; prints {} where they are not there.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from bench import data, relay
from bench.measure import measured
from tests.servers import free_port, postgres, postgres_programs, rabbitmq, rabbitmq_programs

_HERE = Path(__file__).parent
RATE = 200
Result = dict[str, Any]
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def nave(folder: Path, *words: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the hub that has said that it is at work, and is ended afterwards."""
    command = [sys.executable, "-m", "nave.cli", "--hub", str(folder), *words]
    child = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE)
    assert child.stderr is not None
    try:
        said = child.stderr.readline()
        if not said or b"error" in said:
            raise RuntimeError(f"nave {' '.join(words)}: {(said + child.stderr.read()).decode()}")
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)


@contextmanager
def database(server: str, name: str) -> Iterator[str]:
    """An empty database of its own."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.rsplit("/", 1)[0] + f"/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def hub_folder(folder: Path, template: str, store: str, broker: str, door: int | None = None) -> Path:
    """One of the bench's hubs, on these servers."""
    shutil.copytree(_HERE / template, folder)
    listen = f'http: {{listen: "127.0.0.1:{door}"}}\n' if door else ""
    os.environ["NAVE_BENCH_BROKER"] = broker
    (folder / "hub.yaml").write_text(
        f"hub: bench\nstore: {store}\nbroker: ${{env:NAVE_BENCH_BROKER}}\n{listen}", encoding="utf-8"
    )
    return folder


def until(done: Callable[[], bool], seconds: float = 600.0) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError("took too long")
        time.sleep(0.02)


def spent(pids: Sequence[int]) -> float:
    """CPU seconds of these processes so far."""
    return (
        sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) for pid in pids) / _TICKS
    )


def server_spent(connection: psycopg.Connection[Any]) -> float:
    """CPU seconds of the whole database server so far, ended backends among them."""
    master = int(Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    task = Path(f"/proc/{master}/task/{master}")
    ended = sum(map(int, Path(f"/proc/{master}/stat").read_text().rsplit(")", 1)[1].split()[13:15])) / _TICKS
    return spent([master, *map(int, (task / "children").read_text().split())]) + ended


def drop(server: str, broker: str, folder: Path, file: Path, records: int, workers: int) -> Result:
    """The file from the moment it lies in the folder until all of it is golden, with history and due deliveries."""
    with ExitStack() as stack:
        store = stack.enter_context(database(server, f"drop{workers}"))
        hub = hub_folder(folder / f"drop{workers}", "hub", store, broker)
        (hub / "drop").mkdir()
        reader = stack.enter_context(nave(hub, "schedule"))
        appliers = [stack.enter_context(applier(hub)) for _ in range(workers)]
        applied = stack.enter_context(psycopg.connect(store, autocommit=True))
        shutil.copy(file, hub / "drop" / "customers.part")
        before = [spent([reader.pid]), spent([one.pid for one in appliers]), server_spent(applied)]
        began = time.perf_counter()
        (hub / "drop" / "customers.part").rename(hub / "drop" / "customers.xml")
        count = "SELECT coalesce(sum(applied), 0) FROM journal"
        until(lambda: applied.execute(count).fetchone() == (records,))
        wall = time.perf_counter() - began
        after = [spent([reader.pid]), spent([one.pid for one in appliers]), server_spent(applied)]
        used = [(now - then) / records * 1e6 for now, then in zip(after, before, strict=True)]
        return {"us": wall / records * 1e6, **dict(zip(("reader", "workers", "server"), used, strict=True))}


@contextmanager
def applier(hub: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that applies and does nothing else: what is measured ends with due deliveries."""
    child = subprocess.Popen([sys.executable, "-m", "bench.applier", str(hub)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        child.stdout.readline()
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)


def drops(server: str, broker: str, folder: Path, records: int, rounds: int) -> Result:
    """The raw limit, the hub with 1, 2 and 4 workers, interleaved, medians; what a model makes of one worker's costs."""
    file = folder / "customers.xml"
    data.write(file, records)
    raw: list[float] = []
    found: dict[int, list[Result]] = {1: [], 2: [], 4: []}
    for number in range(rounds):
        with database(server, f"raw{number}") as url:
            raw.append(measured("yardstick_pg", str(file), url)["seconds"] / records * 1e6)
        for workers, values in found.items():
            values.append(drop(server, broker, folder / f"round{number}", file, records, workers))
    workers = {str(count): _medians(values) for count, values in found.items()}
    stages = staged(server, broker, folder, file)
    return {
        "yardstick": statistics.median(raw),
        "workers": workers,
        "stages": stages,
        "model": model(workers, stages),
        "plan": plan(workers, stages),
    }


def _medians(values: Sequence[Result]) -> Result:
    return {name: statistics.median(one[name] for one in values) for name in values[0]}


def staged(server: str, broker: str, folder: Path, file: Path) -> Result:
    """One process that does all of it, with the time of each stage."""
    with database(server, "staged") as store:
        hub = hub_folder(folder / "staged", "hub", store, broker)
        (hub / "drop").mkdir()
        shutil.copy(file, hub / "drop" / "customers.xml")
        found: Result = measured("drop", str(hub), "--stages")["stages"]
        return found


def model(workers: Result, stages: Result) -> Result:
    """Predicted us/record for each number of workers, from the costs that one worker has, and the error of it.

    Four things can be the narrowest: the one reader of the file; the worker that takes in, one at a time for an entity;
    all that a worker does, shared among the workers; and the CPU of this machine, shared by all with the server.
    """
    one, cores = workers["1"], os.cpu_count() or 1
    alone = one["us"]  # what a worker needs, waiting for the server included
    taken_in = stages["take in, all"]
    narrow = {
        "reader": one["reader"],
        "one at a time": taken_in,
        "cpu": (one["reader"] + one["workers"] + one["server"]) / cores,
    }
    found: Result = {}
    for count, told in workers.items():
        limits = {**narrow, "workers": alone / int(count)}
        by = max(limits, key=lambda name: limits[name])
        found[count] = {"us": limits[by], "limit": by, "error": limits[by] / told["us"] - 1}
    return found


class Site(NamedTuple):
    """Machines for a hub, in cores. `database` 0: on the same ones as the hub."""

    name: str
    hub: int
    database: int
    parts: int = 1
    """Stores that share the entities, or the key ranges of one."""


SITES = (
    Site("one machine of 4 cores", 4, 0),
    Site("four machines of 4 cores, one of them the store's", 12, 4),
    Site("sixteen machines of 4 cores, four of them stores", 48, 16, 4),
)
BUSY = 4
"""Entities that are loaded at the same time: customers, products, orders and invoices, say."""


def plan(workers: Result, stages: Result) -> list[Result]:
    """What sites nobody measured would carry by the same model, records of such a file a day, and what holds them up."""
    one = workers["1"]
    found = []
    for site in SITES:
        mine, server = one["reader"] + one["workers"], one["server"]
        cpu = (
            {"cpu": (mine + server) / site.hub}
            if not site.database
            else {
                "the hub's cpu": mine / site.hub,
                "the store's cpu": server / site.database,
            }
        )
        limits = {**cpu, "one at a time": stages["take in, all"] / (BUSY * site.parts)}
        by = max(limits, key=lambda name: limits[name])
        found.append({"site": site.name, "us": limits[by], "limit": by, "a_day": 86_400e6 / limits[by]})
    return found


def relayed(server: str, broker: str, folder: Path, seconds: float) -> dict[str, float]:
    """HTTP in to HTTP out over a door and one worker, every event durable in PostgreSQL before its answer."""
    sink, door = free_port(), relay.free_port()
    target = f"http://127.0.0.1:{sink}"
    with ExitStack() as stack:
        stack.enter_context(relay.process("-m", "bench.relay_target", str(sink), port=sink))
        store = stack.enter_context(database(server, "relay"))
        hub = hub_folder(folder / "relay", "relayhub", store, broker, door)
        serving, working = (stack.enter_context(nave(hub, role, NAVE_BENCH_TARGET=target)) for role in ("serve", "worker"))
        books = stack.enter_context(psycopg.connect(store, autocommit=True))
        before = [spent([serving.pid]), spent([working.pid]), server_spent(books)]
        found = asyncio.run(relay.drive(f"http://127.0.0.1:{door}/events/crm.customers", target, seconds, RATE))
        after = [spent([serving.pid]), spent([working.pid]), server_spent(books)]
        events = (books.execute("SELECT sum(received) FROM journal").fetchone() or (1,))[0]
        used = [(now - then) / float(events) * 1e6 for now, then in zip(after, before, strict=True)]
        return {**found, **dict(zip(("serve_us", "worker_us", "server_us"), used, strict=True))}


def backlog(server: str, broker: str, folder: Path, records: int, outage: float) -> dict[str, float]:
    """Two targets, of which one is away for `outage` seconds at least, while `records` become due for it."""
    here, away, door = free_port(), free_port() + 1, relay.free_port()
    targets = {"NAVE_BENCH_TARGET": f"http://127.0.0.1:{here}", "NAVE_BENCH_OTHER": f"http://127.0.0.1:{away}"}
    with ExitStack() as stack:
        stack.enter_context(relay.process("-m", "bench.relay_target", str(here), port=here))
        store = stack.enter_context(database(server, "backlog"))
        hub = hub_folder(folder / "backlog", "relayhub", store, broker, door)
        shutil.copytree(_HERE / "otherhub", hub, dirs_exist_ok=True)
        for role in ("serve", "worker"):
            stack.enter_context(nave(hub, role, **targets))
        url = f"http://127.0.0.1:{door}/events/crm.customers"

        def back() -> None:
            stack.enter_context(relay.process("-m", "bench.relay_target", str(away), port=away))

        return asyncio.run(_drained(url, targets, back, records, outage))


async def _drained(
    url: str, targets: dict[str, str], back: Callable[[], None], records: int, outage: float
) -> dict[str, float]:
    here, away = targets["NAVE_BENCH_TARGET"], targets["NAVE_BENCH_OTHER"]
    async with relay.senders(url) as these:
        await relay.at_rate(these, here, 1.0)
        began = time.monotonic()
        calm = await relay.at_rate(these, here, 10.0)
        sent = int(relay.RATE * 11.0)
        filling: list[float] = []
        while sent < records or time.monotonic() < began + outage:
            rate = relay.RATE * 5 if sent < records else 20
            filling += await relay.at_rate(these, here, 1.0, rate)
            sent += rate
        await asyncio.to_thread(back)
        again = time.monotonic()
        while not await _arrived(these, away):  # before it is asked again, nothing drains
            await relay.at_rate(these, here, 0.5, 20)
            sent += 10
        meanwhile = await relay.at_rate(these, here, 5.0)
        sent += int(relay.RATE * 5.0)
        while await _arrived(these, away) < sent:
            await asyncio.sleep(0.05)
    return {
        "outage_s": again - began,
        "records": sent,
        "drained_s": time.monotonic() - again,
        "other_p95_before_ms": _p95(calm),
        "other_p95_draining_ms": _p95(meanwhile),
    }


async def _arrived(these: relay.Senders, target: str) -> int:
    async with these.session.get(f"{target}/count") as answer:
        return int(await answer.text())


def _p95(values: Sequence[float]) -> float:
    """The median of the p95 of each second, so that one stall of the machine counts as one second and no more."""
    seconds = [sorted(values[first : first + relay.RATE]) for first in range(0, len(values), relay.RATE)]
    return statistics.median(one[int(len(one) * 0.95)] for one in seconds)


def measure(records: int, rounds: int, seconds: float, waiting: int, outage: float) -> Result:
    """All of it; {} where a server is missing."""
    base, queue = postgres_programs(), rabbitmq_programs()
    if base is None or queue is None:
        return {}
    with (
        tempfile.TemporaryDirectory(prefix="nave-scaled-") as temporary,
        postgres(base, durable=True) as server,
        rabbitmq(queue) as broker,
    ):
        folder = Path(temporary)
        return {
            "drop": drops(server, broker, folder, records, rounds),
            "relay": relayed(server, broker, folder, seconds),
            "backlog": backlog(server, broker, folder, waiting, outage),
        }


def main() -> None:
    """Measure and print."""
    records, seconds, waiting, outage = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    print(json.dumps(measure(records, 1, seconds, waiting, outage), indent=2))


if __name__ == "__main__":
    main()
