"""The simulation is itself tested: a hub with a defect in it must not get through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nave.core.store import Store
from tests.simulation.defects import DEFECTS
from tests.simulation.seeds import memory_store, run

MOST = 200
"""Seeds within which each defect has to show."""


@pytest.fixture(scope="module")
def empty() -> Iterator[Store]:
    """A store for all histories here."""
    with memory_store() as store:
        yield store


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(empty: Store, defect: str) -> None:
    with DEFECTS[defect]():
        outcomes = (run(empty, seed)[0] for seed in range(MOST))
        found = next((one for one in outcomes if one.wrong), None)

    assert found is not None, f"{defect} got through {MOST} histories"
    assert not any("the simulation itself" in text for text in found.wrong), found.told()
