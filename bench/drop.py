"""The hub on the same file: from XML to golden records with history and a due delivery each, durable, one process.

`python -m bench.drop HUB_FOLDER`: takes what lies in the folder's drop, and prints what it took, by stage.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bench.measure import peak_mib
from nave.config import load
from nave.core import entities, golden, journal
from nave.core.store import Transaction
from nave.core.turns import settle_interpreter
from nave.workers import apply, land, prepare, read
from nave.workers.build import build_hub, compile_hub
from nave.workers.flows import Hub

Times = dict[str, float]


def timed(times: Times, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with its time added up under `name`."""

    def wrapper(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            times[name] += time.perf_counter() - began

    return wrapper


def watch_stages(times: Times) -> None:
    """Take the time of each stage at its own function."""
    journal.pack = timed(times, "journal: pack", journal.pack)
    journal.unpack = timed(times, "journal: unpack", journal.unpack)
    land.land = timed(times, "journal: write", land.land)
    prepare.encode = timed(times, "encode", prepare.encode)
    prepare.digest = timed(times, "hash", prepare.digest)
    entities.EntityType.validate = timed(times, "validate", entities.EntityType.validate)  # type: ignore[method-assign]
    golden._known = timed(times, "look up", golden._known)
    golden.identify = timed(times, "identify", golden.identify)
    Transaction.insert = timed(times, "insert", Transaction.insert)  # type: ignore[method-assign]
    apply.prepare = timed(times, "prepare, all", apply.prepare)
    apply.take_in = timed(times, "take in, all", apply.take_in)


def run(hub: Hub) -> int:
    """Land and apply, as `nave run` does: one thread reads, one applies."""
    flow = hub.sources["erp.customers"]
    done = threading.Event()

    def reading() -> None:
        read.read_pass(hub, flow, threading.Event())
        done.set()

    reader = threading.Thread(target=reading)
    reader.start()
    count = 0
    bell = hub.hints.bell("apply")
    while True:
        ended = done.is_set()
        step = apply.apply_step(hub)
        if step:
            count += step.records
        elif ended:
            break
        else:
            bell.wait(0.001)
    reader.join()
    return count


def main() -> None:
    """Run once and print what it took, as JSON."""
    loaded = load(sys.argv[1])
    assert loaded.config, [problem.render() for problem in loaded.problems]
    compiled = compile_hub(loaded.config)
    assert not compiled.problems, [problem.render() for problem in compiled.problems]
    hub = build_hub(loaded.config, compiled)
    hub.store.tend()
    settle_interpreter()
    times: Times = defaultdict(float)
    if "--stages" in sys.argv:
        watch_stages(times)
    began, cpu = time.perf_counter(), time.process_time()
    count = run(hub)
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "records": count,
                "seconds": seconds,
                "cpu": time.process_time() - cpu,
                "peak_mib": peak_mib(),
                "stages": {name: spent / count * 1e6 for name, spent in times.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
