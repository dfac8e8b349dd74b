"""`make bench`: every figure beside the raw limit of this machine in the same run. NAVE_BENCH=short takes a minute or two.

Prints tables, writes bench/out/results.json and the chart docs/images/cost.svg (the chart only in a full run).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import data, relay, scaled, transports
from bench.chart import cost_chart
from bench.measure import measured

_HERE = Path(__file__).parent
_OUT = _HERE / "out"
_CHART = _HERE.parent / "docs" / "images" / "cost.svg"


class Plan(NamedTuple):
    """How much is measured."""

    records: int
    rounds: int
    sizes: tuple[int, ...]
    seconds: float
    waiting: int
    """Records that an outage of one target leaves."""
    outage: float
    deciding: tuple[int, ...]
    """Golden records that an incoming one is compared with."""
    transports: tuple[int, int]
    """Records between databases, and messages of a queue."""


PLANS = {
    "short": Plan(20_000, 1, (10_000,), 3.0, 1_000, 0.0, (10_000, 50_000), (3_000, 500)),
    "full": Plan(
        100_000, 3, (10_000, 100_000, 1_000_000), 10.0, 10_000, 300.0, (10_000, 100_000, 1_000_000), (50_000, 10_000)
    ),
}
Result = dict[str, Any]


def drop_rounds(plan: Plan, folder: Path) -> Result:
    """The yardstick, a first load and the same file again, interleaved; medians."""
    file = folder / "customers.xml"
    data.write(file, plan.records)
    rounds = [_drop_round(folder / f"round{number}", file) for number in range(plan.rounds)]
    stages = _drop_round(folder / "stages", file, "--stages")
    found: Result = {name: _median([one[name] for one in rounds]) for name in ("yardstick", "first", "again")}
    found["stages"] = {name: stages[name]["stages"] for name in ("first", "again")}
    return found


def _drop_round(folder: Path, file: Path, *options: str) -> dict[str, Result]:
    folder.mkdir()
    yardstick = measured("yardstick", str(file), str(folder / "raw.db"))
    hub = folder / "hub"
    shutil.copytree(_HERE / "hub", hub)
    found = {"yardstick": yardstick}
    for name in ("first", "again"):
        (hub / "drop").mkdir(exist_ok=True)
        shutil.copy(file, hub / "drop" / "customers.xml")
        found[name] = measured("drop", str(hub), *options)
    shutil.rmtree(folder)
    return found


def _median(rounds: list[Result]) -> Result:
    names = ("records", "seconds", "cpu", "peak_mib")
    found: Result = {name: statistics.median(one[name] for one in rounds) for name in names}
    found["us"] = found["seconds"] / found["records"] * 1e6
    return found


def by_size(plan: Plan, folder: Path) -> list[Result]:
    """A first load of each size: cost per record and peak memory."""
    found = []
    for size in plan.sizes:
        file = folder / f"{size}.xml"
        data.write(file, size)
        one = _drop_round(folder / f"size{size}", file)
        for name in ("yardstick", "first", "again"):
            one[name]["us"] = one[name]["seconds"] / size * 1e6
        found.append({"size": size, **{name: one[name] for name in ("yardstick", "first", "again")}})
        file.unlink()
    return found


def machine() -> dict[str, str]:
    """What it was measured on."""
    return {
        "cores": str(os.cpu_count()),
        "system": platform.system(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in ("lxml", "pydantic", "msgspec", "sqlalchemy", "uvicorn", "pycurl")},
    }


def rows(results: Result) -> list[Result]:
    """The figures with their goals, as the README and the performance page show them."""
    alone = [*_drop_rows(results["drop"]), *_size_rows(results["sizes"]), *_deciding_rows(results["deciding"])]
    alone += [*_relay_rows(results["relay"]), *_transport_rows(results["transports"])]
    return alone + (
        [*_worker_rows(results["scaled"]["drop"]), *_distance_rows(results["scaled"]), *_cost_rows(results["scaled"])]
        if results["scaled"]
        else []
    )


def _row(group: str, what: str, value: float, unit: str, ratio: float | None = None, goal: str = "") -> Result:
    return {"group": group, "what": what, "value": round(value, 1), "unit": unit, "ratio": ratio, "goal": goal}


def _drop_rows(drop: Result) -> Iterator[Result]:
    raw = drop["yardstick"]["us"]
    yield _row("file drop", "yardstick: parse, map, one plain upsert", raw, "us/record")
    yield _row("file drop", "first load", drop["first"]["us"], "us/record", raw / drop["first"]["us"], ">= 0.4, aim 0.6")
    yield _row("file drop", "same file again", drop["again"]["us"], "us/record", raw / drop["again"]["us"], ">= 0.7")
    yield _row("file drop", "peak memory", drop["first"]["peak_mib"], "MiB", None, "< 300")


def _size_rows(sizes: Sequence[Result]) -> Iterator[Result]:
    for one in sizes:
        name = f"{one['size']:,} records"
        yield _row("size", name, one["first"]["us"], "us/record", one["yardstick"]["us"] / one["first"]["us"])
        yield _row("size", f"{name}, peak memory", one["first"]["peak_mib"], "MiB", None, "< 300")
    if len(sizes) > 1:
        growth = sizes[-1]["first"]["us"] / sizes[0]["first"]["us"]
        yield _row("size", "cost per record, largest against smallest", growth, "times", None, "<= 1.5")


def _deciding_rows(sizes: Sequence[Result]) -> Iterator[Result]:
    for one in sizes:
        goal = "<= 1,000" if one["size"] == 1_000_000 else ""
        yield _row("deciding", f"{one['size']:,} golden records, scored", one["us"], "us/record", None, goal)
    if len(sizes) > 1:
        growth = sizes[-1]["us"] / sizes[0]["us"]
        yield _row("deciding", "cost per record, largest against smallest", growth, "times", None, "< 2")


def _relay_rows(wire: Result) -> Iterator[Result]:
    hub, bare = wire["hub"], wire["forwarder"]
    most, ratio = hub["through_per_s"], hub["through_per_s"] / bare["through_per_s"]
    yield _row("relay", "p50 at 100 events/s", hub["p50_ms"], "ms", None, "< 8")
    yield _row("relay", "p99 at 100 events/s", hub["p99_ms"], "ms", None, "< 30")
    yield _row("relay", "forwarder: p50 at 100 events/s", bare["p50_ms"], "ms")
    yield _row("relay", "forwarder: p99 at 100 events/s", bare["p99_ms"], "ms")
    yield _row("relay", "64 senders, through to the target", most, "events/s", ratio, ">= 1,500 and 0.3")
    yield _row("relay", "64 senders, acknowledged", hub["taken_per_s"], "events/s")
    yield _row("relay", "forwarder: 64 senders", bare["through_per_s"], "events/s")


def _transport_rows(found: Result) -> Iterator[Result]:
    if not found:
        return
    for name, what in (("sql", "sql to sql"), ("file", "file to sql")):
        raw, hub = found[name]["raw"], found[name]["hub"]
        yield _row("transports", f"{what}, raw copy", raw, "us/record")
        yield _row("transports", f"{what}, through the hub", hub, "us/record", raw / hub)
    raw, hub = found["amqp"]["raw"], found["amqp"]["hub"]
    yield _row("transports", "amqp to http, bare forwarder", raw, "messages/s")
    yield _row("transports", "amqp to http, through the hub", hub, "messages/s", hub / raw)


def _worker_rows(drop: Result) -> Iterator[Result]:
    raw, one = drop["yardstick"], drop["workers"]["1"]["us"]
    goals = {"1": ">= 0.35", "2": ">= 1.3 times as fast as one"}
    yield _row("PostgreSQL", "yardstick: parse, map, one plain upsert", raw, "us/record")
    for count, told in drop["workers"].items():
        name = f"file drop, workers: {count}"
        yield _row("PostgreSQL", name, told["us"], "us/record", raw / told["us"], goals.get(count, ""))
        yield _row("PostgreSQL", f"speed against one worker, workers: {count}", one / told["us"], "times")
        predicted = drop["model"][count]
        yield _row("PostgreSQL", f"the model's error, workers: {count}", predicted["error"] * 100, "%")


def _cost_rows(scaled: Result) -> Iterator[Result]:
    one, wire = scaled["drop"]["workers"]["1"], scaled["relay"]
    for name, cpu in (("reader", "reader"), ("worker", "workers"), ("PostgreSQL", "server")):
        yield _row("cost", f"file drop, CPU of the {name}", one[cpu], "us/record")
    yield _row("cost", "file drop, taking in, one at a time", scaled["drop"]["stages"]["take in, all"], "us/record")
    for name, cpu in (("door", "serve_us"), ("worker", "worker_us"), ("PostgreSQL", "server_us")):
        yield _row("cost", f"relay, CPU of the {name}", wire[cpu], "us/event")
    for site in scaled["drop"]["plan"]:
        yield _row("plan", f"{site['site']}, held up by: {site['limit']}", site["a_day"] / 1e6, "million records/day")


def _distance_rows(scaled: Result) -> Iterator[Result]:
    wire, late = scaled["relay"], scaled["backlog"]
    worse = (late["other_p95_draining_ms"] / late["other_p95_before_ms"] - 1) * 100
    yield _row("RabbitMQ", "relay, p50 at 200 events/s", wire["p50_ms"], "ms")
    yield _row("RabbitMQ", "relay, p99 at 200 events/s", wire["p99_ms"], "ms", None, "< 60")
    yield _row("RabbitMQ", "relay, 64 senders, through to the target", wire["through_per_s"], "events/s")
    yield _row("RabbitMQ", f"a backlog of {late['records']:,} drains in", late["drained_s"], "s", None, "<= 60")
    yield _row(
        "RabbitMQ",
        f"after an outage of {late['outage_s']:.0f} s, the other target's p95 is worse by",
        worse,
        "%",
        None,
        "< 20",
    )


def show(results: Result) -> None:
    """Print all of it."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print("  ".join(f"{name} {value}" for name, value in results["machine"].items()))
    table = Table("", "figure", "value", "unit", "against the raw limit", "goal")
    for one in results["rows"]:
        ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}"
        table.add_row(one["group"], one["what"], f"{one['value']:,}", one["unit"], ratio, one["goal"])
    console.print(table)
    stages = Table("us/record by stage (a run of its own; stages overlap in time)", "first load", "same file again")
    for name in results["drop"]["stages"]["first"]:
        again = results["drop"]["stages"]["again"].get(name, 0.0)
        stages.add_row(name, f"{results['drop']['stages']['first'][name]:.1f}", f"{again:.1f}")
    console.print(stages)


def main() -> None:
    """Measure, print, and keep the results."""
    plan = PLANS["short" if os.environ.get("NAVE_BENCH") == "short" else "full"]
    with tempfile.TemporaryDirectory(prefix="nave-bench-") as temporary:
        folder = Path(temporary)
        results: Result = {
            "machine": machine(),
            "drop": drop_rounds(plan, folder),
            "sizes": by_size(plan, folder),
            "deciding": [measured("deciding", str(size)) for size in plan.deciding],
            "relay": relay.measure(plan.seconds),
            "transports": transports.measure(*plan.transports),
            "scaled": scaled.measure(min(plan.records, 50_000), plan.rounds, plan.seconds, plan.waiting, plan.outage),
        }
    results["rows"] = rows(results)
    _OUT.mkdir(exist_ok=True)
    (_OUT / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    if len(plan.sizes) > 1:
        cost_chart(results["sizes"], _CHART)
    show(results)


if __name__ == "__main__":
    main()
