"""Simulates many histories and says which seeds broke a promise: `python -m tests.simulation --seeds 2000`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.faults.report import add
from tests.simulation.campaign import simulate
from tests.simulation.seeds import memory_store, run


def main() -> int:
    """Exit code 1 where a seed failed."""
    options = _options()
    if options.seed is not None:
        return _one(options.seed, trace=options.trace)
    began = time.monotonic()
    first = int(time.time()) * 10_000 if options.first is None else options.first
    found = simulate(range(first, first + options.seeds), jobs=options.jobs)
    failed = [one for one in found if one.wrong]
    for one in failed:
        print(one.told(), end="\n\n")
    seconds = time.monotonic() - began
    faults = sum(sum(one.faults.values()) for one in found)
    messages = sum(one.messages for one in found)
    print(f"{len(found)} seeds from {first}, {messages} messages, {faults} faults, {len(failed)} failed, {seconds:.0f} s")
    if options.report:
        problems = [f"seed {one.seed}: {one.wrong[0]}" for one in failed]
        told = {"first": first, "messages": messages, "faults": faults, "problems": problems}
        add("simulation", len(found), len(failed), seconds, file=None, **told)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many histories")
    parser.add_argument("--first", type=int, help="the first seed; new ones at every run if it is not given")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, help="only this one, again")
    parser.add_argument("--trace", action="store_true", help="with --seed: every line of it")
    parser.add_argument("--report", action="store_true", help="add the counts to the report of all fault runs")
    return parser.parse_args()


def _one(seed: int, *, trace: bool) -> int:
    with memory_store() as store:
        outcome, lines = run(store, seed)
    if trace:
        print("\n".join(lines))
    print(outcome.told() if outcome.wrong else f"seed {seed} is well")
    print(f"trace {outcome.hash}")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
