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
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import data, relay
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


PLANS = {
    "short": Plan(20_000, 1, (10_000,), 3.0),
    "full": Plan(100_000, 3, (10_000, 100_000, 1_000_000), 10.0),
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
    drop, wire = results["drop"], results["relay"]
    yardstick = drop["yardstick"]["us"]
    hub, bare = wire["hub"], wire["forwarder"]

    def row(group: str, what: str, value: float, unit: str, ratio: float | None = None, goal: str = "") -> Result:
        return {"group": group, "what": what, "value": round(value, 1), "unit": unit, "ratio": ratio, "goal": goal}

    found = [
        row("file drop", "yardstick: parse, map, one plain upsert", yardstick, "us/record"),
        row("file drop", "first load", drop["first"]["us"], "us/record", yardstick / drop["first"]["us"], ">= 0.4, aim 0.6"),
        row("file drop", "same file again", drop["again"]["us"], "us/record", yardstick / drop["again"]["us"], ">= 0.7"),
        row("file drop", "peak memory", drop["first"]["peak_mib"], "MiB", None, "< 300"),
    ]
    for one in results["sizes"]:
        name = f"{one['size']:,} records"
        found.append(row("size", name, one["first"]["us"], "us/record", one["yardstick"]["us"] / one["first"]["us"]))
        found.append(row("size", f"{name}, peak memory", one["first"]["peak_mib"], "MiB", None, "< 300"))
    if len(results["sizes"]) > 1:
        growth = results["sizes"][-1]["first"]["us"] / results["sizes"][0]["first"]["us"]
        found.append(row("size", "cost per record, largest against smallest", growth, "times", None, "<= 1.5"))
    found += [
        row("relay", "p50 at 100 events/s", hub["p50_ms"], "ms", None, "< 8"),
        row("relay", "p99 at 100 events/s", hub["p99_ms"], "ms", None, "< 30"),
        row("relay", "forwarder: p50 at 100 events/s", bare["p50_ms"], "ms"),
        row("relay", "forwarder: p99 at 100 events/s", bare["p99_ms"], "ms"),
        row(
            "relay",
            "64 senders, through to the target",
            hub["through_per_s"],
            "events/s",
            hub["through_per_s"] / bare["through_per_s"],
            ">= 1,500 and 0.3",
        ),
        row("relay", "64 senders, acknowledged", hub["taken_per_s"], "events/s"),
        row("relay", "forwarder: 64 senders", bare["through_per_s"], "events/s"),
    ]
    return found


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
            "relay": relay.measure(plan.seconds),
        }
    results["rows"] = rows(results)
    _OUT.mkdir(exist_ok=True)
    (_OUT / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    if len(plan.sizes) > 1:
        cost_chart(results["sizes"], _CHART)
    show(results)


if __name__ == "__main__":
    main()
