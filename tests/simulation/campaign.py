"""Spreads seeds over processes, each with a store of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence

from tests.simulation.seeds import Outcome, memory_store, run


def simulate(seeds: Sequence[int], *, jobs: int = 2) -> list[Outcome]:
    """What became of each seed."""
    shares = [seeds[place::jobs] for place in range(jobs)]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        found = pool.map(_share, shares, chunksize=1)
        pool.close()
        pool.join()
    return sorted((one for share in found for one in share), key=lambda one: one.seed)


def _share(seeds: Sequence[int]) -> list[Outcome]:
    with memory_store() as store:
        return [run(store, seed)[0] for seed in seeds]
