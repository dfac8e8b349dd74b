"""Who catches up with a backlog leaves room to those who keep up: small steps, and a rest after each; nobody else does."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from nave.workers.flows import SinkFlow
from nave.workers.manners import Manners
from tests.workers.world import Target, rules, sink_flow

RULES = {"customer": rules("customer")}
BATCH = 500
FEW = 10


@dataclass
class Two:
    """Two sinks of one process, on clocks of the test."""

    now: float = 100.0
    spent: float = 0.0
    manners: Manners = field(init=False)

    def __post_init__(self) -> None:
        self.manners = Manners(lambda: self.now, lambda: self.spent)

    def step(self, flow: SinkFlow, due: int, seconds: float = 0.01) -> tuple[int, float]:
        """A step of a sink that has so many due: how many it took, and how long it rests."""
        step = self.manners.step(flow)
        taken = min(step.most, due)
        self.spent += seconds
        return taken, self.manners.rest(flow, step, taken)


def flow(name: str) -> SinkFlow:
    return sink_flow(f"{name}.customer", RULES, Target(), batch=BATCH)


CRM, WEB = flow("crm"), flow("web")


def test_alone_a_sink_takes_all_it_can_and_never_rests() -> None:
    two = Two()
    assert [two.step(CRM, 10_000) for _ in range(3)] == [(BATCH, 0.0)] * 3


def test_with_a_backlog_beside_one_that_keeps_up_it_takes_few_and_rests_in_proportion_to_what_it_computed() -> None:
    two = Two()
    assert two.step(CRM, 10_000) == (BATCH, 0.0)
    assert two.step(WEB, 3) == (3, 0.0)
    assert two.step(CRM, 10_000, 0.001) == (FEW, pytest.approx(0.04))
    assert two.step(CRM, 10_000, 0.1) == (FEW, pytest.approx(0.3))
    assert two.step(CRM, 10_000, 0.5) == (FEW, pytest.approx(1.5))


def test_it_hurries_again_when_nothing_came_for_the_other_for_a_moment() -> None:
    two = Two()
    two.step(CRM, 10_000)
    two.step(WEB, 3)
    two.now += 0.2
    assert two.step(CRM, 10_000) == (BATCH, 0.0)


def test_it_has_caught_up_when_a_step_takes_all_there_is() -> None:
    two = Two()
    two.step(CRM, 10_000)
    two.step(WEB, 3)
    assert two.step(CRM, FEW - 1) == (FEW - 1, 0.0)
    assert two.step(CRM, 400) == (400, 0.0)


def test_two_with_a_backlog_each_do_not_wait_for_each_other() -> None:
    two = Two()
    for _ in range(3):
        assert two.step(CRM, 10_000) == (BATCH, 0.0)
        assert two.step(WEB, 10_000) == (BATCH, 0.0)


def test_one_whose_target_was_away_begins_with_few() -> None:
    two = Two()
    two.step(WEB, 3)
    two.manners.away(CRM)
    assert two.step(CRM, 10_000) == (FEW, pytest.approx(0.04))
