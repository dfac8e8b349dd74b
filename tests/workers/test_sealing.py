"""Sealing the audit: every second by whoever sweeps, its head behind the commit, and nothing stands still for a head."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from nave.core import audit
from nave.core.chain import flaws
from nave.core.heads import HeadsFile
from nave.core.repair import note
from nave.core.store import Store
from nave.workers.loops import Run
from nave.workers.sweep import seal_step
from tests.workers.world import Target, World, one_sink


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    made = one_sink(store, Target())
    return made.rebuilt(heads=HeadsFile(tmp_path / "heads"))


def act(world: World, count: int = 1) -> None:
    with world.hub.store.write() as tx:
        for number in range(count):
            note(tx, world.actor(), "resume", f"web.customer:{number}", {})


def vouched(world: World) -> list[int]:
    assert world.hub.heads is not None
    return sorted(HeadsFile(world.hub.heads.path).read().by_place)


def wrong(world: World) -> list[str]:
    assert world.hub.heads is not None
    heads = HeadsFile(world.hub.heads.path).read().by_place
    with world.hub.store.read() as tx:
        return [one.code for one in flaws(audit.chain(tx), heads)]


def test_what_was_done_is_sealed_with_one_head_and_a_look_at_nothing_new_writes_nothing(world: World) -> None:
    assert not seal_step(world.hub)
    act(world, 3)
    assert seal_step(world.hub)
    assert not seal_step(world.hub)
    act(world)
    assert seal_step(world.hub)

    assert vouched(world) == [3, 4]
    assert wrong(world) == []


def test_more_than_a_page_is_sealed_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 4)
    act(world, 11)
    seal_step(world.hub)

    assert vouched(world) == [11]


def test_the_head_that_a_crash_behind_the_commit_left_out_is_written_at_the_next_look(world: World) -> None:
    act(world, 2)
    with world.hub.store.write() as tx:
        audit.seal(tx)
    assert vouched(world) == []

    seal_step(world.hub)

    assert vouched(world) == [2]


def test_a_head_that_cannot_be_written_holds_nothing_up_and_is_written_once_it_can(world: World, tmp_path: Path) -> None:
    blocked = tmp_path / "folder"
    shut = world.rebuilt(heads=HeadsFile(blocked / "heads"))
    act(shut)
    assert seal_step(shut.hub)
    assert not seal_step(shut.hub)

    blocked.mkdir()
    seal_step(shut.hub)

    assert vouched(shut) == [1]


def test_two_machines_that_sweep_in_turn_each_vouch_for_the_whole_chain(world: World, tmp_path: Path) -> None:
    other = World(replace(world.hub, heads=HeadsFile(tmp_path / "other")), world.clock, world.targets)
    for one in (world, other, world):
        act(one)
        seal_step(one.hub)

    assert (vouched(world), vouched(other)) == ([1, 3], [2])
    assert wrong(world) == wrong(other) == []


def test_a_running_hub_seals_by_itself(world: World) -> None:
    run = Run(world.hub, poll=0.1)
    run.start(alone=True)
    act(world, 2)
    deadline = time.monotonic() + 20
    while not vouched(world) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.close()

    assert vouched(world)[-1] == 2
    assert wrong(world) == []


def test_a_batch_run_seals_before_it_ends(world: World) -> None:
    act(world)
    run = Run(world.hub, poll=0.1, until_idle=True)
    run.start(alone=True)
    run.wait()
    run.close()

    assert vouched(world) == [1]
