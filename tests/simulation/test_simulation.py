"""The whole hub on virtual time: whatever breaks in whatever order, no promise does, and in the end all is well."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nave.core.store import Store, open_store
from tests.simulation.campaign import simulate
from tests.simulation.seeds import memory_store, run


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", [20, pytest.param(200, marks=pytest.mark.long)])
def test_no_history_breaks_a_promise(seeds: int) -> None:
    found = simulate(range(seeds))

    assert len(found) == seeds
    assert [one.told() for one in found if one.wrong] == []
    assert min(one.messages for one in found) >= 200
    assert min(sum(one.faults.values()) for one in found) >= 20


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_history_on_a_server_breaks_no_promise_either(postgres_url: str) -> None:
    store = open_store(postgres_url)
    try:
        found = [run(store, seed)[0] for seed in range(3)]
    finally:
        store.close()

    assert [one.told() for one in found if one.wrong] == []


def hash_in_a_fresh_process(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_the_same_seed_is_the_same_history_in_every_process() -> None:
    first, second = (hash_in_a_fresh_process(5, hash_seed) for hash_seed in ("1", "2"))

    assert first == second
    assert first.startswith("trace ")


@pytest.mark.slow
def test_another_seed_is_another_history() -> None:
    with memory_store() as store:
        assert one_hash(store, 1) != one_hash(store, 2)


def one_hash(store: Store, seed: int) -> str:
    return run(store, seed)[0].hash
